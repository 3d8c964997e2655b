package dev.multivisor.host;

import java.lang.foreign.MemorySegment;
import java.util.BitSet;

/** Copies a guest's memory into another one. Pages that are the same already are left as they are: zeros stay not there. */
final class MemoryCopy implements KeptPages.Sink {
    private static final int PAGE = PageRuns.PAGE;

    private final MemorySegment from;
    private final MemorySegment to;

    MemoryCopy(GuestRam from, GuestRam to) {
        this.from = from.bytes();
        this.to = to.bytes();
    }

    @Override
    public void keep(long page, MemorySegment content) {
        MemorySegment copy = to.asSlice(page * PAGE, PAGE);
        if (copy.mismatch(content) >= 0) {
            copy.copyFrom(content);
        }
    }

    /**
     * Copies all of it as it is, whether the guest runs or not.
     *
     * @param but pages that are left out
     * @param end when the time for that is over, by {@link System#nanoTime}
     * @return the pages that were not the same; those from where the time was over on are none
     */
    BitSet all(BitSet but, long end) {
        BitSet pages = new BitSet();
        for (int page = 0; page < from.byteSize() / PAGE && System.nanoTime() - end < 0; page++) {
            long at = (long) page * PAGE;
            if (!but.get(page) && MemorySegment.mismatch(from, at, at + PAGE, to, at, at + PAGE) >= 0) {
                copy(page);
                pages.set(page);
            }
        }
        return pages;
    }

    /** Copies one page as it is. */
    void copy(int page) {
        MemorySegment.copy(from, (long) page * PAGE, to, (long) page * PAGE, PAGE);
    }
}
