package dev.multivisor.engine.cpu.fpu;

import static dev.multivisor.engine.cpu.fpu.FpuGuest.CODE;
import static dev.multivisor.engine.cpu.fpu.FpuGuest.DATA;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.multivisor.engine.cpu.Cpu;
import dev.multivisor.engine.cpu.CpuFault;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

class EnvironmentTest {
    private final FpuGuest guest = new FpuGuest();
    private final Cpu cpu = guest.cpu;

    /** Fills three registers. */
    private void work() {
        cpu.selector[Cpu.CS] = 0x10;
        cpu.selector[Cpu.DS] = 0x18;
        guest.push(0).push("7fffc000000000000001").push(1);
        cpu.fpuOpcode = 0x123;
    }

    @Test
    void theWholeStateIsSavedAndRestored() {
        for (String[] forms : new String[][] {{"dd36", "dd26"}, {"66dd36", "66dd26"}}) {
            guest.run("dbe3");
            work();
            cpu.fpuStatus |= 0x4500;
            long[] significands = cpu.stSignificand.clone();
            int[] exponents = cpu.stExponent.clone();
            int status = cpu.fpuStatus;
            int tags = cpu.fpuTags;
            guest.run(forms[0]); // fnsave
            assertEquals(0x37f, cpu.fpuControl);
            assertEquals(0, cpu.fpuStatus);
            assertEquals(0, cpu.fpuTags);
            Arrays.fill(cpu.stSignificand, 7);
            guest.run(forms[1]); // frstor
            assertArrayEquals(significands, cpu.stSignificand);
            assertArrayEquals(exponents, cpu.stExponent);
            assertEquals(status, cpu.fpuStatus);
            assertEquals(tags, cpu.fpuTags);
            assertEquals(0x18, cpu.fpuDs);
        }
    }

    @Test
    void protectedModeEnvironment() {
        work();
        guest.run("d936"); // fnstenv
        assertEquals(0xffff037fL, guest.mmu.load32(DATA));
        assertEquals(0xffff0000L | 5 << 11, guest.mmu.load32(DATA + 4));
        // Registers 7 (zero), 6 (NaN) and 5 (valid) are in use.
        assertEquals(0xffff0000L | 0b01_10_00_11_11_11_11_11, guest.mmu.load32(DATA + 8));
        assertEquals(CODE, guest.mmu.load32(DATA + 12));
        assertEquals(0x1230010, guest.mmu.load32(DATA + 16));
        assertEquals(DATA, guest.mmu.load32(DATA + 20));
        assertEquals(0xffff0018L, guest.mmu.load32(DATA + 24));
        guest.run("66d936");
        assertEquals(0x37f, guest.mmu.load16(DATA));
        assertEquals(0b01_10_00_11_11_11_11_11, guest.mmu.load16(DATA + 4));
        assertEquals(CODE, guest.mmu.load16(DATA + 6));
        assertEquals(0x10, guest.mmu.load16(DATA + 8));
        assertEquals(DATA, guest.mmu.load16(DATA + 10));
        assertEquals(0x18, guest.mmu.load16(DATA + 12));
    }

    @Test
    void realModeEnvironment() {
        work();
        cpu.fpuCs = 0x8765;
        cpu.fpuIp = 0x4321;
        cpu.fpuDs = 0xf000;
        cpu.fpuDp = 0xfff0;
        cpu.codeSize = 16;
        cpu.cr0 &= ~Cpu.CR0_PE;
        cpu.segmentLimit[Cpu.DS] = 0xffff;
        guest.run("d934"); // fnstenv [si]
        assertEquals(0x8765 * 16 + 0x4321 & 0xffff, guest.mmu.load16(DATA + 6));
        assertEquals(0x8123, guest.mmu.load16(DATA + 8));
        assertEquals(0xfff0, guest.mmu.load16(DATA + 10));
        assertEquals(0xf000, guest.mmu.load16(DATA + 12));
        guest.run("d924"); // fldenv [si]
        assertEquals(0x8765 * 16 + 0x4321, cpu.fpuIp);
        assertEquals(0xffff0, cpu.fpuDp);
        assertEquals(0x123, cpu.fpuOpcode);
        guest.run("66d934");
        assertEquals(0x8765 * 16 + 0x4321 & 0xffff | 0xffff0000L, guest.mmu.load32(DATA + 12));
        assertEquals(0x8 << 12 | 0x123, guest.mmu.load32(DATA + 16));
    }

    @Test
    void storingTheEnvironmentMasksExceptions() {
        guest.control(0x340);
        guest.run("d936");
        assertEquals(0xffff0340L, guest.mmu.load32(DATA));
        assertEquals(0x37f, cpu.fpuControl);
    }

    @Test
    void pendingExceptionsAreRaisedByTheNextWaitingInstruction() {
        guest.control(0x37b);
        guest.push(1).push(0).run("def9");
        for (String waiting : new String[] {"9b", "d9e8", "d9d0", "d92e"}) {
            assertEquals(CpuFault.MF, assertThrows(CpuFault.class, () -> guest.run(waiting)).vector, waiting);
        }
        guest.run("dfe0"); // fnstsw ax
        assertEquals(cpu.fpuStatus, cpu.r[Cpu.RAX]);
        guest.run("d93e", "dbe4", "dbe2", "9b"); // fnstcw, fnsetpm, fnclex, fwait
        assertEquals(0, guest.exceptions());
        // Unmasking what is set raises it, too.
        cpu.fpuStatus |= 4;
        guest.control(0x37b);
        assertEquals(CpuFault.MF, assertThrows(CpuFault.class, () -> guest.run("9b")).vector);
    }

    @Test
    void theFpuCanBeAbsentOrAnothersTask() {
        cpu.cr0 |= Cpu.CR0_TS;
        assertEquals(CpuFault.NM, assertThrows(CpuFault.class, () -> guest.run("dbe3")).vector);
        guest.run("9b");
        cpu.cr0 |= Cpu.CR0_MP;
        assertEquals(CpuFault.NM, assertThrows(CpuFault.class, () -> guest.run("9b")).vector);
        cpu.cr0 = Cpu.CR0_PE | Cpu.CR0_EM;
        assertEquals(CpuFault.NM, assertThrows(CpuFault.class, () -> guest.run("d9e8")).vector);
        guest.run("9b");
    }

    @Test
    void fxsaveSeesTheSameState() {
        work();
        cpu.cr4 |= Cpu.CR4_OSFXSR;
        guest.run("0fae06"); // fxsave
        assertEquals(0x37f, guest.mmu.load16(DATA));
        assertEquals(5 << 11, guest.mmu.load16(DATA + 2));
        assertEquals(0b11100000, guest.mmu.load16(DATA + 4));
        assertEquals(1L << 63, guest.mmu.load64(DATA + 32));
        assertEquals(0x3fff, guest.mmu.load16(DATA + 40));
        guest.run("dbe3", "0fae0e"); // fxrstor
        assertEquals("3fff8000000000000000", guest.st(0));
        assertEquals("7fffc000000000000001", guest.st(1));
    }

    @Test
    void theStackPointerMoves() {
        guest.push(1).run("d9f7"); // fincstp
        assertEquals(0, cpu.fpuStatus >> 11);
        guest.run("d9f6", "ddc0"); // fdecstp, ffree
        assertEquals(7, cpu.fpuStatus >> 11);
        assertEquals(0, cpu.fpuTags);
        guest.run("dfc0"); // ffreep
        assertEquals(0, cpu.fpuStatus >> 11);
    }
}
