package dev.multivisor.engine.mmu;

import dev.multivisor.engine.cpu.Cpu;

/** Builds 4-level paging structures from 0x1000 upwards, for tests that want a certain page. */
final class LongModeTables {
    static final long PRESENT = 1,
            WRITABLE = 2,
            USER = 4,
            ACCESSED = 0x20,
            DIRTY = 0x40,
            LARGE = 0x80,
            GLOBAL = 0x100,
            NO_EXECUTE = 1L << 63;

    private final PhysicalMemory memory;
    private long next = 0x2000;

    LongModeTables(PhysicalMemory memory) {
        this.memory = memory;
    }

    /** Sets up the CPU for 64-bit mode at CPL 0 with these tables. */
    void enter(Cpu cpu, long cr4) {
        cpu.cr3 = 0x1000;
        cpu.cr0 = Cpu.CR0_PE | Cpu.CR0_PG | Cpu.CR0_WP;
        cpu.cr4 = Cpu.CR4_PAE | Cpu.CR4_PGE | cr4;
        cpu.efer = Cpu.EFER_LME | Cpu.EFER_LMA | Cpu.EFER_NXE;
        cpu.segmentAccess[Cpu.CS] = 0xa09b;
        cpu.updateMode();
    }

    /** Maps 4 KiB. Returns where the entry is. */
    long map(long linear, long physical, long flags) {
        return put(linear, 12, physical | flags);
    }

    /** Maps a page of 2 to the power of some bits. Returns where the entry is. */
    long put(long linear, int bits, long value) {
        long table = 0x1000;
        for (int shift = 39; shift > bits; shift -= 9) {
            long where = table + (linear >>> shift - 3 & 0xff8);
            long entry = memory.load(where, 8);
            if (entry == 0) {
                entry = next | PRESENT | WRITABLE | USER;
                next += 0x1000;
                memory.store(where, 8, entry);
            }
            table = entry & -4096L;
        }
        long where = table + (linear >>> bits - 3 & 0xff8);
        memory.store(where, 8, value);
        return where;
    }
}
