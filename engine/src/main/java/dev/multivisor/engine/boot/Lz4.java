package dev.multivisor.engine.boot;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;

/**
 * Decodes LZ4's legacy frames, as {@code lz4 -l} writes them for kernels (lz4_Frame_format.md, "Legacy frame"). Every
 * block but the last one of a frame holds 8 MiB, so that all can be decoded at the same time.
 */
final class Lz4 {
    static final int MAGIC = 0x184c2102;

    private static final int BLOCK_SIZE = 8 << 20;

    /** Where a block's compressed bytes are. */
    private record Extent(int start, int end) {}

    private final byte[] in;
    private final byte[] out;
    private final int end;
    private final int start;
    private final int limit;
    private int at;
    private int filled;

    private Lz4(byte[] in, Extent extent, byte[] out, int start, int limit) {
        this.in = in;
        this.out = out;
        this.start = start;
        this.limit = limit;
        at = extent.start;
        end = extent.end;
        filled = start;
    }

    /** Returns how many bytes of the output were filled. */
    static int decode(byte[] in, byte[] out) throws IOException {
        List<Extent> blocks = blocks(in);
        if (blocks.size() == (out.length + BLOCK_SIZE - 1) / BLOCK_SIZE) {
            try {
                return blocks.stream()
                        .parallel()
                        .mapToInt(block -> whole(in, block, out, blocks.indexOf(block) * BLOCK_SIZE))
                        .sum();
            } catch (UncheckedIOException e) {
                throw e.getCause();
            }
        }
        int filled = 0;
        for (Extent block : blocks) {
            filled += new Lz4(in, block, out, filled, out.length).block();
        }
        return filled;
    }

    /** Decodes a block whose place in the output is known. */
    private static int whole(byte[] in, Extent block, byte[] out, int start) {
        int limit = Math.min(start + BLOCK_SIZE, out.length);
        try {
            int size = new Lz4(in, block, out, start, limit).block();
            if (size != limit - start) {
                throw new IOException("an LZ4 block has " + size + " bytes instead of " + (limit - start));
            }
            return size;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static List<Extent> blocks(byte[] in) throws IOException {
        List<Extent> blocks = new ArrayList<>();
        int at = 0;
        while (at < in.length) {
            if (in.length - at < 4) {
                throw new IOException("an LZ4 block's size is cut short");
            }
            int size = in[at] & 0xff | (in[at + 1] & 0xff) << 8 | (in[at + 2] & 0xff) << 16 | in[at + 3] << 24;
            at += 4;
            if (size == MAGIC) {
                continue;
            }
            if (size < 0 || size > in.length - at) {
                throw new IOException("an LZ4 block goes beyond the end");
            }
            blocks.add(new Extent(at, at + size));
            at += size;
        }
        return blocks;
    }

    private int block() throws IOException {
        while (at < end) {
            sequence();
        }
        return filled - start;
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
        if (distance == 0 || distance > filled - start || length > limit - filled) {
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
