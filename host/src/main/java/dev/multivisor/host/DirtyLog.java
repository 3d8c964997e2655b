package dev.multivisor.host;

import java.util.Arrays;
import java.util.BitSet;

/**
 * Which pages of guest memory were written, by whomever. Each write is in the answer of exactly one {@link #take}, or
 * its page is written again meanwhile. Pages are counted by where they lie in the machine's memory: page n is at the
 * offset n * 4096 in {@link dev.multivisor.api.GuestMemory#bytes}. Safe for use by several threads.
 */
public final class DirtyLog implements AutoCloseable {
    private final PageBits bits;

    /** Pages written since the last take, 64 a word as in {@link PageBits}. Guarded by the lock of the tracking. */
    private final long[] written;

    DirtyLog(PageBits bits) {
        this.bits = bits;
        written = new long[bits.pages() + 63 >>> 6];
    }

    /**
     * The pages of a range that were written since the log was opened or the page was last taken, and clears them. Who
     * reads a page after that finds every write that no later answer will tell of.
     *
     * <p>As KVM_GET_DIRTY_LOG with KVM_CLEAR_DIRTY_LOG in one step, but for any number of logs at a time.
     *
     * @return pages by their number minus {@code firstPage}
     * @throws HostException if there are no such pages, or if this or the machine is closed
     */
    public BitSet take(long firstPage, long count) {
        return bits.take(this, firstPage, count);
    }

    /** Ends the log; pages that no other log is interested in are fast again. Does nothing if it is closed already. */
    @Override
    public void close() {
        bits.close(this);
    }

    void merge(int word, long set) {
        written[word] |= set;
    }

    /** A guest may stand still for it: so whole words are taken. */
    BitSet fetch(int first, int count) {
        if (count == 0) {
            return new BitSet();
        }
        int low = first >>> 6;
        int high = first + count + 63 >>> 6;
        long[] words = Arrays.copyOfRange(written, low, high);
        BitSet taken = BitSet.valueOf(words).get(first & 63, (first & 63) + count);
        for (int word = low; word < high; word++) {
            written[word] &= ~PageBits.mask(word, first, first + count);
        }
        return taken;
    }
}
