package dev.multivisor.engine.mmu;

import dev.multivisor.api.EngineException;
import dev.multivisor.engine.cpu.Cpu;
import dev.multivisor.engine.cpu.CpuFault;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * One vCPU's view of memory: a software TLB in front of the page walk. Addresses are linear. Accesses may be unaligned
 * and may cross a page; both pages are checked before anything is changed.
 *
 * <p><b>Look-up.</b> An access computes its entry from the page of its first byte and compares the tag with the page of
 * its last: a hit means that it stays in one page, that the page is RAM and that the access is permitted. Everything
 * else goes to the slow path. There are three sets of translations, for user mode, for supervisor mode, and for
 * supervisor mode with EFLAGS.AC set while CR4.SMAP is on; changing privilege only changes which set is looked at.
 *
 * <p><b>Ordering.</b> Loads and stores are plain accesses to host memory; on an x86 host they have x86's order. The
 * JVM's compiler is free to reorder plain accesses within one compiled method, but does not move them over the calls
 * and dispatch between two guest instructions. Locked operations are volatile compare-and-set (see {@link Atomics}).
 *
 * <p><b>Threads.</b> All methods are for the vCPU's own thread.
 */
public final class Mmu {
    /** MAXPHYADDR, as CPUID leaf 0x80000008 says. */
    public static final int PHYSICAL_BITS = 46;

    /** What is left of an address is that of its page. */
    public static final long PAGES = -4096L;

    /** What stands in for a set's tags while no access may be fast. Never written. */
    private static final long[] NEVER = Tlb.NONE.clone();

    /** DR6 bits of data breakpoints that the current instruction has met; taken up, and cleared, after it. */
    public int pendingDebug;

    private final PhysicalMemory memory;
    private final MemorySegment ram;
    private final long[] pdptr = new long[4];
    private final PageWalk walk;
    private final DataBreakpoints breakpoints = new DataBreakpoints();
    private final Translations translations;

    private final Tlb supervisor;

    /** The current set for data, and the tags that fast accesses look at. */
    private Tlb data;

    private long[] tags;

    /** The current set for instructions. */
    private Tlb code;

    private Cpu cpu;
    private boolean alignmentChecked;
    private boolean longMode;
    private long pagingMode;
    private int generation;

    public Mmu(PhysicalMemory memory) {
        this.memory = memory;
        ram = memory.ram();
        walk = new PageWalk(memory, pdptr);
        translations = new Translations(memory, walk, breakpoints);
        supervisor = translations.supervisor;
        data = supervisor;
        tags = supervisor.tags;
        code = supervisor;
    }

    /** One with the state of another. */
    public Mmu(PhysicalMemory memory, MmuState state) {
        this(memory);
        if (state.pdptrs() == null || state.pdptrs().length != 4) {
            throw new EngineException("mmu: pdptrs: not 4 registers");
        }
        System.arraycopy(state.pdptrs(), 0, pdptr, 0, 4);
        pendingDebug = state.pendingDebug();
    }

    public MmuState save() {
        return new MmuState(pdptr.clone(), pendingDebug);
    }

    /** What fast accesses look at, as {@link Tlb} documents it: until something else than a load or store is executed. */
    public long[] tags() {
        return tags;
    }

    public PhysicalMemory memory() {
        return memory;
    }

    /** Connects the vCPU, whose fault object and registers are used. Called by its constructor. */
    public void attach(Cpu owner) {
        cpu = owner;
        translations.attach(owner);
    }

    // ---- Data, at the current privilege ----

    /** Loads 1, 2, 4 or 8 bytes, zero-extended. */
    public long load(long linear, int size) {
        return switch (size) {
            case 1 -> load8(linear);
            case 2 -> load16(linear);
            case 4 -> load32(linear);
            default -> load64(linear);
        };
    }

    /** Stores the low 1, 2, 4 or 8 bytes. */
    public void store(long linear, int size, long value) {
        switch (size) {
            case 1 -> store8(linear, value);
            case 2 -> store16(linear, value);
            case 4 -> store32(linear, value);
            default -> store64(linear, value);
        }
    }

    /** Zero-extended. */
    public long load8(long linear) {
        long[] t = tags;
        int i = Tlb.index(linear);
        return t[i] == (linear & PAGES) ? FastAccess.load8(ram, linear + t[i + 3]) : loadSlow(data, linear, 1);
    }

    /** Zero-extended. */
    public long load16(long linear) {
        long[] t = tags;
        int i = Tlb.index(linear);
        return t[i] == (linear + 1 & PAGES) ? FastAccess.load16(ram, linear + t[i + 3]) : loadSlow(data, linear, 2);
    }

    /** Zero-extended. */
    public long load32(long linear) {
        long[] t = tags;
        int i = Tlb.index(linear);
        return t[i] == (linear + 3 & PAGES) ? FastAccess.load32(ram, linear + t[i + 3]) : loadSlow(data, linear, 4);
    }

    public long load64(long linear) {
        long[] t = tags;
        int i = Tlb.index(linear);
        return t[i] == (linear + 7 & PAGES) ? FastAccess.load64(ram, linear + t[i + 3]) : loadSlow(data, linear, 8);
    }

    public void store8(long linear, long value) {
        long[] t = tags;
        int i = Tlb.index(linear);
        if (t[i + 1] == (linear & PAGES)) {
            FastAccess.store8(ram, linear + t[i + 3], value);
        } else {
            storeSlow(data, linear, 1, value);
        }
    }

    public void store16(long linear, long value) {
        long[] t = tags;
        int i = Tlb.index(linear);
        if (t[i + 1] == (linear + 1 & PAGES)) {
            FastAccess.store16(ram, linear + t[i + 3], value);
        } else {
            storeSlow(data, linear, 2, value);
        }
    }

    public void store32(long linear, long value) {
        long[] t = tags;
        int i = Tlb.index(linear);
        if (t[i + 1] == (linear + 3 & PAGES)) {
            FastAccess.store32(ram, linear + t[i + 3], value);
        } else {
            storeSlow(data, linear, 4, value);
        }
    }

    public void store64(long linear, long value) {
        long[] t = tags;
        int i = Tlb.index(linear);
        if (t[i + 1] == (linear + 7 & PAGES)) {
            FastAccess.store64(ram, linear + t[i + 3], value);
        } else {
            storeSlow(data, linear, 8, value);
        }
    }

    /** Raises the fault that a write of some bytes would raise, if any, so that the write itself cannot fail. */
    public void checkWrite(long linear, int size) {
        if (tags[Tlb.index(linear) + Tlb.WRITE] != (linear + size - 1 & PAGES)) {
            checkSlow(linear, size, Tlb.WRITE);
        }
    }

    /** Raises the fault that a read of some bytes would raise, if any. */
    public void checkRead(long linear, int size) {
        if (tags[Tlb.index(linear)] != (linear + size - 1 & PAGES)) {
            checkSlow(linear, size, Tlb.READ);
        }
    }

    private void checkSlow(long linear, int size, int kind) {
        canonical(linear, size);
        long last = linear + size - 1 & PAGES;
        for (long at = linear; ; at = (at & PAGES) + 4096) {
            translations.translate(data, longMode ? at : at & 0xffffffffL, kind);
            if ((at & PAGES) == last) {
                break;
            }
        }
        if (alignmentChecked && size <= 8) {
            checkAlignment(linear, size);
        }
    }

    /** Loads for a read-modify-write instruction: faults are those of a write, and a store that follows cannot fail. */
    public long loadForWrite(long linear, int size) {
        long[] t = tags;
        int i = Tlb.index(linear);
        if (t[i + 1] == (linear + size - 1 & PAGES)) {
            return memory.loadRam(linear + t[i + 3], size);
        }
        checkWrite(linear, size);
        return load(linear, size);
    }

    // ---- Slow paths ----

    private long loadSlow(Tlb set, long linear, int size) {
        canonical(linear, size);
        long value;
        if ((linear & 4095) + size <= 4096) {
            long physical = translations.translate(set, linear, Tlb.READ);
            checkAlignment(linear, size);
            if (device(physical)) {
                cpu.counters.mmioReads++;
            }
            value = memory.load(cpu.number, physical, size);
        } else {
            int first = 4096 - (int) (linear & 4095);
            long low = translations.translate(set, linear, Tlb.READ);
            long high = translations.translate(set, nextPage(linear), Tlb.READ);
            checkAlignment(linear, size);
            if (device(low) | device(high)) {
                cpu.counters.mmioReads++;
            }
            value = 0;
            for (int n = 0; n < size; n++) {
                value |= memory.load(cpu.number, n < first ? low + n : high + n - first, 1) << n * 8;
            }
        }
        if (breakpoints.any) {
            pendingDebug |= breakpoints.hits(linear, size, false);
        }
        return value;
    }

    private void storeSlow(Tlb set, long linear, int size, long value) {
        canonical(linear, size);
        if ((linear & 4095) + size <= 4096) {
            long physical = translations.translate(set, linear, Tlb.WRITE);
            checkAlignment(linear, size);
            if (device(physical)) {
                cpu.counters.mmioWrites++;
            }
            memory.store(translations, cpu.number, physical, size, value);
        } else {
            int first = 4096 - (int) (linear & 4095);
            long low = translations.translate(set, linear, Tlb.WRITE);
            long high = translations.translate(set, nextPage(linear), Tlb.WRITE);
            checkAlignment(linear, size);
            if (device(low) | device(high)) {
                cpu.counters.mmioWrites++;
            }
            memory.storePart(translations, cpu.number, low, first, value);
            memory.storePart(translations, cpu.number, high, size - first, value >>> first * 8);
        }
        if (breakpoints.any) {
            pendingDebug |= breakpoints.hits(linear, size, true);
        }
    }

    /** Whether an access is a device's, which may look at the count of instructions: then that must be exact. */
    private boolean device(long physical) {
        if (memory.ramOffset(physical) >= 0) {
            return false;
        }
        if (!cpu.exact) {
            throw cpu.fault(CpuFault.DEVICE);
        }
        return true;
    }

    private long nextPage(long linear) {
        long next = (linear & PAGES) + 4096;
        return longMode ? next : next & 0xffffffffL;
    }

    private void canonical(long linear, int size) {
        long last = linear + size - 1;
        if (longMode && (linear << 16 >> 16 != linear || last << 16 >> 16 != last)) {
            throw cpu.nonCanonical();
        }
    }

    private void checkAlignment(long linear, int size) {
        if (alignmentChecked && (linear & size - 1) != 0) {
            throw cpu.fault(CpuFault.AC);
        }
    }

    // ---- Locked operations ----

    /** Atomic compare-and-set of 1, 2, 4 or 8 bytes for LOCK: the store happens if memory holds the expected value. */
    public boolean compareAndSet(long linear, int size, long expected, long value) {
        long[] t = tags;
        int i = Tlb.index(linear);
        return t[i + 1] == (linear + size - 1 & PAGES)
                ? Atomics.compareAndSet(ram, linear + t[i + 3], size, expected, value, memory.splitLock)
                : compareAndSetSlow(linear, size, expected, value);
    }

    private boolean compareAndSetSlow(long linear, int size, long expected, long value) {
        checkSlow(linear, size, Tlb.WRITE);
        int first = Math.min(size, 4096 - (int) (linear & 4095));
        long low = translations.translate(data, linear, Tlb.WRITE);
        long high = first == size ? low : translations.translate(data, nextPage(linear), Tlb.WRITE);
        long lowOffset = memory.ramOffset(low);
        long highOffset = memory.ramOffset(high);
        if (breakpoints.any) {
            pendingDebug |= breakpoints.hits(linear, size, true);
        }
        if (lowOffset < 0 || highOffset < 0) {
            // A device: not atomic, as on a bus without a lock.
            if (load(linear, size) != (expected & -1L >>> 64 - size * 8)) {
                return false;
            }
            store(linear, size, value);
            return true;
        }
        memory.watch.beforeWrite(translations, lowOffset);
        if (first == size) {
            boolean set = Atomics.compareAndSet(ram, lowOffset, size, expected, value, memory.splitLock);
            if (set) {
                memory.watch.wrote(translations, low, lowOffset, size, value);
            }
            return set;
        }
        memory.watch.beforeWrite(translations, highOffset);
        int shift = (int) (lowOffset & 7) * 8;
        boolean set = Atomics.split(ram, lowOffset & -8, highOffset, shift, size, expected, value, memory.splitLock);
        if (set) {
            memory.watch.wrote(translations, low, lowOffset, first, value);
            memory.watch.wrote(translations, high, highOffset, size - first, value >>> first * 8);
        }
        return set;
    }

    /** What memory held at the last {@link #compareAndSet128} that returned false. */
    public long observedLow, observedHigh;

    /**
     * CMPXCHG16B. The address is a multiple of 16. Atomic among operations of the same kind; another CPU's access to
     * one half may see the low half changed and the high one not yet (see {@link Atomics}).
     */
    public boolean compareAndSet128(long linear, long expectedLow, long expectedHigh, long low, long high) {
        checkWrite(linear, 16);
        long physical = translations.translate(data, linear, Tlb.WRITE);
        long offset = memory.ramOffset(physical);
        if (breakpoints.any) {
            pendingDebug |= breakpoints.hits(linear, 16, true);
        }
        if (offset < 0) {
            observedLow = load64(linear);
            observedHigh = load64(linear + 8);
            boolean equal = observedLow == expectedLow && observedHigh == expectedHigh;
            store64(linear, equal ? low : observedLow);
            store64(linear + 8, equal ? high : observedHigh);
            return equal;
        }
        memory.watch.beforeWrite(translations, offset);
        boolean set;
        synchronized (memory.splitLock) {
            do {
                set = Atomics.pair(ram, offset, -1, expectedLow, low, offset + 8, -1, expectedHigh, high);
                observedLow = Atomics.loadWord(ram, offset);
                observedHigh = Atomics.loadWord(ram, offset + 8);
                // Another CPU's write to one half can fail the pair and then restore what was expected: try again.
            } while (!set && observedLow == expectedLow && observedHigh == expectedHigh);
        }
        if (set) {
            memory.watch.wrote(translations, physical, offset, 8, low);
            memory.watch.wrote(translations, physical + 8, offset + 8, 8, high);
        }
        return set;
    }

    // ---- System structures, as supervisor whatever the CPL (Intel SDM vol. 3, 4.6.1, implicit accesses) ----

    /** Loads 1, 2, 4 or 8 bytes of a descriptor table or task-state segment, zero-extended. */
    public long loadSystem(long linear, int size) {
        long[] t = supervisor.tags;
        int i = Tlb.index(linear);
        if (t[i] == (linear + size - 1 & PAGES)) {
            return memory.loadRam(linear + t[i + 3], size);
        }
        boolean checked = alignmentChecked;
        alignmentChecked = false;
        try {
            return loadSlow(supervisor, linear, size);
        } finally {
            alignmentChecked = checked;
        }
    }

    /** Stores to a descriptor table or task-state segment. */
    public void storeSystem(long linear, int size, long value) {
        boolean checked = alignmentChecked;
        alignmentChecked = false;
        try {
            storeSlow(supervisor, linear, size, value);
        } finally {
            alignmentChecked = checked;
        }
    }

    // ---- Instructions ----

    /** The physical address that an instruction byte is fetched from. */
    public long fetch(long linear) {
        int i = Tlb.index(linear);
        return code.tags[i + 2] == (linear & PAGES)
                ? code.physical[i >>> Tlb.STRIDE_BITS] & PAGES | linear & 4095
                : fetchSlow(linear);
    }

    /**
     * Whether instructions at an address are fetched from a page. What is not known is found out, as by a processor that
     * fetches ahead: without a fault.
     */
    public boolean fetches(long linear, long physicalPage) {
        try {
            return (fetch(linear) & PAGES) == physicalPage;
        } catch (CpuFault unmapped) {
            return false;
        }
    }

    private long fetchSlow(long linear) {
        if (longMode && linear << 16 >> 16 != linear) {
            throw cpu.fault(CpuFault.GP);
        }
        return translations.translate(code, linear, Tlb.EXECUTE);
    }

    /** Reads instruction bytes within one page. */
    public void readBytes(long linear, byte[] target, int offset, int count) {
        long physical = fetch(linear);
        long from = memory.ramOffset(physical);
        if (from >= 0) {
            MemorySegment.copy(ram, ValueLayout.JAVA_BYTE, from, target, offset, count);
        } else {
            for (int n = 0; n < count; n++) {
                target[offset + n] = (byte) memory.load(cpu.number, physical + n, 1);
            }
        }
    }

    // ---- Modes and flushes ----

    /** Called after CR0, CR3, CR4, EFER, EFLAGS.AC or CPL changed through {@link Cpu#updateMode}. */
    public void modeChanged(Cpu owner) {
        long mode = owner.cr0 & (Cpu.CR0_PG | Cpu.CR0_WP)
                | owner.cr4 & (Cpu.CR4_PSE | Cpu.CR4_PAE | Cpu.CR4_PGE | Cpu.CR4_PCIDE | Cpu.CR4_SMEP | Cpu.CR4_SMAP)
                | (owner.efer & (Cpu.EFER_LMA | Cpu.EFER_NXE)) << 32;
        if (mode != pagingMode) {
            pagingMode = mode;
            longMode = owner.longMode();
            generation++;
            translations.flushAll();
        }
        select(owner);
    }

    private void select(Cpu owner) {
        boolean flagged = (owner.systemFlags & Cpu.AC) != 0;
        boolean check = false;
        if (owner.cpl == 3) {
            data = translations.user();
            code = data;
            check = flagged && (owner.cr0 & Cpu.CR0_AM) != 0;
        } else {
            code = supervisor;
            data = flagged && (owner.cr4 & Cpu.CR4_SMAP) != 0 ? translations.suspended() : supervisor;
        }
        alignmentChecked = check;
        tags = check ? NEVER : data.tags;
    }

    /** A set was allocated, perhaps the current one. */
    void allocated() {
        if (tags == Tlb.NONE) {
            tags = data.tags;
        }
    }

    /**
     * Called after CR3 was loaded.
     *
     * @param keep bit 63 of MOV to CR3 with CR4.PCIDE: what is known of the new PCID is still good
     */
    public void cr3Loaded(Cpu owner, boolean keep) {
        generation++;
        translations.cr3Loaded(keep);
        select(owner);
    }

    /** Loads the PAE page-directory-pointer-table registers from where CR3 points, or raises #GP, changing nothing. */
    public void loadPdptrs(Cpu owner) {
        walk.loadPointers(owner, owner.cr3);
    }

    /** The same for a value that CR3 is about to get. */
    public void loadPdptrs(Cpu owner, long cr3) {
        walk.loadPointers(owner, cr3);
    }

    /** Changes whenever any translation may have changed: what was learnt from {@link #fetch} holds no longer. */
    public int generation() {
        return generation;
    }

    /** Forgets every translation, global ones too. */
    public void flushAll() {
        generation++;
        translations.flushAll();
        select(cpu);
    }

    /** Forgets translations that are not global, of every PCID. */
    public void flushNonGlobal() {
        generation++;
        translations.flushNonGlobal();
    }

    /** INVLPG. */
    public void flushPage(long linear) {
        generation++;
        translations.flushPage(linear);
    }

    // ---- Breakpoints ----

    /** Called after DR0 to DR3 or DR7 changed, and after a restore. */
    public void setBreakpoints(Cpu owner) {
        boolean before = breakpoints.any;
        breakpoints.set(owner);
        if (before || breakpoints.any) {
            flushAll();
        }
    }

    // ---- Watched pages; the protocol is told in PageWatch ----

    /**
     * Watches a page before its instructions are decoded. What is read from the page after this call returns is either
     * current or will be reported as written.
     *
     * @param frame the guest-physical address shifted right by 12
     */
    public void watchCode(long frame) {
        if (memory.watchCode(frame, translations)) {
            translations.dropWrites(frame << 12);
        } else {
            translations.handleRequests();
        }
    }

    /** Drops the entries that other threads asked to drop. Called by the vCPU's thread whenever it leaves a block. */
    public void handleRequests() {
        translations.handleRequests();
    }

    /** From now on the current thread accesses memory for this vCPU: who wants entries dropped waits for it. */
    public void enter() {
        translations.enter();
    }

    /** No memory is accessed until {@link #enter}: nobody has to wait. */
    public void leave() {
        translations.leave();
    }
}
