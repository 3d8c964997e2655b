package dev.multivisor.engine.boot;

import dev.multivisor.engine.mmu.PhysicalMemory;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Decodes LZ4's legacy frames, as {@code lz4 -l} writes them for kernels (lz4_Frame_format.md, "Legacy frame"). Every
 * block but the last one of a frame holds 8 MiB, so that all can be decoded at the same time.
 */
final class Lz4 {
    static final int MAGIC = 0x184c2102;

    private static final int BLOCK_SIZE = 8 << 20;

    /** Where a block's compressed bytes are. */
    private record Extent(long start, int size) {}

    /** A block's compressed bytes, and what it holds. */
    private byte[] in = {};

    private final byte[] out;
    private int end;
    private int limit;
    private int at;
    private int filled;

    private Lz4(int room) {
        out = new byte[room];
    }

    /**
     * Returns how many bytes of the output were filled. Besides that it takes a block of memory for each processor.
     *
     * @param out may be used by several threads
     */
    static long decode(MemorySegment in, MemorySegment out) throws IOException {
        List<Extent> blocks = blocks(in);
        int room = (int) Math.min(BLOCK_SIZE, out.byteSize());
        if (blocks.size() == (out.byteSize() + BLOCK_SIZE - 1) / BLOCK_SIZE) {
            int lanes = Math.min(blocks.size(), Runtime.getRuntime().availableProcessors());
            try {
                return IntStream.range(0, lanes)
                        .parallel()
                        .mapToLong(lane -> new Lz4(room).lane(in, blocks, lane, lanes, out))
                        .sum();
            } catch (UncheckedIOException e) {
                throw e.getCause();
            }
        }
        Lz4 decoder = new Lz4(room);
        long filled = 0;
        for (Extent block : blocks) {
            filled += decoder.block(in, block, out, filled);
        }
        return filled;
    }

    /** Decodes every so many blocks, whose places in the output are known. */
    private long lane(MemorySegment in, List<Extent> blocks, int first, int step, MemorySegment out) {
        try {
            long sum = 0;
            for (int n = first; n < blocks.size(); n += step) {
                long start = (long) n * BLOCK_SIZE;
                int size = block(in, blocks.get(n), out, start);
                long whole = Math.min(BLOCK_SIZE, out.byteSize() - start);
                if (size != whole) {
                    throw new IOException("an LZ4 block has " + size + " bytes instead of " + whole);
                }
                sum += size;
            }
            return sum;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static List<Extent> blocks(MemorySegment in) throws IOException {
        List<Extent> blocks = new ArrayList<>();
        long at = 0;
        while (at < in.byteSize()) {
            if (in.byteSize() - at < 4) {
                throw new IOException("an LZ4 block's size is cut short");
            }
            int size = in.get(PhysicalMemory.INT, at);
            at += 4;
            if (size == MAGIC) {
                continue;
            }
            if (size < 0 || size > in.byteSize() - at) {
                throw new IOException("an LZ4 block goes beyond the end");
            }
            blocks.add(new Extent(at, size));
            at += size;
        }
        return blocks;
    }

    /** Decodes a block to a place in the output; returns its size. */
    private int block(MemorySegment from, Extent extent, MemorySegment to, long start) throws IOException {
        if (in.length < extent.size) {
            in = new byte[extent.size];
        }
        MemorySegment.copy(from, ValueLayout.JAVA_BYTE, extent.start, in, 0, extent.size);
        at = 0;
        end = extent.size;
        filled = 0;
        limit = (int) Math.min(out.length, to.byteSize() - start);
        while (at < end) {
            sequence();
        }
        MemorySegment.copy(out, 0, to, ValueLayout.JAVA_BYTE, start, filled);
        return filled;
    }

    // A method for each step, because the JVM compiles those sooner than a loop that it is in.
    private void sequence() throws IOException {
        int token = in[at++] & 0xff;
        int literals = length(token >>> 4);
        if (literals > end - at || literals > limit - filled) {
            throw new IOException("LZ4 literals go beyond the end");
        }
        System.arraycopy(in, at, out, filled, literals);
        at += literals;
        filled += literals;
        if (at == end) {
            return;
        }
        if (end - at < 2) {
            throw new IOException("an LZ4 match is cut short");
        }
        int distance = in[at] & 0xff | (in[at + 1] & 0xff) << 8;
        at += 2;
        int length = length(token & 15) + 4;
        if (distance == 0 || distance > filled || length > limit - filled) {
            throw new IOException("an LZ4 match is out of range");
        }
        copy(out, filled, distance, length);
        filled += length;
    }

    private int length(int nibble) throws IOException {
        int length = nibble;
        if (nibble == 15) {
            int more;
            do {
                if (at >= end || length > out.length) {
                    throw new IOException("an LZ4 length is out of range");
                }
                more = in[at++] & 0xff;
                length += more;
            } while (more == 255);
        }
        return length;
    }

    /** Repeats earlier output; source and target may overlap. */
    static void copy(byte[] out, int to, int distance, int length) {
        if (distance >= length) {
            System.arraycopy(out, to - distance, out, to, length);
            return;
        }
        for (int i = to, end = to + length; i < end; i++) {
            out[i] = out[i - distance];
        }
    }
}
