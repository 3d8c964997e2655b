package dev.multivisor.host;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLongArray;

/**
 * Two bits for each page of guest memory, which the base and the engines share (see
 * {@link dev.multivisor.api.PageTracking#observe}): whether it was written since the bit was cleared, and whether its
 * content is to be kept before it is written. While nobody logs, all pages count as written.
 */
final class PageBits {
    private final MemorySegment memory;
    private final int pages;

    // Made with the first user: a machine whose memory nobody watches has none.
    private AtomicLongArray dirty;
    private AtomicLongArray keep;

    private EngineTracking engines;
    private Execution execution;

    // Guarded by the lock of engines:
    private final List<DirtyLog> logs = new ArrayList<>();
    private volatile Optional<KeptPages> kept = Optional.empty();

    PageBits(MemorySegment memory) {
        this.memory = memory;
        pages = (int) (memory.byteSize() >>> 12);
    }

    void attach(EngineTracking tracking, Execution running) {
        engines = tracking;
        execution = running;
    }

    /** Called with the lock of engines held, as is {@link #keep()}. */
    AtomicLongArray dirty() {
        if (dirty == null) {
            dirty = new AtomicLongArray(pages + 63 >>> 6);
            fill(dirty, -1);
        }
        return dirty;
    }

    AtomicLongArray keep() {
        if (keep == null) {
            keep = new AtomicLongArray(pages + 63 >>> 6);
        }
        return keep;
    }

    int pages() {
        return pages;
    }

    void requirePages(long first, long count) {
        if (first < 0 || count < 0 || first > pages - count) {
            throw new HostException(
                    "guest memory: there are no pages " + first + " to " + (first + count - 1) + " of " + pages);
        }
    }

    private static void fill(AtomicLongArray bits, long word) {
        for (int n = 0; n < bits.length(); n++) {
            bits.setPlain(n, word);
        }
        java.lang.invoke.VarHandle.fullFence();
    }

    // ---- Dirty logs ----

    DirtyLog log() {
        DirtyLog log = new DirtyLog(this);
        engines.lock();
        try {
            engines.use();
            collect(0, pages);
            logs.add(log);
        } finally {
            engines.unlock();
        }
        return log;
    }

    BitSet take(DirtyLog log, long first, long count) {
        requirePages(first, count);
        engines.lock();
        try {
            engines.requireOpen();
            if (!logs.contains(log)) {
                throw new HostException("dirty log: is closed");
            }
            collect((int) first, (int) count);
            return log.fetch((int) first, (int) count);
        } finally {
            engines.unlock();
        }
    }

    /** Clears bits, sees to it that writes set them again, and gives what was set to every log. */
    private void collect(int first, int count) {
        int end = first + count;
        for (int word = first >>> 6; word << 6 < end; word++) {
            long mask = mask(word, first, end);
            if ((dirty.get(word) & mask) == 0) {
                continue;
            }
            long cleared = mask;
            long set = dirty.getAndUpdate(word, old -> old & ~cleared) & mask;
            if (set != 0) {
                for (DirtyLog log : logs) {
                    log.merge(word, set);
                }
            }
        }
        engines.refresh();
    }

    /** Those bits of a word of 64 that stand for the pages from {@code first} up to {@code end}. */
    static long mask(int word, int first, int end) {
        long mask = word == first >>> 6 ? -1L << first : -1;
        return word == end >>> 6 ? mask & ~(-1L << end) : mask;
    }

    void close(DirtyLog log) {
        engines.lock();
        try {
            if (logs.remove(log)) {
                engines.endUse();
                if (logs.isEmpty()) {
                    fill(dirty, -1);
                }
            }
        } finally {
            engines.unlock();
        }
    }

    // ---- Kept pages ----

    KeptPages keep(KeptPages.Sink sink) {
        engines.lock();
        try {
            execution.requireStopped("pages can be kept");
            if (kept.isPresent()) {
                throw new HostException("pages are being kept already");
            }
            engines.use();
            KeptPages pagesKept = new KeptPages(this, sink, memory, keep);
            fill(keep, -1);
            kept = Optional.of(pagesKept);
            engines.refresh();
            return pagesKept;
        } finally {
            engines.unlock();
        }
    }

    void beforeWrite(long page) {
        kept.ifPresent(now -> now.keep(page));
    }

    void close(KeptPages ended) {
        engines.lock();
        try {
            if (kept.isPresent() && kept.get() == ended) {
                fill(keep, 0);
                kept = Optional.empty();
                engines.endUse();
            }
        } finally {
            engines.unlock();
        }
    }

    /** The machine is gone, its memory is not yet. */
    void close() {
        kept.ifPresent(KeptPages::close);
    }
}
