package dev.multivisor.engine.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

/** Intel SDM vol. 3, chapter 6. */
class ExceptionsTest {
    private static final int INTERRUPT = 14, TRAP = 15;

    private static void raise(FlatGuest guest, int vector, int code) {
        Exceptions.deliver(guest.cpu, guest.cpu.fault(vector, code));
    }

    @Test
    void realModeUsesTheVectorTable() {
        FlatGuest guest = new FlatGuest();
        Cpu cpu = guest.cpu;
        cpu.selector[Cpu.CS] = 0x600;
        cpu.segmentBase[Cpu.CS] = 0x6000;
        cpu.r[Cpu.RIP] = 0x10;
        cpu.r[Cpu.RSP] = 0x9000;
        cpu.setFlags(2 | Cpu.IF | Cpu.CF | Cpu.TF);
        guest.memory.store(0x21 * 4, 4, 0x07000123);
        guest.step(0xcd, 0x21);
        assertEquals(0x123, cpu.r[Cpu.RIP]);
        assertEquals(0x7000, cpu.segmentBase[Cpu.CS]);
        assertEquals(0x9000 - 6, cpu.r[Cpu.RSP]);
        assertEquals(0x12, guest.stack(0, 2));
        assertEquals(0x600, guest.stack(1, 2));
        assertEquals(2 | Cpu.IF | Cpu.CF | Cpu.TF, guest.stack(2, 2));
        assertEquals(2 | Cpu.CF, cpu.flags());
        guest.step(0xcf);
        assertEquals(0x12, cpu.r[Cpu.RIP]);
        assertEquals(0x600, cpu.selector[Cpu.CS]);
        assertEquals(2 | Cpu.IF | Cpu.CF | Cpu.TF, cpu.flags());
    }

    @Test
    void sameLevelPushesFlagsAndErrorCode() {
        FlatGuest guest = FlatGuest.protectedMode();
        guest.gate(CpuFault.GP, FlatGuest.CODE0, 0x7000, INTERRUPT, 0);
        guest.cpu.setFlags(2 | Cpu.IF | Cpu.ZF);
        raise(guest, CpuFault.GP, 0x1230);
        assertEquals(0x7000, guest.cpu.r[Cpu.RIP]);
        assertEquals(FlatGuest.STACK0 - 16, guest.cpu.r[Cpu.RSP]);
        assertEquals(0x1230, guest.stack(0, 4));
        assertEquals(FlatGuest.CODE, guest.stack(1, 4));
        assertEquals(FlatGuest.CODE0, guest.stack(2, 4));
        assertEquals(2 | Cpu.IF | Cpu.ZF | Cpu.RF, guest.stack(3, 4));
        assertEquals(2 | Cpu.ZF, guest.cpu.flags());
    }

    @Test
    void trapGateLeavesInterruptsOn() {
        FlatGuest guest = FlatGuest.protectedMode();
        guest.gate(CpuFault.BP, FlatGuest.CODE0, 0x7000, TRAP, 0);
        guest.cpu.setFlags(2 | Cpu.IF | Cpu.NT | Cpu.TF);
        guest.step(0xcc);
        assertEquals(2 | Cpu.IF, guest.cpu.flags());
        assertEquals(FlatGuest.CODE + 1, guest.stack(0, 4));
        assertEquals(2 | Cpu.IF | Cpu.NT | Cpu.TF, guest.stack(2, 4));
    }

    @Test
    void outerLevelGetsTheStackOfItsTask() {
        FlatGuest guest = FlatGuest.protectedMode();
        guest.enter(FlatGuest.CODE3, FlatGuest.DATA3, 3);
        guest.gate(0x80, FlatGuest.CODE0, 0x7000, INTERRUPT, 3);
        guest.step(0xcd, 0x80);
        Cpu cpu = guest.cpu;
        assertEquals(0, cpu.cpl);
        assertEquals(FlatGuest.DATA0, cpu.selector[Cpu.SS]);
        assertEquals(FlatGuest.STACK0 - 20, cpu.r[Cpu.RSP]);
        assertEquals(FlatGuest.CODE + 2, guest.stack(0, 4));
        assertEquals(FlatGuest.CODE3, guest.stack(1, 4));
        assertEquals(FlatGuest.STACK3, guest.stack(3, 4));
        assertEquals(FlatGuest.DATA3, guest.stack(4, 4));
        guest.step(0xcf);
        assertEquals(3, cpu.cpl);
        assertEquals(FlatGuest.STACK3, cpu.r[Cpu.RSP]);
        assertEquals(FlatGuest.DATA3, cpu.selector[Cpu.SS]);
        assertEquals(FlatGuest.CODE + 2, cpu.r[Cpu.RIP]);
    }

    @Test
    void softwareInterruptChecksTheGatesLevel() {
        FlatGuest guest = FlatGuest.protectedMode();
        guest.enter(FlatGuest.CODE3, FlatGuest.DATA3, 3);
        guest.gate(0x80, FlatGuest.CODE0, 0x7000, INTERRUPT, 0);
        CpuFault fault = assertThrows(CpuFault.class, () -> guest.execute(0xcd, 0x80));
        assertEquals(CpuFault.GP, fault.vector);
        assertEquals(0x80 * 8 + 2, fault.errorCode);
        // INT1 does not.
        guest.gate(CpuFault.DB, FlatGuest.CODE0, 0x7000, INTERRUPT, 0);
        guest.step(0xf1);
        assertEquals(0x7000, guest.cpu.r[Cpu.RIP]);
        assertEquals(FlatGuest.CODE + 1, guest.stack(0, 4));
    }

    @Test
    void absentGateIsNotPresentWithTheIdtBit() {
        FlatGuest guest = FlatGuest.protectedMode();
        guest.gate(CpuFault.NP, FlatGuest.CODE0, 0x7000, INTERRUPT, 0);
        guest.gate(0x40, FlatGuest.CODE0, 0x7100, INTERRUPT, 0);
        guest.memory.store(FlatGuest.IDT + 0x40 * 8 + 5, 1, INTERRUPT);
        Exceptions.interrupt(guest.cpu, 0x40);
        assertEquals(0x7000, guest.cpu.r[Cpu.RIP]);
        assertEquals(0x40 * 8 + 2 + 1, guest.stack(0, 4));
        assertEquals(FlatGuest.CODE, guest.stack(1, 4));
    }

    @Test
    void contributoryPairIsDoubleFault() {
        FlatGuest guest = FlatGuest.protectedMode();
        guest.gate(CpuFault.DF, FlatGuest.CODE0, 0x7000, INTERRUPT, 0);
        guest.gate(CpuFault.GP, 0xf8, 0x7100, INTERRUPT, 0); // no such segment: #GP
        raise(guest, CpuFault.GP, 0);
        assertEquals(0x7000, guest.cpu.r[Cpu.RIP]);
        assertEquals(0, guest.stack(0, 4));
        assertEquals(FlatGuest.CODE, guest.stack(1, 4));
        assertFalse(guest.cpu.shutdown);
    }

    @Test
    void benignFirstFaultIsDeliveredSerially() {
        FlatGuest guest = FlatGuest.protectedMode();
        guest.gate(CpuFault.GP, FlatGuest.CODE0, 0x7000, INTERRUPT, 0);
        raise(guest, CpuFault.UD, 0); // vector 6 has no gate
        assertEquals(0x7000, guest.cpu.r[Cpu.RIP]);
        assertEquals(CpuFault.UD * 8 + 2 + 1, guest.stack(0, 4));
    }

    @Test
    void tripleFaultShutsDown() {
        FlatGuest guest = FlatGuest.protectedMode();
        guest.cpu.idtrLimit = 0;
        long pointer = guest.cpu.r[Cpu.RSP];
        raise(guest, CpuFault.UD, 0);
        assertTrue(guest.cpu.shutdown);
        assertTrue(guest.cpu.attention());
        assertEquals(FlatGuest.CODE, guest.cpu.r[Cpu.RIP]);
        assertEquals(pointer, guest.cpu.r[Cpu.RSP]);
    }

    @Test
    void longModeAlignsTheStackAndPushesIt() {
        FlatGuest guest = FlatGuest.longMode();
        Cpu cpu = guest.cpu;
        cpu.r[Cpu.RSP] = FlatGuest.STACK0 - 5;
        guest.gate64(CpuFault.PF, FlatGuest.CODE64, 0x7000, INTERRUPT, 0, 0);
        Exceptions.deliver(cpu, cpu.pageFault(0xffff800000001234L, 2));
        assertEquals(0x7000, cpu.r[Cpu.RIP]);
        assertEquals(0xffff800000001234L, cpu.cr2);
        assertEquals(FlatGuest.STACK0 - 16 - 48, cpu.r[Cpu.RSP]);
        assertEquals(2, guest.stack(0, 8));
        assertEquals(FlatGuest.CODE, guest.stack(1, 8));
        assertEquals(FlatGuest.CODE64, guest.stack(2, 8));
        assertEquals(FlatGuest.STACK0 - 5, guest.stack(4, 8));
        assertEquals(FlatGuest.DATA0, guest.stack(5, 8));
        cpu.r[Cpu.RSP] += 8;
        guest.step(0x48, 0xcf);
        assertEquals(FlatGuest.STACK0 - 5, cpu.r[Cpu.RSP]);
        assertEquals(FlatGuest.CODE, cpu.r[Cpu.RIP]);
        assertEquals(FlatGuest.DATA0, cpu.selector[Cpu.SS]);
    }

    @Test
    void longModeFromUserLoadsANullStackSegment() {
        FlatGuest guest = FlatGuest.userMode();
        Cpu cpu = guest.cpu;
        cpu.setFlags(2 | Cpu.IF);
        guest.gate64(0x20, FlatGuest.CODE64, 0x7000, INTERRUPT, 0, 0);
        Exceptions.interrupt(cpu, 0x20);
        assertEquals(0, cpu.cpl);
        assertEquals(0, cpu.selector[Cpu.SS]);
        assertEquals(FlatGuest.STACK0 - 40, cpu.r[Cpu.RSP]);
        assertEquals(FlatGuest.DATA3, guest.stack(4, 8));
        guest.step(0x48, 0xcf);
        assertEquals(3, cpu.cpl);
        assertEquals(FlatGuest.STACK3, cpu.r[Cpu.RSP]);
        assertEquals(2 | Cpu.IF, cpu.flags());
    }

    @Test
    void interruptStackTableIsUsedAtTheSameLevel() {
        FlatGuest guest = FlatGuest.longMode();
        guest.gate64(CpuFault.NMI, FlatGuest.CODE64, 0x7000, INTERRUPT, 0, 2);
        Exceptions.nonMaskable(guest.cpu);
        assertEquals(FlatGuest.IST2 - 40, guest.cpu.r[Cpu.RSP]);
        assertTrue(guest.cpu.nmiBlocked);
        guest.step(0x48, 0xcf);
        assertFalse(guest.cpu.nmiBlocked);
        assertEquals(FlatGuest.STACK0, guest.cpu.r[Cpu.RSP]);
    }

    @Test
    void pageFaultOnTheStackIsDoubleFaultOnItsOwn() {
        FlatGuest guest = FlatGuest.longMode();
        Cpu cpu = guest.cpu;
        guest.gate64(CpuFault.PF, FlatGuest.CODE64, 0x7000, INTERRUPT, 0, 0);
        guest.gate64(CpuFault.DF, FlatGuest.CODE64, 0x7100, INTERRUPT, 0, 1);
        cpu.r[Cpu.RSP] = 0x40000000; // not mapped
        Exceptions.deliver(cpu, cpu.pageFault(0x50000000, 0));
        assertEquals(0x7100, cpu.r[Cpu.RIP]);
        assertEquals(FlatGuest.IST1 - 48, cpu.r[Cpu.RSP]);
        assertEquals(0, guest.stack(0, 8));
        assertEquals(0x40000000, guest.stack(4, 8));
        assertEquals(0x3ffffff8, cpu.cr2);
    }

    @Test
    void nonCanonicalStackIsStackFault() {
        FlatGuest guest = FlatGuest.longMode();
        guest.gate64(CpuFault.UD, FlatGuest.CODE64, 0x7000, INTERRUPT, 0, 0);
        guest.gate64(CpuFault.SS, FlatGuest.CODE64, 0x7100, INTERRUPT, 0, 1);
        guest.cpu.r[Cpu.RSP] = 0x800000000010L;
        raise(guest, CpuFault.UD, 0);
        assertEquals(0x7100, guest.cpu.r[Cpu.RIP]);
        assertEquals(1, guest.stack(0, 8)); // EXT
    }

    /** SDM vol. 3, 20.3.3.4: with CR4.VME and a clear bit of the map, INT stays in the program, and VIF is its IF. */
    @Test
    void virtual8086InterruptRedirected() {
        FlatGuest guest = FlatGuest.protectedMode();
        Cpu cpu = guest.cpu;
        cpu.cr4 |= Cpu.CR4_VME;
        guest.memory.store(FlatGuest.TSS + 0x66, 2, 0x88); // the map of 32 bytes lies before the ports'
        guest.memory.store(0x10 * 4, 4, 0x0700_0123);
        cpu.setFlags(2 | Cpu.VM | Cpu.IF | Cpu.VIF);
        Segmentation.loadVirtual(cpu, Cpu.CS, 0x600);
        Segmentation.loadVirtual(cpu, Cpu.SS, 0x900);
        cpu.cpl = 3;
        cpu.r[Cpu.RSP] = 0x80;
        cpu.r[Cpu.RIP] = 0x20;
        cpu.updateMode();
        guest.step(0xcd, 0x10);
        assertTrue(cpu.virtual8086());
        assertEquals(0x7000, cpu.segmentBase[Cpu.CS]);
        assertEquals(0x123, cpu.r[Cpu.RIP]);
        assertEquals(Cpu.VM | Cpu.IF, cpu.systemFlags);
        assertEquals(2 | Cpu.IF | Cpu.IOPL, guest.memory.load(0x907e, 2));
        guest.step(0xcf);
        assertEquals(0x22, cpu.r[Cpu.RIP]);
        assertEquals(Cpu.VM | Cpu.IF | Cpu.VIF, cpu.systemFlags);
    }

    @Test
    void virtual8086LeavesWithItsDataSegments() {
        FlatGuest guest = FlatGuest.protectedMode();
        Cpu cpu = guest.cpu;
        guest.gate(CpuFault.GP, FlatGuest.CODE0, 0x7000, INTERRUPT, 0);
        // IRETD to virtual-8086 mode
        for (int selector : new int[] {0x104, 0x103, 0x102, 0x101, 0x900}) {
            guest.push(4, selector);
        }
        guest.push(4, 0x80);
        guest.push(4, Cpu.VM | 2 | Cpu.IF);
        guest.push(4, 0x600);
        guest.push(4, 0x20);
        guest.step(0xcf);
        assertTrue(cpu.virtual8086());
        assertEquals(3, cpu.cpl);
        assertEquals(16, cpu.codeSize);
        assertEquals(0x6000, cpu.segmentBase[Cpu.CS]);
        assertEquals(0x1010, cpu.segmentBase[Cpu.ES]);
        assertEquals(0x1040, cpu.segmentBase[Cpu.GS]);
        assertEquals(0x80, cpu.r[Cpu.RSP]);
        // INT with IOPL 0 is #GP(0) in the monitor
        cpu.r[Cpu.RSP] = 0x80;
        guest.step(0xcd, 0x10);
        assertFalse(cpu.virtual8086());
        assertEquals(0, cpu.cpl);
        assertEquals(0x7000, cpu.r[Cpu.RIP]);
        assertEquals(FlatGuest.STACK0 - 40, cpu.r[Cpu.RSP]);
        assertEquals(0x20, guest.stack(1, 4));
        assertEquals(0x600, guest.stack(2, 4));
        assertEquals(0x900, guest.stack(5, 4));
        assertEquals(0x101, guest.stack(6, 4));
        assertEquals(0x104, guest.stack(9, 4));
        assertEquals(0, cpu.segmentAccess[Cpu.DS]);
    }
}
