package dev.multivisor.engine.mmu;

import java.lang.foreign.MemorySegment;

/** Runs of bytes at once, for string instructions, where the TLB says that they can be. */
public final class ByteRuns {
    private ByteRuns() {}

    /**
     * Copies as much as can be copied at once, ascending: not beyond the end of either page, and a multiple of 8 bytes.
     *
     * @return how many bytes were copied; 0 when it has to be done element by element (at least for one element, which
     *     also brings missing translations or the fault)
     */
    public static int copyWithinPages(Mmu mmu, long target, long source, int bytes) {
        long[] t = mmu.tags();
        int s = Tlb.find(t, source, Tlb.READ);
        int d = Tlb.find(t, target, Tlb.WRITE);
        if (s < 0 || d < 0) {
            return 0;
        }
        long from = source + t[s + Tlb.ADDEND];
        long to = target + t[d + Tlb.ADDEND];
        long count = Math.min(bytes, Math.min(4096 - (source & 4095), 4096 - (target & 4095)));
        if (to > from) {
            // Elements that an earlier element wrote must be read after it.
            count = Math.min(count, to - from);
        }
        count &= -8;
        if (count <= 0 || to == from) {
            return 0;
        }
        MemorySegment ram = mmu.memory().ram();
        MemorySegment.copy(ram, from, ram, to, count);
        return (int) count;
    }

    /**
     * Fills as much as can be filled at once with a pattern of 1, 2, 4 or 8 bytes: not beyond the end of the page, and
     * a multiple of 8 bytes.
     *
     * @return how many bytes were filled; 0 when it has to be done element by element
     */
    public static int fillWithinPage(Mmu mmu, long target, int size, long pattern, int bytes) {
        long[] t = mmu.tags();
        int d = Tlb.find(t, target, Tlb.WRITE);
        if (d < 0) {
            return 0;
        }
        int count = (int) Math.min(bytes, 4096 - (target & 4095)) & -8;
        if (count <= 0) {
            return 0;
        }
        long word = switch (size) {
            case 1 -> (pattern & 0xff) * 0x0101010101010101L;
            case 2 -> (pattern & 0xffff) * 0x0001000100010001L;
            case 4 -> (pattern & 0xffffffffL) * 0x0000000100000001L;
            default -> pattern;
        };
        long to = target + t[d + Tlb.ADDEND];
        MemorySegment ram = mmu.memory().ram();
        if (word == (word & 0xff) * 0x0101010101010101L) {
            ram.asSlice(to, count).fill((byte) word);
        } else {
            for (int n = 0; n < count; n += 8) {
                ram.set(PhysicalMemory.LONG, to + n, word);
            }
        }
        return count;
    }
}
