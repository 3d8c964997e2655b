package dev.multivisor.engine.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

/** Intel SDM vol. 3, chapter 2; vol. 2, the instructions. */
class SystemInstructionsTest {
    private static final int CR0 = 0xc0, CR3 = 0xd8, CR4 = 0xe0; // ModRM: from or to RAX

    private static void expect(FlatGuest guest, int vector, int code, int... bytes) {
        CpuFault fault = assertThrows(CpuFault.class, () -> guest.execute(bytes));
        assertEquals(vector, fault.vector, "vector");
        assertEquals(code, fault.errorCode, "error code");
    }

    private static void setControl(FlatGuest guest, int register, long value) {
        guest.cpu.r[Cpu.RAX] = value;
        guest.execute(0x0f, 0x22, register);
    }

    private static void refuseControl(FlatGuest guest, int register, long value) {
        guest.cpu.r[Cpu.RAX] = value;
        expect(guest, CpuFault.GP, 0, 0x0f, 0x22, register);
    }

    private static void writeMsr(FlatGuest guest, int index, long value) {
        guest.cpu.r[Cpu.RCX] = index;
        guest.cpu.r[Cpu.RAX] = value & 0xffffffffL;
        guest.cpu.r[Cpu.RDX] = value >>> 32;
        guest.execute(0x0f, 0x30);
    }

    private static long readMsr(FlatGuest guest, int index) {
        guest.cpu.r[Cpu.RCX] = index;
        guest.execute(0x0f, 0x32);
        return guest.cpu.r[Cpu.RDX] << 32 | guest.cpu.r[Cpu.RAX];
    }

    @Test
    void fromRealToLongMode() {
        FlatGuest guest = FlatGuest.longMode(); // for its tables
        Cpu cpu = guest.cpu;
        CpuReset.powerOn(cpu);
        cpu.gdtrBase = FlatGuest.GDT;
        cpu.segmentBase[Cpu.CS] = 0;
        cpu.r[Cpu.RIP] = 0x6000;
        refuseControl(guest, CR0, Cpu.CR0_PG);
        refuseControl(guest, CR0, Cpu.CR0_NW);
        setControl(guest, CR0, Cpu.CR0_PE);
        assertEquals(Cpu.CR0_PE | Cpu.CR0_ET, cpu.cr0);
        assertEquals(16, cpu.codeSize);
        guest.execute(0x66, 0xea, 0, 0x70, 0, 0, FlatGuest.CODE0, 0);
        assertEquals(32, cpu.codeSize);
        writeMsr(guest, Msrs.EFER, Cpu.EFER_LME);
        refuseControl(guest, CR0, Cpu.CR0_PE | Cpu.CR0_PG); // without PAE
        setControl(guest, CR4, Cpu.CR4_PAE);
        setControl(guest, CR3, FlatGuest.PML4);
        setControl(guest, CR0, Cpu.CR0_PE | Cpu.CR0_PG);
        assertEquals(Cpu.EFER_LME | Cpu.EFER_LMA, cpu.efer);
        guest.execute(0xea, 0, 0x71, 0, 0, FlatGuest.CODE64, 0);
        assertEquals(64, cpu.codeSize);
        refuseControl(guest, CR4, 0);
        refuseControl(guest, CR4, Cpu.CR4_PAE | 1 << 30);
        refuseControl(guest, CR3, 1L << 46);
        refuseControl(guest, CR0, Cpu.CR0_PE); // paging goes in compatibility mode only
        refuseControl(guest, CR0, 1L << 32);
        CpuFault fault = assertThrows(CpuFault.class, () -> writeMsr(guest, Msrs.EFER, 0));
        assertEquals(CpuFault.GP, fault.vector);
    }

    @Test
    void reservedBitsOfPageDirectoryPointersAreRefused() {
        FlatGuest guest = FlatGuest.protectedMode();
        guest.cpu.cr4 = Cpu.CR4_PAE;
        guest.memory.store(0x300, 8, 0x20001);
        guest.memory.store(0x308, 8, 0x20001 | 2);
        guest.cpu.cr3 = 0x300;
        refuseControl(guest, CR0, Cpu.CR0_PE | Cpu.CR0_PG);
        assertEquals(0, guest.cpu.cr0 & Cpu.CR0_PG);
        guest.memory.store(0x308, 8, 0x20002);
        setControl(guest, CR0, Cpu.CR0_PE | Cpu.CR0_PG);
        guest.memory.store(0x308, 8, 0x20001 | 2);
        refuseControl(guest, CR3, 0x300);
        setControl(guest, CR3, 0x320);
        assertEquals(0x320, guest.cpu.cr3);
    }

    @Test
    void processContexts() {
        FlatGuest guest = FlatGuest.longMode();
        Cpu cpu = guest.cpu;
        cpu.cr3 |= 8;
        refuseControl(guest, CR4, Cpu.CR4_PAE | Cpu.CR4_PCIDE); // a PCID is there already
        cpu.cr3 &= ~8L;
        refuseControl(guest, CR3, FlatGuest.PML4 | 1L << 63);
        setControl(guest, CR4, Cpu.CR4_PAE | Cpu.CR4_PCIDE);
        int generation = cpu.mmu.generation();
        setControl(guest, CR3, FlatGuest.PML4 | 5 | 1L << 63);
        assertEquals(FlatGuest.PML4 | 5, cpu.cr3);
        assertFalse(generation == cpu.mmu.generation());
        guest.memory.store(0x300, 8, 5);
        guest.memory.store(0x308, 8, 0x1000);
        cpu.r[Cpu.RAX] = 0x300;
        for (int type = 0; type < 4; type++) {
            cpu.r[Cpu.RBX] = type;
            guest.execute(0x66, 0x0f, 0x38, 0x82, 0x18);
        }
        cpu.r[Cpu.RBX] = 4;
        expect(guest, CpuFault.GP, 0, 0x66, 0x0f, 0x38, 0x82, 0x18);
    }

    @Test
    void taskPriorityIsThePlatforms() {
        FlatGuest guest = FlatGuest.longMode();
        guest.cpu.r[Cpu.RAX] = 9;
        guest.execute(0x44, 0x0f, 0x22, 0xc0);
        assertEquals(9, guest.platform.priority);
        guest.execute(0x44, 0x0f, 0x20, 0xc3);
        assertEquals(9, guest.cpu.r[Cpu.RBX]);
        guest.cpu.r[Cpu.RAX] = 16;
        expect(guest, CpuFault.GP, 0, 0x44, 0x0f, 0x22, 0xc0);
    }

    @Test
    void debugRegisters() {
        FlatGuest guest = FlatGuest.longMode();
        Cpu cpu = guest.cpu;
        cpu.r[Cpu.RAX] = 0xffffffffL;
        guest.execute(0x0f, 0x23, 0xe8); // DR5 stands for DR7
        assertEquals(0xffff27ffL, cpu.dr[7]);
        expect(guest, CpuFault.DB, 0, 0x0f, 0x21, 0xf0);
        assertEquals(Debug.DR6_BD, cpu.dr[6] & Debug.DR6_BD);
        guest.gate64(CpuFault.DB, FlatGuest.CODE64, 0x7000, 14, 0, 0);
        guest.step(0x0f, 0x21, 0xf0);
        assertEquals(FlatGuest.CODE + 3, guest.stack(0, 8));
        cpu.cr4 |= Cpu.CR4_DE;
        expect(guest, CpuFault.UD, 0, 0x0f, 0x23, 0xe8);
        cpu.r[Cpu.RAX] = 1L << 32;
        expect(guest, CpuFault.GP, 0, 0x0f, 0x23, 0xf8);
    }

    @Test
    void modelSpecificRegisters() {
        FlatGuest guest = FlatGuest.longMode();
        writeMsr(guest, Msrs.LSTAR, 0xffffffff81000000L);
        assertEquals(0xffffffff81000000L, readMsr(guest, Msrs.LSTAR));
        for (int canonical : new int[] {Msrs.LSTAR, Msrs.FS_BASE, Msrs.KERNEL_GS_BASE, Msrs.SYSENTER_EIP}) {
            assertThrows(CpuFault.class, () -> writeMsr(guest, canonical, 1L << 50));
        }
        assertEquals(Msrs.PAT_RESET, readMsr(guest, Msrs.PAT));
        assertThrows(CpuFault.class, () -> writeMsr(guest, Msrs.PAT, 2));
        assertThrows(CpuFault.class, () -> writeMsr(guest, Msrs.EFER, 1 << 12));
        assertThrows(CpuFault.class, () -> readMsr(guest, 0x48)); // SPEC_CTRL is not enumerated
        writeMsr(guest, Msrs.TSC, 5000);
        assertEquals(5000, guest.platform.tsc);
        assertEquals(4000, readMsr(guest, Msrs.TSC_ADJUST));
        writeMsr(guest, Msrs.TSC_ADJUST, 0);
        assertEquals(1000, guest.platform.tsc);
        writeMsr(guest, Msrs.TSC_DEADLINE, 77);
        assertEquals(77, readMsr(guest, Msrs.TSC_DEADLINE));
        assertEquals(0xc06 & ~0x400, readMsr(guest, Msrs.MTRR_DEF_TYPE));
        writeMsr(guest, Msrs.MTRR_PHYSBASE0 + 15, 0x3fffc0000800L);
        assertEquals(0x3fffc0000800L, readMsr(guest, Msrs.MTRR_PHYSBASE0 + 15));
        assertThrows(CpuFault.class, () -> writeMsr(guest, Msrs.MTRR_PHYSBASE0, 2));
        writeMsr(guest, Msrs.FS_BASE, 0x1234);
        guest.cpu.segmentBase[Cpu.GS] = 0x99;
        writeMsr(guest, Msrs.KERNEL_GS_BASE, 0x77);
        guest.execute(0x0f, 0x01, 0xf8); // SWAPGS
        assertEquals(0x77, readMsr(guest, Msrs.GS_BASE));
        assertEquals(0x99, readMsr(guest, Msrs.KERNEL_GS_BASE));
    }

    @Test
    void interruptFlag() {
        FlatGuest guest = FlatGuest.longMode();
        Cpu cpu = guest.cpu;
        cpu.interruptWindow = true;
        guest.execute(0xfb);
        assertTrue(cpu.interruptShadow);
        assertTrue(cpu.attention());
        assertEquals(Cpu.IF, cpu.systemFlags & Cpu.IF);
        cpu.interruptShadow = false;
        cpu.clearAttention();
        guest.execute(0xfb);
        assertFalse(cpu.interruptShadow);
        assertFalse(cpu.attention());
        guest.execute(0xfa);
        assertEquals(0, cpu.systemFlags & Cpu.IF);
        guest.execute(0xf4);
        assertTrue(cpu.halted);
        assertTrue(cpu.attention());
        assertEquals(FlatGuest.CODE + 4, cpu.r[Cpu.RIP]);
        FlatGuest user = FlatGuest.userMode();
        expect(user, CpuFault.GP, 0, 0xfa);
        expect(user, CpuFault.GP, 0, 0xf4);
        user.cpu.cr4 |= Cpu.CR4_PVI;
        user.execute(0xfb);
        assertEquals(Cpu.VIF, user.cpu.systemFlags);
    }

    @Test
    void portsFollowTheMap() {
        FlatGuest guest = FlatGuest.userMode();
        guest.cpu.r[Cpu.RAX] = 0x41;
        guest.memory.store(FlatGuest.TSS + 0x68 + 0x3f8 / 8, 1, 0xfe);
        guest.cpu.r[Cpu.RDX] = 0x3f8;
        guest.execute(0xee);
        assertEquals(0x41, guest.platform.ports.get(0x3f8));
        expect(guest, CpuFault.GP, 0, 0xef); // four bytes reach beyond
        guest.cpu.r[Cpu.RDX] = 0xffff;
        expect(guest, CpuFault.GP, 0, 0xec); // beyond the limit
        guest.cpu.systemFlags |= Cpu.IOPL;
        guest.execute(0xec);
        assertEquals(0xff, guest.cpu.r[Cpu.RAX]);
        guest.execute(0xe5, 0x80);
        assertEquals(0xffffffffL, guest.cpu.r[Cpu.RAX]);
    }

    @Test
    void userModeInstructionPrevention() {
        FlatGuest guest = FlatGuest.userMode();
        guest.cpu.r[Cpu.RAX] = 0x300;
        guest.execute(0x0f, 0x01, 0x00); // SGDT
        assertEquals(0xff, guest.memory.load(0x300, 2));
        assertEquals(FlatGuest.GDT, guest.memory.load(0x302, 8));
        guest.cpu.cr4 |= Cpu.CR4_UMIP;
        expect(guest, CpuFault.GP, 0, 0x0f, 0x01, 0x00);
        expect(guest, CpuFault.GP, 0, 0x0f, 0x00, 0xc8); // STR
    }

    @Test
    void baseInstructions() {
        FlatGuest guest = FlatGuest.userMode();
        expect(guest, CpuFault.UD, 0, 0xf3, 0x48, 0x0f, 0xae, 0xd0);
        guest.cpu.cr4 |= Cpu.CR4_FSGSBASE;
        guest.cpu.r[Cpu.RAX] = 0x7fff12345678L;
        guest.execute(0xf3, 0x48, 0x0f, 0xae, 0xd0);
        assertEquals(0x7fff12345678L, guest.cpu.segmentBase[Cpu.FS]);
        guest.execute(0xf3, 0x0f, 0xae, 0xc1); // RDFSBASE ECX
        assertEquals(0x12345678L, guest.cpu.r[Cpu.RCX]);
        guest.cpu.r[Cpu.RAX] = 1L << 47;
        expect(guest, CpuFault.GP, 0, 0xf3, 0x48, 0x0f, 0xae, 0xd8);
    }

    @Test
    void timeStampAndHypercall() {
        FlatGuest guest = FlatGuest.userMode();
        guest.platform.tsc = 0x1_2345_6789L;
        guest.execute(0x0f, 0x31);
        assertEquals(1, guest.cpu.r[Cpu.RDX]);
        assertEquals(0x23456789L, guest.cpu.r[Cpu.RAX]);
        guest.cpu.tscAux = 3;
        guest.execute(0x0f, 0x01, 0xf9);
        assertEquals(3, guest.cpu.r[Cpu.RCX]);
        guest.cpu.cr4 |= Cpu.CR4_TSD;
        expect(guest, CpuFault.GP, 0, 0x0f, 0x31);
        guest.execute(0x0f, 0x01, 0xc1);
        assertEquals(-1, guest.cpu.r[Cpu.RAX]);
        expect(guest, CpuFault.UD, 0, 0x0f, 0x01, 0xca); // CLAC
    }

    @Test
    void randomNumbersDiffer() {
        FlatGuest guest = FlatGuest.userMode();
        guest.execute(0x48, 0x0f, 0xc7, 0xf0);
        long first = guest.cpu.r[Cpu.RAX];
        assertTrue(guest.cpu.cf());
        guest.execute(0x48, 0x0f, 0xc7, 0xf8);
        assertFalse(first == guest.cpu.r[Cpu.RAX]);
    }
}
