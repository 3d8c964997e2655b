package dev.multivisor.host;

import java.util.BitSet;

/**
 * Which pages of guest memory were written, by whomever. Each write is in the answer of exactly one {@link #take}, or
 * its page is written again meanwhile. Pages are counted by where they lie in the machine's memory: page n is at the
 * offset n * 4096 in {@link dev.multivisor.api.GuestMemory#bytes}. Safe for use by several threads.
 */
public final class DirtyLog implements AutoCloseable {
    private final PageBits bits;

    /** Pages written since the last take. Guarded by the lock of the tracking. */
    private final BitSet written = new BitSet();

    DirtyLog(PageBits bits) {
        this.bits = bits;
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
        BitSet more = BitSet.valueOf(new long[] {set});
        more.stream().forEach(bit -> written.set((word << 6) + bit));
    }

    BitSet fetch(int first, int count) {
        BitSet taken = written.get(first, first + count);
        written.clear(first, first + count);
        return taken;
    }
}
