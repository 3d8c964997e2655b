package dev.multivisor.engine.mmu;

import dev.multivisor.engine.cpu.Cpu;
import dev.multivisor.engine.cpu.CpuFault;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * Translation by the paging structures (Intel SDM vol. 3, chapter 4): none, 32-bit with 4 MiB pages (PSE-36), PAE, and
 * 4-level with 2 MiB and 1 GiB pages. A walk first reads all levels and checks rights; only then it sets the accessed
 * and dirty flags, each by compare-and-set on the entry it has read, and starts again when one of them has changed.
 * The result stays in the fields until the next walk.
 */
final class PageWalk {
    /** Bits of a page fault's error code (4.7). */
    static final int FAULT_P = 1, FAULT_WRITE = 2, FAULT_USER = 4, FAULT_RSVD = 8, FAULT_FETCH = 16;

    private static final long P = 1, RW = 2, US = 4, A = 1 << 5, D = 1 << 6, PS = 1 << 7, G = 1 << 8, XD = 1L << 63;
    private static final long PHYSICAL = (1L << Mmu.PHYSICAL_BITS) - 4096;
    private static final long RESERVED = (1L << 52) - (1L << Mmu.PHYSICAL_BITS);
    private static final long PAE_RESERVED = XD - (1L << Mmu.PHYSICAL_BITS);
    private static final long PDPTE_RESERVED = XD | PAE_RESERVED | 0x1e6;

    private static final VarHandle LONG =
            ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle();
    private static final VarHandle INT =
            ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle();

    private final PhysicalMemory memory;
    private final MemorySegment ram;

    /** The PAE page-directory-pointer-table entries (4.4.1). */
    private final long[] pdptr;

    // Entries of the walk in progress, by level, and their offsets in RAM (-1: nowhere).
    private final long[] entry = new long[5];
    private final long[] offset = new long[5];
    private final long[] address = new long[5];
    private int top, leaf;

    /** Whose walks these are, for who watches the paging structures. Set once. */
    Translations owner;

    /** The guest-physical address of the 4 KiB page. */
    long frame;

    /** Rights of all levels together, and flags of the last. */
    boolean user, writable, dirty, global;

    /** The size of the page is 2 to the power of this. */
    int pageBits;

    PageWalk(PhysicalMemory memory, long[] pdptr) {
        this.memory = memory;
        this.pdptr = pdptr;
        ram = memory.ram();
    }

    /**
     * Translates.
     *
     * @param kind {@link Tlb#READ}, {@link Tlb#WRITE} or {@link Tlb#EXECUTE}
     * @param asUser whether this is a user-mode access
     * @param userData whether supervisor accesses may touch user pages although CR4.SMAP is set
     * @throws CpuFault #PF
     */
    void walk(Cpu cpu, long linear, int kind, boolean asUser, boolean userData) {
        if ((cpu.cr0 & Cpu.CR0_PG) == 0) {
            frame = linear & 0xfffff000L;
            user = writable = dirty = true;
            global = false;
            pageBits = 12;
            return;
        }
        int error = (kind == Tlb.WRITE ? FAULT_WRITE : 0) | (asUser ? FAULT_USER : 0);
        boolean nxe = (cpu.efer & Cpu.EFER_NXE) != 0 && (cpu.cr4 & Cpu.CR4_PAE) != 0;
        if (kind == Tlb.EXECUTE && (nxe || (cpu.cr4 & Cpu.CR4_SMEP) != 0)) {
            error |= FAULT_FETCH;
        }
        boolean done;
        do {
            boolean noExecute;
            if ((cpu.cr4 & Cpu.CR4_PAE) == 0) {
                walk32(cpu, linear, error);
                noExecute = false;
            } else {
                noExecute = walk64(cpu, linear, error, nxe);
            }
            if (!allowed(cpu, kind, asUser, userData, noExecute)) {
                throw cpu.pageFault(linear, error | FAULT_P);
            }
            done = mark(kind == Tlb.WRITE, (cpu.cr4 & Cpu.CR4_PAE) != 0);
        } while (!done);
        global &= (cpu.cr4 & Cpu.CR4_PGE) != 0;
    }

    private boolean allowed(Cpu cpu, int kind, boolean asUser, boolean userData, boolean noExecute) {
        if (kind == Tlb.EXECUTE) {
            return !noExecute && (asUser ? user : !user || (cpu.cr4 & Cpu.CR4_SMEP) == 0);
        }
        if (asUser ? !user : user && !userData && (cpu.cr4 & Cpu.CR4_SMAP) != 0) {
            return false;
        }
        return kind == Tlb.READ || writable || !asUser && (cpu.cr0 & Cpu.CR0_WP) == 0;
    }

    /** Whether the page of the last walk may be written right away: permitted, and marked dirty already. */
    boolean mayWrite(Cpu cpu, boolean asUser) {
        return dirty && (writable || !asUser && (cpu.cr0 & Cpu.CR0_WP) == 0);
    }

    /** 32-bit paging (4.3). */
    private void walk32(Cpu cpu, long linear, int error) {
        long directory = load32(cpu, 2, (cpu.cr3 & 0xfffff000L) + (linear >>> 20 & 0xffc), linear, error);
        long rights = directory;
        top = 2;
        if ((directory & PS) != 0 && (cpu.cr4 & Cpu.CR4_PSE) != 0) {
            if ((directory & 1 << 21) != 0) {
                throw cpu.pageFault(linear, error | FAULT_P | FAULT_RSVD);
            }
            frame = directory & 0xffc00000L | (directory & 0x1fe000) << 19 | linear & 0x3ff000;
            pageBits = 22;
            leaf = 2;
        } else {
            long page = load32(cpu, 1, (directory & 0xfffff000L) + (linear >>> 10 & 0xffc), linear, error);
            rights &= page;
            frame = page & 0xfffff000L;
            pageBits = 12;
            leaf = 1;
        }
        finish(rights);
    }

    private long load32(Cpu cpu, int level, long where, long linear, int error) {
        long at = memory.ramOffset(where);
        long value = at < 0 ? 0xffffffffL : (int) INT.getOpaque(ram, at) & 0xffffffffL;
        if ((value & P) == 0) {
            throw cpu.pageFault(linear, error);
        }
        address[level] = where;
        offset[level] = at;
        entry[level] = value;
        return value;
    }

    /** PAE (4.4) and 4-level paging (4.5). Returns whether some level forbids execution. */
    private boolean walk64(Cpu cpu, long linear, int error, boolean nxe) {
        long reserved = nxe ? 0 : XD;
        long table;
        int level;
        if (cpu.longMode()) {
            level = 4;
            table = cpu.cr3 & PHYSICAL;
            reserved |= RESERVED;
        } else {
            level = 2;
            reserved |= PAE_RESERVED;
            long pointer = pdptr[(int) (linear >>> 30) & 3];
            if ((pointer & P) == 0) {
                throw cpu.pageFault(linear, error);
            }
            table = pointer & PHYSICAL;
        }
        top = level;
        long rights = RW | US;
        long forbidden = 0;
        while (true) {
            int shift = 12 + 9 * (level - 1);
            long where = table + (linear >>> shift - 3 & 0xff8);
            long at = memory.ramOffset(where);
            long value = at < 0 ? -1 : (long) LONG.getOpaque(ram, at);
            if ((value & P) == 0) {
                throw cpu.pageFault(linear, error);
            }
            boolean large = level > 1 && (value & PS) != 0;
            // In a large page's entry the address bits below its size are reserved, but for PAT, bit 12.
            if ((value & reserved) != 0 || large && (level == 4 || (value & (1L << shift) - 0x2000) != 0)) {
                throw cpu.pageFault(linear, error | FAULT_P | FAULT_RSVD);
            }
            address[level] = where;
            offset[level] = at;
            entry[level] = value;
            rights &= value;
            forbidden |= value;
            if (large || level == 1) {
                long within = (1L << shift) - 1;
                frame = (value & PHYSICAL & ~within) | linear & within & -4096L;
                pageBits = shift;
                leaf = level;
                break;
            }
            table = value & PHYSICAL;
            level--;
        }
        finish(rights);
        return forbidden < 0;
    }

    private void finish(long rights) {
        user = (rights & US) != 0;
        writable = (rights & RW) != 0;
        dirty = (entry[leaf] & D) != 0;
        global = (entry[leaf] & G) != 0;
    }

    /** Sets accessed flags, and the dirty flag of a page that is written (4.8). False: an entry has changed. */
    private boolean mark(boolean write, boolean wide) {
        for (int level = top; level >= leaf; level--) {
            long wanted = entry[level] | A | (write && level == leaf ? D : 0);
            if (wanted != entry[level] && offset[level] >= 0) {
                memory.watch.beforeWrite(owner, offset[level]);
                boolean set = wide
                        ? LONG.compareAndSet(ram, offset[level], entry[level], wanted)
                        : INT.compareAndSet(ram, offset[level], (int) entry[level], (int) wanted);
                if (!set) {
                    return false;
                }
                memory.watch.wrote(owner, address[level], offset[level], wide ? 8 : 4, wanted);
            }
        }
        dirty |= write;
        return true;
    }

    /** Loads the four PAE pointers, all or none (4.4.1). */
    void loadPointers(Cpu cpu, long cr3) {
        long table = cr3 & 0xffffffe0L;
        long[] loaded = new long[4];
        for (int n = 0; n < 4; n++) {
            loaded[n] = memory.load(cpu.number, table + n * 8, 8);
            if ((loaded[n] & P) != 0 && (loaded[n] & PDPTE_RESERVED) != 0) {
                throw cpu.fault(CpuFault.GP);
            }
        }
        System.arraycopy(loaded, 0, pdptr, 0, 4);
    }
}
