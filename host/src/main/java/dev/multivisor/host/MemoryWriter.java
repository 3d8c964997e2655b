package dev.multivisor.host;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.util.BitSet;

/**
 * Writes a guest's memory, as it is at one moment, to a file, while the guest may run on and change it: whoever is about
 * to write to a page calls {@link #keep} first. Each page is taken once, by the thread that writes the file or by the one
 * that would change the page; who comes second waits until it is taken.
 */
final class MemoryWriter {
    /** More runs would make a restore slow. */
    static final int MOST_RUNS = 4096;

    private static final int PAGE = PageRuns.PAGE;

    /** Pages taken at once: nobody waits for longer than it takes to copy them. */
    private static final int CHUNK = 32;

    private static final byte WANTED = 0, BEING_TAKEN = 1, TAKEN = 2;
    private static final VarHandle STATE = MethodHandles.arrayElementVarHandle(byte[].class);
    private static final MemorySegment ZEROS = MemorySegment.ofArray(new byte[CHUNK * PAGE]);

    private final MemorySegment memory;
    private final FileChannel target;
    /** What pages are compared with and left out if they are the same; null for none. */
    private final MemorySegment base;

    private final byte[] states;
    private final BitSet written = new BitSet();
    private final MemoryChecksum checksum = new MemoryChecksum();
    private volatile IOException failure;

    /**
     * A writer that has not begun.
     *
     * @param wanted the pages to be written; null for all
     * @param base the memory that the file's pages will lie over; null if they lie over zeros
     */
    MemoryWriter(MemorySegment memory, FileChannel target, BitSet wanted, MemorySegment base) {
        this.memory = memory;
        this.target = target;
        this.base = base;
        states = new byte[Math.toIntExact(memory.byteSize() / PAGE)];
        if (wanted != null) {
            for (int page = 0; page < states.length; page++) {
                states[page] = wanted.get(page) ? WANTED : TAKEN;
            }
        }
    }

    // ---- Whoever is about to change the memory ----

    /** Takes a page, or waits until it is taken. Does not fail: who writes the file is told. */
    void keep(int page) {
        if (STATE.compareAndSet(states, page, WANTED, BEING_TAKEN)) {
            try {
                if (differs(page)) {
                    write(page, memory.asSlice((long) page * PAGE, PAGE));
                }
            } catch (IOException e) {
                failure = e;
            } finally {
                STATE.setRelease(states, page, TAKEN);
            }
            return;
        }
        while ((byte) STATE.getAcquire(states, page) != TAKEN) {
            Thread.onSpinWait();
        }
    }

    // ---- Whoever writes the file ----

    /** Takes all pages that are left and writes them. */
    void run() throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment copy = arena.allocate((long) CHUNK * PAGE, PAGE);
            for (int first = 0; first < states.length && failure == null; first += CHUNK) {
                take(first, Math.min(CHUNK, states.length - first), copy);
            }
        }
        if (failure != null) {
            throw failure;
        }
    }

    /** Copies what is left of a chunk, so that nobody waits for the disk, and writes it. */
    private void take(int first, int count, MemorySegment copy) throws IOException {
        long claimed = 0;
        long taken = 0;
        try {
            for (int n = 0; n < count; n++) {
                if (STATE.compareAndSet(states, first + n, WANTED, BEING_TAKEN)) {
                    claimed |= 1L << n;
                }
            }
            taken = changed(first, count, claimed);
            if (taken != 0) {
                MemorySegment.copy(memory, (long) first * PAGE, copy, 0, (long) count * PAGE);
            }
        } finally {
            for (int n = 0; n < count; n++) {
                if ((claimed >>> n & 1) != 0) {
                    STATE.setRelease(states, first + n, TAKEN);
                }
            }
        }
        for (int n = 0; n < count; ) {
            int end = n;
            while (end < count && (taken >>> end & 1) != 0) {
                end++;
            }
            if (end > n) {
                write(first + n, copy.asSlice((long) n * PAGE, (long) (end - n) * PAGE));
            }
            n = end + 1;
        }
    }

    /** Which of a chunk's taken pages are to be written. */
    private long changed(int first, int count, long taken) {
        long whole = count == 64 ? -1 : (1L << count) - 1;
        long start = (long) first * PAGE;
        long size = (long) count * PAGE;
        MemorySegment against = base == null ? ZEROS : base;
        long at = base == null ? 0 : start;
        if (taken == whole && MemorySegment.mismatch(memory, start, start + size, against, at, at + size) < 0) {
            return 0;
        }
        long changed = 0;
        for (int n = 0; n < count; n++) {
            if ((taken >>> n & 1) != 0 && differs(first + n)) {
                changed |= 1L << n;
            }
        }
        return changed;
    }

    private boolean differs(int page) {
        long start = (long) page * PAGE;
        MemorySegment against = base == null ? ZEROS : base;
        long at = base == null ? 0 : start;
        return MemorySegment.mismatch(memory, start, start + PAGE, against, at, at + PAGE) >= 0;
    }

    private static boolean zero(MemorySegment pages) {
        return MemorySegment.mismatch(pages, 0, PAGE, ZEROS, 0, PAGE) < 0;
    }

    /** Writes pages that are not what they lie over. Zeros stay holes. */
    private void write(int first, MemorySegment pages) throws IOException {
        int count = (int) (pages.byteSize() / PAGE);
        synchronized (written) {
            written.set(first, first + count);
        }
        for (int n = 0; n < count; ) {
            int end = n;
            while (end < count && !zero(pages.asSlice((long) end * PAGE, PAGE))) {
                end++;
            }
            if (end > n) {
                ByteBuffer run = pages.asSlice((long) n * PAGE, (long) (end - n) * PAGE).asByteBuffer();
                checksum.add(first + n, run.duplicate());
                long at = (long) (first + n) * PAGE;
                while (run.hasRemaining()) {
                    at += target.write(run, at);
                }
            }
            n = end + 1;
        }
    }

    /**
     * The pages that the file stands for now. If they are in too many runs, pages between them are written too, which are
     * those of the base.
     */
    PageRuns finish() throws IOException {
        PageRuns runs = PageRuns.of(written, MOST_RUNS);
        if (base != null && runs.pages() != written.cardinality()) {
            for (int run = 0; run < runs.count(); run++) {
                int first = (int) (runs.offset(run) / PAGE);
                int end = first + (int) (runs.size(run) / PAGE);
                for (int page = written.nextClearBit(first); page < end; page = written.nextClearBit(page)) {
                    write(page, base.asSlice((long) page * PAGE, PAGE));
                }
            }
        }
        return runs;
    }

    /** The checksum of the pages in the file. */
    long checksum() {
        return checksum.value();
    }
}
