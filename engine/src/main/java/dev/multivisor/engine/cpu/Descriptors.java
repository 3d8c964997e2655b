package dev.multivisor.engine.cpu;

/**
 * Segment and gate descriptors in memory (Intel SDM vol. 3, 3.4.5, 3.5 and 5.8). A descriptor is handled as the
 * 8 bytes it has in the table; its access rights as {@link Cpu#segmentAccess} has them.
 */
final class Descriptors {
    /** Access bits: accessed or busy, writable or readable, expand-down or conforming, code, code or data, present. */
    static final int ACCESSED = 1,
            WRITABLE = 2,
            READABLE = 2,
            EXPAND_DOWN = 4,
            CONFORMING = 4,
            CODE = 8,
            S = 16,
            PRESENT = 128;

    /** Access bits: 64-bit code, default size or big, granularity. */
    static final int L = 1 << 13, DB = 1 << 14, G = 1 << 15;

    /** System types (SDM vol. 3, table 3-2). */
    static final int TSS16 = 1,
            LDT = 2,
            TSS16_BUSY = 3,
            CALL16 = 4,
            TASK_GATE = 5,
            INTERRUPT16 = 6,
            TRAP16 = 7,
            TSS32 = 9,
            TSS32_BUSY = 11,
            CALL32 = 12,
            INTERRUPT32 = 14,
            TRAP32 = 15;

    private Descriptors() {}

    /** Access rights, without the limit's bits. */
    static int access(long descriptor) {
        return (int) (descriptor >>> 40) & 0xf0ff;
    }

    static long base(long descriptor) {
        return descriptor >>> 16 & 0xffffff | descriptor >>> 56 << 24;
    }

    /** In bytes, granularity applied. */
    static int limit(long descriptor) {
        int limit = (int) (descriptor & 0xffff | descriptor >>> 32 & 0xf0000);
        return (access(descriptor) & G) != 0 ? limit << 12 | 0xfff : limit;
    }

    static int dpl(int access) {
        return access >> 5 & 3;
    }

    static boolean present(int access) {
        return (access & PRESENT) != 0;
    }

    static boolean code(int access) {
        return (access & (S | CODE)) == (S | CODE);
    }

    static boolean conformingCode(int access) {
        return (access & (S | CODE | CONFORMING)) == (S | CODE | CONFORMING);
    }

    static boolean writableData(int access) {
        return (access & (S | CODE | WRITABLE)) == (S | WRITABLE);
    }

    static boolean readable(int access) {
        return (access & S) != 0 && (access & (CODE | READABLE)) != CODE;
    }

    static boolean system(int access) {
        return (access & S) == 0;
    }

    /** Type of a system descriptor, 0 to 15; 0 (reserved) if it is a segment. */
    static int systemType(int access) {
        return system(access) ? access & 15 : 0;
    }

    /** A gate's selector. */
    static int gateSelector(long gate) {
        return (int) (gate >>> 16) & 0xffff;
    }

    /** Offset of a 32-bit gate, or the low half of a 64-bit gate's. */
    static long gateOffset(long gate) {
        return gate & 0xffff | gate >>> 32 & 0xffff0000L;
    }

    static boolean isNull(int selector) {
        return (selector & 0xfffc) == 0;
    }

    static boolean canonical(long address) {
        return address << 16 >> 16 == address;
    }

    /** Linear address of a selector's descriptor, or -1 if some of its bytes are beyond the table's limit. */
    static long address(Cpu cpu, int selector, int size) {
        int offset = selector & 0xfff8;
        boolean local = (selector & 4) != 0;
        if (local && (cpu.segmentAccess[Cpu.LDTR] & PRESENT) == 0) {
            return -1;
        }
        long limit = local ? cpu.segmentLimit[Cpu.LDTR] & 0xffffffffL : cpu.gdtrLimit;
        if (offset + size - 1 > limit) {
            return -1;
        }
        return (local ? cpu.segmentBase[Cpu.LDTR] : cpu.gdtrBase) + offset;
    }

    /**
     * Reads a selector's descriptor.
     *
     * @param vector the exception if it is beyond the table
     * @param ext the EXT bit of its error code
     */
    static long read(Cpu cpu, int selector, int vector, int ext) {
        long address = address(cpu, selector, 8);
        if (address == -1) {
            throw cpu.fault(vector, selector & 0xfffc | ext);
        }
        return cpu.mmu.loadSystem(address, 8);
    }

    /** The second 8 bytes of a system descriptor in IA-32e mode. */
    static long readHigh(Cpu cpu, int selector, int vector, int ext) {
        long address = address(cpu, selector, 16);
        if (address == -1) {
            throw cpu.fault(vector, selector & 0xfffc | ext);
        }
        return cpu.mmu.loadSystem(address + 8, 8);
    }

    /** Sets the accessed bit of a code or data segment, in memory too; gives the access rights to load. */
    static int setAccessed(Cpu cpu, int selector, int access) {
        if ((access & ACCESSED) == 0) {
            cpu.mmu.storeSystem(address(cpu, selector, 8) + 5, 1, access | ACCESSED);
        }
        return access | ACCESSED;
    }

    /** Sets or clears the busy bit of a TSS descriptor in memory. */
    static void setBusy(Cpu cpu, int selector, int access, boolean busy) {
        cpu.mmu.storeSystem(address(cpu, selector, 8) + 5, 1, busy ? access | 2 : access & ~2);
    }
}
