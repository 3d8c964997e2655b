package dev.multivisor.host;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.util.BitSet;
import java.util.Optional;

/**
 * Writes a guest's memory to a file, as it is at one moment: all at once while the guest stands still, or page by page as
 * a sink of {@link KeptPages} while it runs on. Pages that are what they will lie over are left out.
 */
final class MemoryWriter implements KeptPages.Sink {
    /** More runs would make a restore slow. */
    static final int MOST_RUNS = 4096;

    private static final int PAGE = PageRuns.PAGE;

    /** Pages looked at in one go. */
    private static final int CHUNK = 64;

    private static final MemorySegment ZEROS = MemorySegment.ofArray(new byte[CHUNK * PAGE]);

    private final MemorySegment memory;
    private final FileChannel target;
    private final Optional<MemorySegment> base;
    private final MemoryChecksum checksum = new MemoryChecksum();

    /** Guarded by itself. */
    private final BitSet written = new BitSet();

    /** The pages that may be other than those of the base; empty for all. */
    private volatile Optional<BitSet> changed = Optional.empty();

    /**
     * A writer that has not begun.
     *
     * @param base the memory that the file's pages will lie over; empty if they lie over zeros
     */
    MemoryWriter(MemorySegment memory, FileChannel target, Optional<MemorySegment> base) {
        this.memory = memory;
        this.target = target;
        this.base = base;
    }

    /** Looks at these pages only. */
    void only(BitSet pages) {
        changed = Optional.of(pages);
    }

    // ---- While the guest stands still ----

    /** Writes all of it. */
    void writeAll() throws IOException {
        int pages = Math.toIntExact(memory.byteSize() / PAGE);
        for (int first = 0; first < pages; first += CHUNK) {
            int end = Math.min(first + CHUNK, pages);
            if (!same(first, end)) {
                for (int page = first; page < end; page++) {
                    int start = page;
                    while (page < end && differs(page)) {
                        page++;
                    }
                    if (page > start) {
                        write(start, memory.asSlice((long) start * PAGE, (long) (page - start) * PAGE));
                    }
                }
            }
        }
    }

    // ---- While it runs ----

    @Override
    public void keep(long page, MemorySegment content) {
        try {
            if (differs((int) page)) {
                write((int) page, content);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    // ---- What is written ----

    private boolean differs(int page) {
        return changed.map(pages -> pages.get(page)).orElse(true) && !same(page, page + 1);
    }

    /** Whether pages are what they will lie over. */
    private boolean same(int first, int end) {
        long start = (long) first * PAGE;
        long size = (long) (end - first) * PAGE;
        MemorySegment under = base.orElse(ZEROS);
        long at = base.isPresent() ? start : 0;
        return MemorySegment.mismatch(memory, start, start + size, under, at, at + size) < 0;
    }

    /** Writes pages; zeros stay holes. */
    private void write(int first, MemorySegment pages) throws IOException {
        int count = (int) (pages.byteSize() / PAGE);
        synchronized (written) {
            written.set(first, first + count);
        }
        for (int n = 0; n < count; n++) {
            int start = n;
            while (n < count && !zero(pages, n)) {
                n++;
            }
            if (n > start) {
                ByteBuffer run = pages.asSlice((long) start * PAGE, (long) (n - start) * PAGE)
                        .asByteBuffer();
                checksum.add(first + start, run.duplicate());
                long at = (long) (first + start) * PAGE;
                while (run.hasRemaining()) {
                    at += target.write(run, at);
                }
            }
        }
    }

    private static boolean zero(MemorySegment pages, int page) {
        long start = (long) page * PAGE;
        return MemorySegment.mismatch(pages, start, start + PAGE, ZEROS, 0, PAGE) < 0;
    }

    /**
     * The pages that the file stands for, when all are written. If they are in too many runs, pages between them are
     * written too, which are those of the base.
     */
    PageRuns finish() throws IOException {
        PageRuns runs;
        BitSet between = new BitSet();
        synchronized (written) {
            runs = PageRuns.of(written, MOST_RUNS);
            for (int run = 0; run < runs.count(); run++) {
                between.set((int) (runs.offset(run) / PAGE), (int) ((runs.offset(run) + runs.size(run)) / PAGE));
            }
            between.andNot(written);
        }
        if (base.isPresent()) {
            for (int page = between.nextSetBit(0); page >= 0; page = between.nextSetBit(page + 1)) {
                write(page, base.get().asSlice((long) page * PAGE, PAGE));
            }
        }
        return runs;
    }

    /** The checksum of the pages in the file. */
    long checksum() {
        return checksum.value();
    }
}
