package dev.multivisor.engine.mmu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.multivisor.engine.cpu.Cpu;
import dev.multivisor.engine.cpu.CpuFault;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** The walk and the TLB against {@link PagingModel}, with random paging structures, modes and accesses. */
class PageWalkTest {
    /** Small, so that random structures share pages and lead to each other. */
    private static final int PAGES = 64;

    private final TestGuest guest = new TestGuest(PAGES * 4096L);
    private final PhysicalMemory memory = guest.memory;
    private final Cpu cpu = guest.cpu;
    private final Mmu mmu = guest.mmu;
    private final Random random = new Random(4);

    private enum Paging {
        NONE,
        BITS32,
        PAE,
        LEVEL4
    }

    @Test
    void randomStructuresTranslateAsTheManualSays() {
        int faults = 0;
        int hits = 0;
        for (int round = 0; round < 800; round++) {
            Paging paging = Paging.values()[random.nextInt(4)];
            fillStructures(paging);
            setMode(paging);
            for (int n = 0; n < 60; n++) {
                setPrivilege();
                if (access(paging, "round " + round + ", access " + n)) {
                    hits++;
                } else {
                    faults++;
                }
            }
        }
        assertTrue(hits > 5_000, "hits " + hits);
        assertTrue(faults > 5_000, "faults " + faults);
    }

    private void setMode(Paging paging) {
        cpu.cr0 = Cpu.CR0_PE | (paging == Paging.NONE ? 0 : Cpu.CR0_PG) | (random.nextBoolean() ? Cpu.CR0_WP : 0);
        cpu.cr4 = (paging == Paging.PAE || paging == Paging.LEVEL4 ? Cpu.CR4_PAE : 0)
                | (random.nextInt(4) == 0 ? 0 : Cpu.CR4_PSE)
                | (random.nextBoolean() ? Cpu.CR4_PGE : 0)
                | (random.nextBoolean() ? Cpu.CR4_SMEP : 0)
                | (random.nextBoolean() ? Cpu.CR4_SMAP : 0);
        cpu.efer = (paging == Paging.LEVEL4 ? Cpu.EFER_LMA | Cpu.EFER_LME : 0)
                | (random.nextInt(4) == 0 ? 0 : Cpu.EFER_NXE);
        cpu.cr3 = random.nextInt(PAGES) * 4096L;
        if (paging == Paging.PAE) {
            for (int n = 0; n < 4; n++) {
                long pointer = random.nextInt(8) == 0 ? 0 : random.nextInt(PAGES) * 4096L | 1;
                memory.store(cpu.cr3 + n * 8, 8, pointer);
            }
            mmu.loadPdptrs(cpu);
        }
        cpu.updateMode();
        mmu.flushAll();
    }

    private void setPrivilege() {
        if (random.nextInt(4) == 0) {
            cpu.cpl = random.nextBoolean() ? 3 : 0;
            cpu.systemFlags = random.nextBoolean() ? Cpu.AC : 0;
            cpu.updateMode();
        }
    }

    /** Every page is a paging structure with few different indexes, most entries permissive. */
    private void fillStructures(Paging paging) {
        for (int page = 0; page < PAGES; page++) {
            for (int n = 0; n < 4096; n += paging == Paging.BITS32 ? 4 : 8) {
                if (paging == Paging.BITS32) {
                    memory.store(page * 4096L + n, 4, entry() & 0xffffffffL);
                } else {
                    memory.store(page * 4096L + n, 8, entry());
                }
            }
        }
    }

    private long entry() {
        long entry = random.nextInt(PAGES) * 4096L | 7;
        int choice = random.nextInt(64);
        if (choice < 12) {
            entry ^= 1L << random.nextInt(3);
        } else if (choice < 16) {
            entry |= 1L << 63;
        } else if (choice < 30) {
            entry |= random.nextInt(0x200) & 0x160;
        } else if (choice < 38) {
            entry = entry & ~0x3ff000L & ~(random.nextBoolean() ? 0x3fffffffL & -4096L : 0) | 0x80;
        } else if (choice == 38) {
            entry |= 1L << random.nextInt(64);
        } else if (choice == 39) {
            entry |= 0x80;
        }
        return entry;
    }

    private boolean access(Paging paging, String where) {
        long linear = linear(paging);
        int size = 1 << random.nextInt(4);
        if ((linear & 4095) + size > 4096) {
            linear &= -8;
        }
        int kind = random.nextInt(3);
        boolean system = kind != Tlb.EXECUTE && random.nextInt(8) == 0;
        boolean asUser = !system && cpu.cpl == 3;
        boolean userData = !system && (cpu.systemFlags & Cpu.AC) != 0;
        byte[] before = content();
        PagingModel model = new PagingModel(cpu, before);
        long expected = model.translate(linear, kind, asUser, userData);
        // Cached translations are not looked for in this test: everything may have changed.
        mmu.flushAll();
        String what = where + ": " + paging + " " + Long.toHexString(linear) + " kind " + kind + " user " + asUser;
        try {
            long value = random.nextLong() & -1L >>> 64 - size * 8;
            boolean unclaimed = expected >= PAGES * 4096L;
            switch (kind) {
                case Tlb.READ -> {
                    long got = system ? mmu.loadSystem(linear, size) : mmu.load(linear, size);
                    long wanted = unclaimed ? -1L >>> 64 - size * 8 : little(model.content, (int) expected, size);
                    assertEquals(-1, model.error, what);
                    assertEquals(wanted, got, what);
                }
                case Tlb.WRITE -> {
                    if (system) {
                        mmu.storeSystem(linear, size, value);
                    } else {
                        mmu.store(linear, size, value);
                    }
                    assertEquals(-1, model.error, what);
                    for (int n = 0; n < size && !unclaimed; n++) {
                        model.content[(int) expected + n] = (byte) (value >>> n * 8);
                    }
                }
                default -> {
                    long physical = mmu.fetch(linear);
                    assertEquals(-1, model.error, what);
                    assertEquals(expected, physical, what);
                }
            }
            assertTrue(Arrays.equals(model.content, content()), what + ": content differs");
            return true;
        } catch (CpuFault fault) {
            assertEquals(CpuFault.PF, fault.vector, what);
            assertEquals(model.error, fault.errorCode, what);
            assertEquals(linear, fault.address, what);
            assertTrue(Arrays.equals(before, content()), what + ": a fault changed memory");
            return false;
        }
    }

    private long linear(Paging paging) {
        long linear = random.nextLong();
        return paging == Paging.LEVEL4
                ? linear << 16 >> 16
                : paging == Paging.NONE ? linear & 0x7ffff : linear & 0xffffffffL;
    }

    private byte[] content() {
        byte[] bytes = new byte[PAGES * 4096];
        memory.read(0, bytes, 0, bytes.length);
        return bytes;
    }

    static long little(byte[] bytes, int offset, int size) {
        long value = 0;
        for (int n = 0; n < size; n++) {
            value |= (bytes[offset + n] & 0xffL) << n * 8;
        }
        return value;
    }
}
