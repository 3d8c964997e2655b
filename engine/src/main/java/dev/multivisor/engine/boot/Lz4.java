package dev.multivisor.engine.boot;

import java.io.IOException;

/** Decodes LZ4's legacy frames, as {@code lz4 -l} writes them for kernels (lz4_Frame_format.md, "Legacy frame"). */
final class Lz4 {
    static final int MAGIC = 0x184c2102;

    private final byte[] in;
    private final byte[] out;
    private int at;
    private int filled;

    private Lz4(byte[] in, byte[] out) {
        this.in = in;
        this.out = out;
    }

    /** Returns how many bytes of the output were filled. */
    static int decode(byte[] in, byte[] out) throws IOException {
        var lz4 = new Lz4(in, out);
        while (lz4.at < in.length) {
            int size = lz4.int32();
            if (size == MAGIC) {
                continue;
            }
            if (size < 0 || size > in.length - lz4.at) {
                throw new IOException("an LZ4 block goes beyond the end");
            }
            lz4.block(lz4.at + size);
        }
        return lz4.filled;
    }

    private int int32() throws IOException {
        if (in.length - at < 4) {
            throw new IOException("an LZ4 block's size is cut short");
        }
        int value = in[at] & 0xff | (in[at + 1] & 0xff) << 8 | (in[at + 2] & 0xff) << 16 | in[at + 3] << 24;
        at += 4;
        return value;
    }

    private void block(int end) throws IOException {
        int start = filled;
        while (at < end) {
            int token = in[at++] & 0xff;
            int literals = length(token >>> 4, end);
            if (literals > end - at || literals > out.length - filled) {
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
            int length = length(token & 15, end) + 4;
            if (distance == 0 || distance > filled - start || length > out.length - filled) {
                throw new IOException("an LZ4 match is out of range");
            }
            copy(out, filled, distance, length);
            filled += length;
        }
    }

    private int length(int nibble, int end) throws IOException {
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
