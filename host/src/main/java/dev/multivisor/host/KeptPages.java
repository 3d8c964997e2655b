package dev.multivisor.host;

import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.atomic.AtomicReference;

/**
 * Guest memory as it was at a moment, while the guest goes on: a page that is about to be written goes to the sink
 * first, on the thread that wants to write, and then is as fast as ever. The others are fetched by {@link #keepRest}.
 */
public final class KeptPages implements AutoCloseable {
    /** Takes pages, each once, from several threads at a time. Is quick: a vCPU waits for it. */
    @FunctionalInterface
    public interface Sink {
        /**
         * Copies a page.
         *
         * @param page where it lies in the machine's memory, as an offset shifted right by 12
         * @param content 4096 bytes, read-only, good until the method returns
         */
        void keep(long page, MemorySegment content);
    }

    private static final int STRIPES = 64;

    private final PageBits bits;
    private final Sink sink;
    private final MemorySegment memory;
    private final AtomicLongArray wanted;
    private final Object[] stripes = new Object[STRIPES];
    private final AtomicLong left;
    private final AtomicReference<Throwable> failure = new AtomicReference<>();

    KeptPages(PageBits bits, Sink sink, MemorySegment memory, AtomicLongArray wanted) {
        this.bits = bits;
        this.sink = sink;
        this.memory = memory;
        this.wanted = wanted;
        left = new AtomicLong(bits.pages());
        for (int n = 0; n < STRIPES; n++) {
            stripes[n] = new Object();
        }
    }

    /** How many pages the sink has not got yet. */
    public long left() {
        return left.get();
    }

    /**
     * Gives those pages of a range to the sink that it has not got yet.
     *
     * @throws HostException if there are no such pages, or if the sink has failed, for these pages or earlier ones
     */
    public void keepRest(long firstPage, long count) {
        bits.requirePages(firstPage, count);
        for (long page = firstPage; page < firstPage + count; page++) {
            keep(page);
        }
        Throwable failed = failure.get();
        if (failed != null) {
            throw new HostException("guest memory was not kept: " + Execution.describe(failed), failed);
        }
    }

    /** Keeps no more pages: those that the sink has not got are lost to it. Does nothing if it is closed already. */
    @Override
    public void close() {
        bits.close(this);
        // A sink that is at work has its page in use.
        for (Object stripe : stripes) {
            synchronized (stripe) {
                continue;
            }
        }
    }

    void keep(long page) {
        int word = (int) (page >>> 6);
        long bit = 1L << page;
        if ((wanted.get(word) & bit) == 0) {
            return;
        }
        synchronized (stripes[(int) page & STRIPES - 1]) {
            if ((wanted.get(word) & bit) == 0) {
                return;
            }
            try {
                sink.keep(page, memory.asSlice(page << 12, 4096).asReadOnly());
            } catch (Throwable e) {
                // The guest goes on; whoever asks for the rest is told.
                failure.compareAndSet(null, e);
            }
            wanted.getAndUpdate(word, old -> old & ~bit);
            left.decrementAndGet();
        }
    }
}
