package dev.multivisor.engine.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

/** Intel SDM vol. 3, 5.8; vol. 2, JMP, CALL, RET, IRET, SYSCALL and SYSENTER. */
class FarTransferTest {
    private static void expect(FlatGuest guest, int vector, int code, int... bytes) {
        long[] before = guest.cpu.r.clone();
        CpuFault fault = assertThrows(CpuFault.class, () -> guest.execute(bytes));
        assertEquals(vector, fault.vector, "vector");
        assertEquals(code, fault.errorCode, "error code");
        for (int n = 0; n < before.length; n++) {
            assertEquals(before[n], guest.cpu.r[n], "register " + n);
        }
    }

    /** A call gate at {@link FlatGuest#GATE}. */
    private static void callGate(FlatGuest guest, int selector, int offset, int type, int dpl, int parameters) {
        long high = offset & 0xffff0000L | 0x8000 | dpl << 13 | type << 8 | parameters;
        guest.memory.store(FlatGuest.GDT + FlatGuest.GATE, 8, high << 32 | (long) selector << 16 | offset & 0xffff);
        guest.memory.store(FlatGuest.GDT + FlatGuest.GATE + 8, 8, 0);
    }

    @Test
    void directJumpAndCall() {
        FlatGuest guest = FlatGuest.protectedMode();
        guest.step(0xea, 0, 0x70, 0, 0, FlatGuest.CODE16, 0);
        assertEquals(16, guest.cpu.codeSize);
        assertEquals(0x7000, guest.cpu.r[Cpu.RIP]);
        // 66 CALL ptr16:32, then 66 RET far
        guest.step(0x66, 0x9a, 0, 0x71, 0, 0, FlatGuest.CODE0, 0);
        assertEquals(32, guest.cpu.codeSize);
        assertEquals(0x7100, guest.cpu.r[Cpu.RIP]);
        assertEquals(0x7008, guest.stack(0, 4));
        guest.step(0xcb);
        assertEquals(16, guest.cpu.codeSize);
        assertEquals(FlatGuest.STACK0, guest.cpu.r[Cpu.RSP]);
        assertEquals(0x7008, guest.cpu.r[Cpu.RIP]);
    }

    @Test
    void directJumpChecks() {
        FlatGuest guest = FlatGuest.protectedMode();
        expect(guest, CpuFault.GP, 0, 0xea, 0, 0, 0, 0, 3, 0);
        expect(guest, CpuFault.GP, FlatGuest.DATA0, 0xea, 0, 0, 0, 0, FlatGuest.DATA0, 0);
        expect(guest, CpuFault.GP, FlatGuest.CODE3 & ~3, 0xea, 0, 0, 0, 0, FlatGuest.CODE3, 0);
        expect(guest, CpuFault.GP, 0x100, 0xea, 0, 0, 0, 0, 0, 1);
        expect(guest, CpuFault.GP, 0, 0xea, 0, 0, 1, 0, FlatGuest.CODE16, 0);
        guest.descriptor(FlatGuest.CODE16, 0, 0xffff, 0x1b);
        expect(guest, CpuFault.NP, FlatGuest.CODE16, 0xea, 0, 0, 0, 0, FlatGuest.CODE16, 0);
        guest.enter(FlatGuest.CODE3, FlatGuest.DATA3, 3);
        guest.step(0xea, 0, 0x70, 0, 0, FlatGuest.CONFORMING, 0);
        assertEquals(3, guest.cpu.cpl);
        assertEquals(FlatGuest.CONFORMING | 3, guest.cpu.selector[Cpu.CS]);
    }

    @Test
    void callGateCopiesParametersAndReturnDropsThem() {
        FlatGuest guest = FlatGuest.protectedMode();
        Cpu cpu = guest.cpu;
        guest.enter(FlatGuest.CODE3, FlatGuest.DATA3, 3);
        cpu.segmentBase[Cpu.DS] = 0;
        callGate(guest, FlatGuest.CODE0, 0x7000, 12, 3, 2);
        guest.push(4, 0x2222);
        guest.push(4, 0x1111);
        guest.step(0x9a, 0, 0, 0, 0, FlatGuest.GATE | 3, 0);
        assertEquals(0, cpu.cpl);
        assertEquals(0x7000, cpu.r[Cpu.RIP]);
        assertEquals(FlatGuest.STACK0 - 24, cpu.r[Cpu.RSP]);
        assertEquals(FlatGuest.CODE + 7, guest.stack(0, 4));
        assertEquals(FlatGuest.CODE3, guest.stack(1, 4));
        assertEquals(0x1111, guest.stack(2, 4));
        assertEquals(0x2222, guest.stack(3, 4));
        assertEquals(FlatGuest.STACK3 - 8, guest.stack(4, 4));
        assertEquals(FlatGuest.DATA3, guest.stack(5, 4));
        guest.step(0x8e, 0xd8); // DS from AX
        cpu.r[Cpu.RAX] = FlatGuest.DATA0;
        guest.step(0x8e, 0xd8);
        guest.step(0xca, 8, 0);
        assertEquals(3, cpu.cpl);
        assertEquals(FlatGuest.STACK3, cpu.r[Cpu.RSP]);
        assertEquals(FlatGuest.CODE + 7, cpu.r[Cpu.RIP]);
        assertEquals(0, cpu.selector[Cpu.DS]); // inner data is taken away
        assertEquals(FlatGuest.DATA3, cpu.selector[Cpu.ES]);
    }

    @Test
    void callGateOf64Bits() {
        FlatGuest guest = FlatGuest.userMode();
        callGate(guest, FlatGuest.CODE64, 0x7000, 12, 3, 0);
        guest.memory.store(0x300, 4, 0);
        guest.memory.store(0x304, 2, FlatGuest.GATE);
        guest.cpu.r[Cpu.RAX] = 0x300;
        guest.step(0xff, 0x18); // CALL far [RAX]
        assertEquals(0, guest.cpu.cpl);
        assertEquals(FlatGuest.STACK0 - 32, guest.cpu.r[Cpu.RSP]);
        assertEquals(FlatGuest.STACK3, guest.stack(2, 8));
        assertEquals(0, guest.cpu.selector[Cpu.SS]);
        guest.step(0x48, 0xcb);
        assertEquals(3, guest.cpu.cpl);
        assertEquals(FlatGuest.STACK3, guest.cpu.r[Cpu.RSP]);
        assertEquals(FlatGuest.CODE + 2, guest.cpu.r[Cpu.RIP]);
    }

    @Test
    void interruptReturnChecks() {
        FlatGuest guest = FlatGuest.longMode();
        long[] frame = {FlatGuest.DATA3, FlatGuest.STACK3, 2, FlatGuest.CODE64_3, 0x800000000000L};
        for (long value : frame) {
            guest.push(8, value);
        }
        expect(guest, CpuFault.GP, 0, 0x48, 0xcf); // not canonical
        guest.memory.store(guest.cpu.r[Cpu.RSP], 8, 0x7000);
        guest.memory.store(guest.cpu.r[Cpu.RSP] + 32, 8, 3);
        expect(guest, CpuFault.GP, 0, 0x48, 0xcf); // null SS at level 3
        guest.memory.store(guest.cpu.r[Cpu.RSP] + 32, 8, FlatGuest.DATA0);
        expect(guest, CpuFault.GP, FlatGuest.DATA0, 0x48, 0xcf);
        guest.cpu.systemFlags |= Cpu.NT;
        expect(guest, CpuFault.GP, 0, 0x48, 0xcf);
        guest.cpu.systemFlags &= ~Cpu.NT;
        guest.memory.store(guest.cpu.r[Cpu.RSP] + 32, 8, FlatGuest.DATA3);
        guest.step(0x48, 0xcf);
        assertEquals(3, guest.cpu.cpl);
        assertEquals(FlatGuest.CODE64_3, guest.cpu.selector[Cpu.CS]);
    }

    @Test
    void interruptReturnToCompatibilityMode() {
        FlatGuest guest = FlatGuest.longMode();
        for (long value : new long[] {FlatGuest.DATA3, 0x1_0000_a000L, 2, FlatGuest.CODE3, 0x7000}) {
            guest.push(8, value);
        }
        guest.step(0x48, 0xcf);
        assertEquals(32, guest.cpu.codeSize);
        assertEquals(0xa000, guest.cpu.r[Cpu.RSP]);
        // and back by an interrupt
        guest.gate64(0x80, FlatGuest.CODE64, 0x7800, 14, 3, 0);
        guest.step(0xcd, 0x80);
        assertEquals(64, guest.cpu.codeSize);
        assertEquals(0x7002, guest.stack(0, 8));
        assertEquals(FlatGuest.CODE3, guest.stack(1, 8));
    }

    @Test
    void userCannotRaiseFlagsWithInterruptReturn() {
        FlatGuest guest = FlatGuest.userMode();
        guest.cpu.setFlags(2 | Cpu.IF);
        long flags = 2 | Cpu.IOPL | Cpu.AC | Cpu.VIP | Cpu.CF;
        for (long value : new long[] {FlatGuest.DATA3, FlatGuest.STACK3, flags, FlatGuest.CODE64_3, 0x7000}) {
            guest.push(8, value);
        }
        guest.step(0x48, 0xcf);
        assertEquals(2 | Cpu.IF | Cpu.AC | Cpu.CF, guest.cpu.flags());
    }

    @Test
    void systemCallAndReturn() {
        FlatGuest guest = FlatGuest.userMode();
        Cpu cpu = guest.cpu;
        cpu.star = 0x0018_0008L << 32;
        cpu.lstar = 0xffffffff81000000L;
        cpu.sfmask = Cpu.IF | Cpu.TF | Cpu.DF;
        cpu.setFlags(2 | Cpu.IF | Cpu.ZF);
        guest.step(0x0f, 0x05);
        assertEquals(0, cpu.cpl);
        assertEquals(0xffffffff81000000L, cpu.r[Cpu.RIP]);
        assertEquals(FlatGuest.CODE + 2, cpu.r[Cpu.RCX]);
        assertEquals(2 | Cpu.IF | Cpu.ZF, cpu.r[11]);
        assertEquals(2 | Cpu.ZF, cpu.flags());
        assertEquals(0x08, cpu.selector[Cpu.CS]);
        assertEquals(0x10, cpu.selector[Cpu.SS]);
        assertEquals(FlatGuest.STACK3, cpu.r[Cpu.RSP]);
        guest.step(0x48, 0x0f, 0x07);
        assertEquals(3, cpu.cpl);
        assertEquals(0x2b, cpu.selector[Cpu.CS]);
        assertEquals(0x23, cpu.selector[Cpu.SS]);
        assertEquals(64, cpu.codeSize);
        assertEquals(FlatGuest.CODE + 2, cpu.r[Cpu.RIP]);
        assertEquals(2 | Cpu.IF | Cpu.ZF, cpu.flags());
    }

    @Test
    void systemReturnToCompatibilityMode() {
        FlatGuest guest = FlatGuest.longMode();
        guest.cpu.star = 0x0018_0008L << 32;
        guest.cpu.r[Cpu.RCX] = 0x1_0000_7000L;
        guest.cpu.r[11] = Cpu.VM | Cpu.RF | Cpu.CF;
        guest.step(0x0f, 0x07);
        assertEquals(32, guest.cpu.codeSize);
        assertEquals(0x1b, guest.cpu.selector[Cpu.CS]);
        assertEquals(0x7000, guest.cpu.r[Cpu.RIP]);
        assertEquals(2 | Cpu.CF, guest.cpu.flags());
        expect(guest, CpuFault.UD, 0, 0x0f, 0x05); // as Intel: 64-bit mode only
    }

    @Test
    void systemCallNeedsItsEnableBitAndReturnACanonicalAddress() {
        FlatGuest guest = FlatGuest.longMode();
        guest.cpu.r[Cpu.RCX] = 0x800000000000L;
        expect(guest, CpuFault.GP, 0, 0x48, 0x0f, 0x07);
        guest.cpu.efer &= ~Cpu.EFER_SCE;
        expect(guest, CpuFault.UD, 0, 0x0f, 0x05);
    }

    @Test
    void sysenterAndSysexit() {
        FlatGuest guest = FlatGuest.protectedMode();
        Cpu cpu = guest.cpu;
        guest.enter(FlatGuest.CODE3, FlatGuest.DATA3, 3);
        expect(guest, CpuFault.GP, 0, 0x0f, 0x34);
        cpu.sysenterCs = FlatGuest.CODE0;
        cpu.sysenterEip = 0x7000;
        cpu.sysenterEsp = 0x8800;
        cpu.setFlags(2 | Cpu.IF);
        guest.step(0x0f, 0x34);
        assertEquals(0, cpu.cpl);
        assertEquals(0x7000, cpu.r[Cpu.RIP]);
        assertEquals(0x8800, cpu.r[Cpu.RSP]);
        assertEquals(2, cpu.flags());
        cpu.r[Cpu.RDX] = 0x7100;
        cpu.r[Cpu.RCX] = 0x8900;
        guest.step(0x0f, 0x35);
        assertEquals(3, cpu.cpl);
        assertEquals(FlatGuest.CODE3, cpu.selector[Cpu.CS]);
        assertEquals(FlatGuest.DATA3, cpu.selector[Cpu.SS]);
        assertEquals(0x7100, cpu.r[Cpu.RIP]);
        assertEquals(0x8900, cpu.r[Cpu.RSP]);
    }

    @Test
    void returnToAnInnerLevelIsRefused() {
        FlatGuest guest = FlatGuest.protectedMode();
        guest.enter(FlatGuest.CODE3, FlatGuest.DATA3, 3);
        guest.push(4, FlatGuest.CODE0);
        guest.push(4, 0x7000);
        expect(guest, CpuFault.GP, FlatGuest.CODE0, 0xcb);
        assertTrue(guest.cpu.cpl == 3);
    }
}
