package dev.multivisor.engine.cpu;

/**
 * A stack while control is being transferred: pushes and pops move its own pointer, and {@link #commit} makes it the
 * current one when nothing can fail any more.
 */
final class Frame {
    private final Cpu cpu;
    private final boolean flat;
    private final long base;
    private final long limit;
    private final int access;
    private final long mask;
    private final boolean supervisor;
    private final int error;
    private long pointer;

    private Frame(
            Cpu cpu, boolean flat, long base, int limit, int access, long pointer, boolean supervisor, int error) {
        this.cpu = cpu;
        this.flat = flat;
        this.base = base;
        this.limit = limit & 0xffffffffL;
        this.access = access;
        this.mask = flat ? -1 : (access & Descriptors.DB) != 0 ? 0xffffffffL : 0xffff;
        this.pointer = pointer;
        this.supervisor = supervisor;
        this.error = error;
    }

    /** The stack of the present privilege level. */
    static Frame current(Cpu cpu, int error) {
        return new Frame(
                cpu,
                cpu.codeSize == 64,
                cpu.segmentBase[Cpu.SS],
                cpu.segmentLimit[Cpu.SS],
                cpu.segmentAccess[Cpu.SS],
                cpu.r[Cpu.RSP],
                false,
                error);
    }

    /** A stack of 64-bit mode for a level below 3, or for the present one. */
    static Frame flat(Cpu cpu, long pointer, boolean supervisor, int error) {
        return new Frame(cpu, true, 0, -1, 0, pointer, supervisor, error);
    }

    /**
     * An inner level's stack.
     *
     * @param error error code of #SS if it is left
     */
    static Frame inner(Cpu cpu, long descriptor, long pointer, int error) {
        return new Frame(
                cpu,
                false,
                Descriptors.base(descriptor),
                Descriptors.limit(descriptor),
                Descriptors.access(descriptor),
                pointer,
                true,
                error);
    }

    void push(int size, long value) {
        long next = pointer - size;
        store(next & mask, size, value);
        pointer = merge(next);
    }

    /** A 16-bit stack leaves the rest of RSP alone; a 32-bit one clears the upper half. */
    private long merge(long next) {
        return mask == 0xffff ? next & mask | pointer & ~mask : next & mask;
    }

    long pop(int size) {
        long offset = pointer & mask;
        long linear = linear(offset, size);
        long value = supervisor ? cpu.mmu.loadSystem(linear, size) : cpu.mmu.load(linear, size);
        drop(size);
        return value;
    }

    /** What is some bytes above the pointer. */
    long peek(long distance, int size) {
        long linear = linear(pointer + distance & mask, size);
        return supervisor ? cpu.mmu.loadSystem(linear, size) : cpu.mmu.load(linear, size);
    }

    void drop(long bytes) {
        pointer = merge(pointer + bytes);
    }

    long pointer() {
        return pointer;
    }

    /** Sets RSP. Outside 64-bit mode only the part that the stack's size uses. */
    void commit() {
        cpu.r[Cpu.RSP] = pointer;
    }

    /** Sets RSP to a pointer popped for a stack segment of the present SS, after a change of privilege. */
    static void setPointer(Cpu cpu, long value) {
        if (cpu.codeSize == 64) {
            cpu.r[Cpu.RSP] = value;
        } else if ((cpu.segmentAccess[Cpu.SS] & Descriptors.DB) != 0) {
            cpu.r[Cpu.RSP] = value & 0xffffffffL;
        } else {
            cpu.r[Cpu.RSP] = cpu.r[Cpu.RSP] & ~0xffffL | value & 0xffff;
        }
    }

    private void store(long offset, int size, long value) {
        long linear = linear(offset, size);
        if (supervisor) {
            cpu.mmu.storeSystem(linear, size, value);
        } else {
            cpu.mmu.store(linear, size, value);
        }
    }

    private long linear(long offset, int size) {
        if (flat) {
            if (!Descriptors.canonical(offset) || !Descriptors.canonical(offset + size - 1)) {
                throw cpu.fault(CpuFault.SS, error);
            }
            return offset;
        }
        long last = offset + size - 1;
        boolean down = (access & (Descriptors.CODE | Descriptors.EXPAND_DOWN)) == Descriptors.EXPAND_DOWN;
        boolean inside = down ? offset > limit && last <= mask : last <= limit;
        if (!inside) {
            throw cpu.fault(CpuFault.SS, error);
        }
        return base + offset & 0xffffffffL;
    }
}
