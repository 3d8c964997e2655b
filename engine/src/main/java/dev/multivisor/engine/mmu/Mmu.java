package dev.multivisor.engine.mmu;

import dev.multivisor.engine.cpu.Cpu;

/**
 * One vCPU's view of memory: a software TLB in front of the page walk. Addresses are linear. Accesses may be unaligned and
 * may cross a page; both pages are checked before anything is changed.
 */
public final class Mmu {
    private final PhysicalMemory memory;

    public Mmu(PhysicalMemory memory) {
        this.memory = memory;
    }

    public PhysicalMemory memory() {
        return memory;
    }

    /** Connects the vCPU, whose fault object and registers are used. Called once. */
    public void attach(Cpu owner) {}

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
        return memory.load(linear, 1);
    }

    /** Zero-extended. */
    public long load16(long linear) {
        return memory.load(linear, 2);
    }

    /** Zero-extended. */
    public long load32(long linear) {
        return memory.load(linear, 4);
    }

    public long load64(long linear) {
        return memory.load(linear, 8);
    }

    public void store8(long linear, long value) {
        memory.store(linear, 1, value);
    }

    public void store16(long linear, long value) {
        memory.store(linear, 2, value);
    }

    public void store32(long linear, long value) {
        memory.store(linear, 4, value);
    }

    public void store64(long linear, long value) {
        memory.store(linear, 8, value);
    }

    /** Raises the fault that a write of some bytes would raise, if any, so that the write itself cannot fail. */
    public void checkWrite(long linear, int size) {}

    /** Loads for a read-modify-write instruction: faults are those of a write, and a store that follows cannot fail. */
    public long loadForWrite(long linear, int size) {
        checkWrite(linear, size);
        return load(linear, size);
    }

    /** Atomic compare-and-set of 1, 2, 4 or 8 bytes for LOCK: the store happens if memory holds the expected value. */
    public boolean compareAndSet(long linear, int size, long expected, long value) {
        if (load(linear, size) != expected) {
            return false;
        }
        store(linear, size, value);
        return true;
    }

    // ---- System structures, as supervisor whatever the CPL (Intel SDM vol. 3, 4.6.1, implicit accesses) ----

    /** Loads 1, 2, 4 or 8 bytes of a descriptor table or task-state segment, zero-extended. */
    public long loadSystem(long linear, int size) {
        return memory.load(linear, size);
    }

    /** Stores to a descriptor table or task-state segment. */
    public void storeSystem(long linear, int size, long value) {
        memory.store(linear, size, value);
    }

    // ---- Translation ----

    /** Called after CR0, CR3, CR4, EFER, EFLAGS.AC or CPL changed through {@link Cpu#updateMode}. */
    public void modeChanged(Cpu cpu) {}

    /** Forgets every translation, global ones too. */
    public void flushAll() {}

    /** Forgets translations that are not global: what MOV to CR3 does. */
    public void flushNonGlobal() {}

    /** INVLPG. */
    public void flushPage(long linear) {}
}
