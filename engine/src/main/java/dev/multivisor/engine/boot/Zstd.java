package dev.multivisor.engine.boot;

import java.io.IOException;
import java.util.Arrays;

/**
 * Decodes Zstandard frames into an array that takes all of the output, so that any window size will do: kernels are
 * compressed with windows of up to 128 MiB, which the Java decoders at hand refuse (RFC 8878).
 */
final class Zstd {
    static final int MAGIC = 0xfd2fb528;
    private static final int SKIPPABLE = 0x184d2a50, MAX_BLOCK = 128 << 10;

    private final byte[] in;
    private final int end;
    private final byte[] out;
    private int at;
    private int filled;

    private int frameStart;
    private int blockLimit;
    private final byte[] literals = new byte[MAX_BLOCK];
    private int literalCount;
    private final ZstdSequences sequences = new ZstdSequences();
    private ZstdHuffman huffman;

    private Zstd(byte[] in, byte[] out) {
        this.in = Arrays.copyOf(in, in.length + 8);
        this.end = in.length;
        this.out = out;
    }

    /** Returns how many bytes of the output were filled. */
    static int decode(byte[] in, byte[] out) throws IOException {
        var zstd = new Zstd(in, out);
        try {
            while (zstd.at < zstd.end) {
                zstd.frame();
            }
        } catch (IndexOutOfBoundsException e) {
            throw new IOException("the Zstandard data is damaged", e);
        }
        return zstd.filled;
    }

    static IOException damaged(String what) {
        return new IOException("Zstandard: " + what);
    }

    static void check(boolean condition, String what) throws IOException {
        if (!condition) {
            throw damaged(what);
        }
    }

    private long little(int bytes) throws IOException {
        check(end - at >= bytes, "cut short");
        long value = 0;
        for (int i = 0; i < bytes; i++) {
            value |= (in[at + i] & 0xffL) << 8 * i;
        }
        at += bytes;
        return value;
    }

    private void frame() throws IOException {
        int magic = (int) little(4);
        if ((magic & ~15) == SKIPPABLE) {
            long size = little(4);
            check(size <= end - at, "a skippable frame goes beyond the end");
            at += (int) size;
            return;
        }
        check(magic == MAGIC, "wrong magic number");
        int descriptor = (int) little(1);
        check((descriptor & 8) == 0, "reserved bit in the frame header");
        boolean single = (descriptor & 0x20) != 0;
        long window = 0;
        if (!single) {
            int code = (int) little(1);
            long base = 1L << 10 + (code >>> 3);
            window = base + base / 8 * (code & 7);
        }
        long dictionary = little(new int[] {0, 1, 2, 4}[descriptor & 3]);
        check(dictionary == 0, "needs a dictionary");
        int sizeBytes = new int[] {single ? 1 : 0, 2, 4, 8}[descriptor >>> 6];
        long size = little(sizeBytes) + (sizeBytes == 2 ? 256 : 0);
        check(sizeBytes == 0 || size >= 0 && size <= out.length - filled, "content is larger than announced");
        blockLimit = (int) Math.min(MAX_BLOCK, single ? Math.max(size, 1) : window);

        frameStart = filled;
        huffman = null;
        sequences.reset();
        boolean last;
        do {
            int header = (int) little(3);
            last = (header & 1) != 0;
            block(header >>> 1 & 3, header >>> 3);
        } while (!last);
        check(sizeBytes == 0 || filled - frameStart == size, "content size does not match");
        if ((descriptor & 4) != 0) {
            int sum = (int) little(4);
            check(sum == (int) XxHash64.hash(out, frameStart, filled), "wrong checksum");
        }
    }

    private void block(int type, int size) throws IOException {
        check(size <= blockLimit, "a block is too large");
        check(type != 3, "reserved block type");
        check((type == 1 ? 1 : size) <= end - at, "a block goes beyond the end");
        switch (type) {
            case 0 -> {
                room(size);
                System.arraycopy(in, at, out, filled, size);
                at += size;
                filled += size;
            }
            case 1 -> {
                room(size);
                Arrays.fill(out, filled, filled + size, in[at++]);
                filled += size;
            }
            default -> {
                int blockEnd = at + size;
                literals(blockEnd);
                execute(sequences.start(in, at, blockEnd));
                at = blockEnd;
            }
        }
    }

    private void room(int size) throws IOException {
        check(size <= out.length - filled, "more content than announced");
    }

    /** The literals section (3.1.1.3.1). */
    private void literals(int blockEnd) throws IOException {
        check(at < blockEnd, "an empty block");
        int first = in[at] & 0xff;
        int type = first & 3;
        int format = first >>> 2 & 3;
        if (type < 2) {
            int bytes = format == 1 ? 2 : format == 3 ? 3 : 1;
            long header = little(bytes);
            literalCount = (int) (header >>> (bytes == 1 ? 3 : 4));
            check(literalCount <= MAX_BLOCK, "too many literals");
            int stored = type == 0 ? literalCount : 1;
            check(stored <= blockEnd - at, "literals go beyond the block");
            if (type == 0) {
                System.arraycopy(in, at, literals, 0, literalCount);
            } else {
                Arrays.fill(literals, 0, literalCount, in[at]);
            }
            at += stored;
            return;
        }
        int bytes = format < 2 ? 3 : format + 2;
        int bits = format < 2 ? 10 : format == 2 ? 14 : 18;
        long header = little(bytes) >>> 4;
        literalCount = (int) header & (1 << bits) - 1;
        int size = (int) (header >>> bits) & (1 << bits) - 1;
        check(literalCount <= MAX_BLOCK && size <= blockEnd - at, "literals go beyond the block");
        int literalsEnd = at + size;
        if (type == 2) {
            huffman = new ZstdHuffman();
            at = huffman.read(in, at, literalsEnd);
        }
        check(huffman != null, "literals without a Huffman tree");
        if (format == 0) {
            huffman.decode(in, at, literalsEnd, literals, 0, literalCount);
        } else {
            streams(literalsEnd);
        }
        at = literalsEnd;
    }

    /** Four Huffman streams behind a jump table. */
    private void streams(int literalsEnd) throws IOException {
        check(literalsEnd - at >= 10, "literals are cut short");
        int share = (literalCount + 3) / 4;
        int[] starts = new int[5];
        starts[0] = at + 6;
        for (int i = 0; i < 3; i++) {
            starts[i + 1] = starts[i] + (int) little(2);
        }
        starts[4] = literalsEnd;
        check(starts[3] < literalsEnd && literalCount >= 3 * share, "literals are cut short");
        for (int i = 0; i < 4; i++) {
            int count = i < 3 ? share : literalCount - 3 * share;
            huffman.decode(in, starts[i], starts[i + 1], literals, i * share, count);
        }
    }

    /** Carries the block's sequences out (3.1.1.4). */
    private void execute(int count) throws IOException {
        int literal = 0;
        for (int i = 0; i < count; i++) {
            sequences.next(i + 1 == count);
            int run = sequences.literalLength;
            int length = sequences.matchLength;
            int offset = sequences.offset;
            check(run <= literalCount - literal, "a sequence needs more literals than there are");
            room(run + length);
            System.arraycopy(literals, literal, out, filled, run);
            literal += run;
            filled += run;
            check(offset > 0 && offset <= filled - frameStart, "a match is out of range");
            Lz4.copy(out, filled, offset, length);
            filled += length;
        }
        int rest = literalCount - literal;
        room(rest);
        System.arraycopy(literals, literal, out, filled, rest);
        filled += rest;
    }
}
