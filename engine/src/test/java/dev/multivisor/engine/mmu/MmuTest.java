package dev.multivisor.engine.mmu;

import static dev.multivisor.engine.mmu.LongModeTables.GLOBAL;
import static dev.multivisor.engine.mmu.LongModeTables.LARGE;
import static dev.multivisor.engine.mmu.LongModeTables.NO_EXECUTE;
import static dev.multivisor.engine.mmu.LongModeTables.PRESENT;
import static dev.multivisor.engine.mmu.LongModeTables.USER;
import static dev.multivisor.engine.mmu.LongModeTables.WRITABLE;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.multivisor.api.EngineException;
import dev.multivisor.api.GuestMemory.Region;
import dev.multivisor.engine.cpu.Cpu;
import dev.multivisor.engine.cpu.CpuFault;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Rights, page-crossing, what the TLB may remember, alignment, breakpoints and runs, in 64-bit mode. */
class MmuTest {
    private static final long RW = PRESENT | WRITABLE;
    private static final long A = 0x7f_1234_5000L;
    private static final long B = 0xffff_8000_0000_0000L;
    private static final long FRAME = 0x80000;

    private final TestGuest guest = new TestGuest(4 << 20);
    private final PhysicalMemory memory = guest.memory;
    private final Cpu cpu = guest.cpu;
    private final Mmu mmu = guest.mmu;
    private final LongModeTables tables = new LongModeTables(memory);

    @Test
    void everyCombinationOfRightsFaultsAsTheManualSays() {
        for (int bits = 0; bits < 1 << 8; bits++) {
            boolean user = (bits & 1) != 0;
            boolean writable = (bits & 2) != 0;
            boolean noExecute = (bits & 4) != 0;
            boolean wp = (bits & 8) != 0;
            boolean smep = (bits & 16) != 0;
            boolean smap = (bits & 32) != 0;
            boolean ac = (bits & 64) != 0;
            boolean ring3 = (bits & 128) != 0;
            long flags = PRESENT | (user ? USER : 0) | (writable ? WRITABLE : 0) | (noExecute ? NO_EXECUTE : 0);
            tables.map(A, FRAME, flags);
            tables.enter(cpu, (smep ? Cpu.CR4_SMEP : 0) | (smap ? Cpu.CR4_SMAP : 0));
            cpu.cr0 = cpu.cr0 & ~Cpu.CR0_WP | (wp ? Cpu.CR0_WP : 0);
            cpu.systemFlags = ac ? Cpu.AC : 0;
            cpu.cpl = ring3 ? 3 : 0;
            cpu.updateMode();
            mmu.flushAll();
            int us = ring3 ? 4 : 0;
            boolean data = ring3 ? user : !user || !smap || ac;
            boolean read = data;
            boolean write = data && (writable || !ring3 && !wp);
            boolean fetch = !noExecute && (ring3 ? user : !user || !smep);
            String what = Integer.toBinaryString(bits);
            // Twice: the second time from the TLB.
            for (int n = 0; n < 2; n++) {
                assertEquals(read ? -1 : 1 | us, error(() -> mmu.load8(A)), what + " read");
                assertEquals(write ? -1 : 1 | 2 | us, error(() -> mmu.store8(A, 1)), what + " write");
                assertEquals(fetch ? -1 : 1 | 16 | us, error(() -> mmu.fetch(A)), what + " fetch");
                assertEquals(!user || !smap ? -1 : 1, error(() -> mmu.loadSystem(A, 1)), what + " implicit");
            }
        }
    }

    private int error(Runnable access) {
        try {
            access.run();
            return -1;
        } catch (CpuFault fault) {
            assertEquals(CpuFault.PF, fault.vector);
            assertEquals(A, fault.address);
            return fault.errorCode;
        }
    }

    @Test
    void anAccessAcrossPagesThatFaultsChangesNothing() {
        tables.map(A, FRAME, RW);
        tables.enter(cpu, 0);
        for (int offset = 4089; offset < 4096; offset++) {
            long at = A + offset;
            assertEquals(A + 4096, assertThrows(CpuFault.class, () -> mmu.store64(at, -1)).address);
            assertEquals(0, assertThrows(CpuFault.class, () -> mmu.load64(at)).errorCode);
            assertEquals(2, assertThrows(CpuFault.class, () -> mmu.loadForWrite(at, 8)).errorCode);
            assertEquals(2, assertThrows(CpuFault.class, () -> mmu.compareAndSet(at, 8, 0, -1)).errorCode);
        }
        assertEquals(0, memory.load(FRAME + 4088, 8));
        tables.map(A + 4096, FRAME + 0x5000, RW);
        for (int offset = 4089; offset < 4096; offset++) {
            long value = 0x1122334455667788L + offset;
            mmu.store64(A + offset, value);
            assertEquals(value, mmu.load64(A + offset));
            assertTrue(mmu.compareAndSet(A + offset, 8, value, ~value));
            assertFalse(mmu.compareAndSet(A + offset, 8, value, 0));
            assertEquals(~value, mmu.load64(A + offset));
        }
        assertEquals(~(0x1122334455667788L + 4095) >>> 8, memory.load(FRAME + 0x5000, 8) & -1L >>> 8);
    }

    @Test
    void addressesMustBeCanonical() {
        tables.enter(cpu, 0);
        for (long linear : new long[] {1L << 47, 0x7fff_ffff_fffcL, 0xffff_7fff_ffff_ffffL, 1L << 63}) {
            CpuFault fault = assertThrows(CpuFault.class, () -> mmu.load64(linear));
            assertEquals(CpuFault.GP, fault.vector);
            assertTrue(fault.nonCanonical);
            assertEquals(CpuFault.GP, assertThrows(CpuFault.class, () -> mmu.checkWrite(linear, 16)).vector);
        }
        assertEquals(CpuFault.GP, assertThrows(CpuFault.class, () -> mmu.fetch(1L << 47)).vector);
    }

    @Test
    void aPageIsDirtyOnlyOnceWritten() {
        long entry = tables.map(A, FRAME, RW);
        tables.enter(cpu, 0);
        mmu.load8(A);
        assertEquals(0x20, memory.load(entry, 1) & 0x60);
        mmu.store8(A + 1, 1);
        assertEquals(0x60, memory.load(entry, 1) & 0x60);
    }

    @Test
    void translationsStayUntilFlushed() {
        tables.map(A, FRAME, RW);
        tables.map(B, FRAME + 0x1000, RW | GLOBAL);
        tables.enter(cpu, 0);
        memory.store(FRAME, 8, 11);
        memory.store(FRAME + 0x1000, 8, 22);
        memory.store(FRAME + 0x2000, 8, 33);
        assertEquals(11, mmu.load64(A));
        assertEquals(22, mmu.load64(B));
        tables.map(A, FRAME + 0x2000, RW);
        tables.map(B, FRAME + 0x2000, RW | GLOBAL);
        assertEquals(11, mmu.load64(A));
        mmu.flushNonGlobal();
        assertEquals(33, mmu.load64(A));
        assertEquals(22, mmu.load64(B));
        mmu.flushPage(B + 5);
        assertEquals(33, mmu.load64(B));
        tables.map(B, FRAME, RW | GLOBAL);
        mmu.flushAll();
        assertEquals(11, mmu.load64(B));
    }

    @Test
    void eachPcidHasItsOwnTranslations() {
        tables.enter(cpu, Cpu.CR4_PCIDE);
        cpu.cpl = 3;
        cpu.updateMode();
        long entry = tables.map(A, FRAME, RW | USER);
        for (int pcid = 0; pcid < 20; pcid++) {
            memory.store(FRAME + pcid * 0x1000, 1, pcid);
        }
        for (int pcid = 0; pcid < 20; pcid++) {
            cpu.cr3 = 0x1000 | pcid;
            mmu.cr3Loaded(cpu, pcid % 2 == 0);
            memory.store(entry, 8, FRAME + pcid * 0x1000 | RW | USER);
            assertEquals(pcid, mmu.load8(A));
        }
        memory.store(entry, 8, FRAME | RW | USER);
        for (int pcid = 19; pcid >= 12; pcid--) {
            cpu.cr3 = 0x1000 | pcid;
            mmu.cr3Loaded(cpu, true);
            assertEquals(pcid, mmu.load8(A));
        }
        cpu.cr3 = 0x1000 | 11;
        mmu.cr3Loaded(cpu, true);
        assertEquals(0, mmu.load8(A));
        memory.store(entry, 8, FRAME + 0x1000 | RW | USER);
        mmu.cr3Loaded(cpu, false);
        assertEquals(1, mmu.load8(A));
        cpu.cr3 = 0x1000 | 15;
        mmu.cr3Loaded(cpu, true);
        assertEquals(15, mmu.load8(A));
        mmu.flushPage(A);
        assertEquals(1, mmu.load8(A));
    }

    @Test
    void moreThanTheLogHoldsAreFlushed() {
        for (int n = 0; n < 2000; n++) {
            tables.map(A + n * 4096L, FRAME, PRESENT);
        }
        tables.enter(cpu, 0);
        for (int n = 0; n < 2000; n++) {
            mmu.load8(A + n * 4096L);
        }
        memory.store(FRAME + 0x1000, 1, 7);
        for (int n = 0; n < 2000; n++) {
            tables.map(A + n * 4096L, FRAME + 0x1000, PRESENT);
        }
        mmu.flushNonGlobal();
        for (int n = 0; n < 2000; n++) {
            assertEquals(7, mmu.load8(A + n * 4096L));
        }
    }

    @Test
    void invlpgForgetsAllOfALargePage() {
        for (int bits : new int[] {21, 30}) {
            long base = B + (1L << 39);
            tables.put(base, bits, RW | LARGE);
            tables.enter(cpu, 0);
            mmu.flushAll();
            for (long page = 0; page < 2 << 20; page += 4096) {
                assertEquals(0, mmu.load8(base + 0x1234) & mmu.load8(base + page));
            }
            tables.put(base, bits, 0);
            mmu.flushPage(base + 0x1f_f000);
            for (long page = 0; page < 2 << 20; page += 4096) {
                long at = base + page;
                assertThrows(CpuFault.class, () -> mmu.load8(at));
            }
        }
    }

    @Test
    void unalignedUserAccessesFaultWhileChecked() {
        tables.map(A, FRAME, RW | USER);
        tables.enter(cpu, 0);
        cpu.cr0 |= Cpu.CR0_AM;
        cpu.systemFlags = Cpu.AC;
        cpu.cpl = 3;
        cpu.updateMode();
        mmu.store64(A + 8, 5);
        assertEquals(5, mmu.load64(A + 8));
        assertEquals(CpuFault.AC, assertThrows(CpuFault.class, () -> mmu.load64(A + 4)).vector);
        assertEquals(CpuFault.AC, assertThrows(CpuFault.class, () -> mmu.store16(A + 1, 0)).vector);
        assertEquals(CpuFault.AC, assertThrows(CpuFault.class, () -> mmu.loadForWrite(A + 2, 4)).vector);
        assertEquals(CpuFault.AC, assertThrows(CpuFault.class, () -> mmu.compareAndSet(A + 2, 4, 0, 1)).vector);
        assertEquals(0, mmu.loadSystem(A + 1, 4));
        cpu.cpl = 0;
        cpu.updateMode();
        assertEquals(0, mmu.load32(A + 1));
    }

    @Test
    void dataBreakpointsAreMetAfterTheAccess() {
        tables.map(A, FRAME, RW);
        tables.enter(cpu, 0);
        mmu.store64(A, 0);
        cpu.dr[0] = A + 8;
        cpu.dr[1] = A + 16;
        // DR0: writes, 4 bytes. DR1: reads and writes, 2 bytes.
        cpu.dr[7] = 0x2 | 0x8 | 0xd << 16 | 0x7 << 20;
        mmu.setBreakpoints(cpu);
        mmu.load64(A + 8);
        mmu.store32(A + 4, 0);
        assertEquals(0, mmu.pendingDebug);
        mmu.store64(A + 4, -1);
        assertEquals(1, mmu.pendingDebug);
        mmu.pendingDebug = 0;
        mmu.load8(A + 17);
        assertEquals(2, mmu.pendingDebug);
        assertEquals(0, ByteRuns.copyWithinPages(mmu, A + 128, A, 32));
        mmu.pendingDebug = 0;
        cpu.dr[7] = 0;
        mmu.setBreakpoints(cpu);
        mmu.store64(A + 4, 0);
        mmu.load8(A + 17);
        assertEquals(0, mmu.pendingDebug);
    }

    @Test
    void runsStopAtPagesAndOverlaps() {
        tables.map(A, FRAME, RW);
        tables.map(A + 4096, FRAME + 0x3000, RW);
        tables.enter(cpu, 0);
        assertEquals(0, ByteRuns.copyWithinPages(mmu, A + 4096, A, 64));
        mmu.store8(A, 1);
        mmu.store8(A + 4096, 0);
        for (int n = 0; n < 64; n++) {
            mmu.store8(A + n, n);
        }
        assertEquals(64, ByteRuns.copyWithinPages(mmu, A + 4096 + 3, A, 71));
        assertEquals(63, mmu.load8(A + 4096 + 66));
        assertEquals(8, ByteRuns.copyWithinPages(mmu, A + 8, A, 64));
        assertEquals(0, ByteRuns.copyWithinPages(mmu, A + 4, A, 64));
        assertEquals(56, ByteRuns.copyWithinPages(mmu, A, A + 4096 - 56, 4096));
        assertEquals(16, ByteRuns.fillWithinPage(mmu, A + 4096 - 20, 2, 0xabcd, 4096));
        assertEquals(0xabcdabcdabcdabcdL, mmu.load64(A + 4096 - 20));
        assertEquals(0xabcdabcdabcdabcdL, mmu.load64(A + 4096 - 12));
        assertEquals(0, mmu.load32(A + 4096 - 4));
        assertEquals(4096, ByteRuns.fillWithinPage(mmu, A, 1, 0x77, 10_000));
        assertEquals(0x77, mmu.load8(A + 4095));
        byte[] bytes = new byte[4];
        mmu.readBytes(A + 4092, bytes, 1, 3);
        assertArrayEquals(new byte[] {0, 0x77, 0x77, 0x77}, bytes);
    }

    @Test
    void stateKeepsThePaePointers() {
        memory.store(0x1000, 8, 0x2001);
        memory.store(0x1018, 8, 0x3001);
        mmu.loadPdptrs(cpu, 0x1000);
        MmuState state = mmu.save();
        assertArrayEquals(new long[] {0x2001, 0, 0, 0x3001}, state.pdptrs());
        assertArrayEquals(state.pdptrs(), new Mmu(memory, state).save().pdptrs());
        assertThrows(EngineException.class, () -> new Mmu(memory, new MmuState(new long[3], 0)));
        memory.store(0x1008, 8, 0x3003);
        assertEquals(CpuFault.GP, assertThrows(CpuFault.class, () -> mmu.loadPdptrs(cpu, 0x1000)).vector);
        assertArrayEquals(state.pdptrs(), mmu.save().pdptrs());
    }

    @Test
    void addressesWrapAt4GibOutsideLongMode() {
        TestGuest high =
                new TestGuest(0x2000, List.of(new Region(0, 0, 0x1000), new Region(0xfffff000L, 0x1000, 0x1000)));
        high.mmu.store64(0xfffffffcL, 0x1122334455667788L);
        assertEquals(0x55667788, high.memory.load(0xfffffffcL, 4));
        assertEquals(0x11223344, high.memory.load(0, 4));
        assertEquals(0x1122334455667788L, high.mmu.load64(0xfffffffcL));
    }
}
