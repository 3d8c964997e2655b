package dev.multivisor.engine.boot;

import java.io.IOException;
import java.util.Arrays;

/** A Huffman tree for literals (RFC 8878, 4.2). */
final class ZstdHuffman {
    private static final int MAX_BITS = 11;

    private final int[] weights = new int[256];
    private int maxBits;
    private byte[] symbol;
    private byte[] bits;

    /** Reads the tree's description and returns where it ended. */
    int read(byte[] in, int start, int end) throws IOException {
        Zstd.check(start < end, "a Huffman tree is cut short");
        int header = in[start] & 0xff;
        int at = start + 1;
        int count;
        if (header >= 128) {
            count = header - 127;
            Zstd.check((count + 1) / 2 <= end - at, "a Huffman tree is cut short");
            for (int i = 0; i < count; i++) {
                weights[i] = in[at + i / 2] >>> ((i & 1) == 0 ? 4 : 0) & 15;
            }
            at += (count + 1) / 2;
        } else {
            Zstd.check(header <= end - at, "a Huffman tree is cut short");
            count = compressedWeights(in, at, at + header);
            at += header;
        }
        build(count);
        return at;
    }

    private int compressedWeights(byte[] in, int start, int end) throws IOException {
        ZstdFse table = ZstdFse.read(in, start, end, 6, 16);
        var stream = new ZstdBits(in, table.end, end);
        int one = (int) stream.read(table.log);
        int two = (int) stream.read(table.log);
        Zstd.check(stream.left >= 0, "a Huffman tree is cut short");
        int count = 0;
        while (true) {
            Zstd.check(count < 254, "a Huffman tree has too many weights");
            weights[count++] = table.symbol[one];
            if (stream.left < table.bits(one)) {
                weights[count++] = table.symbol[two];
                return count;
            }
            one = table.next(one, stream);
            weights[count++] = table.symbol[two];
            if (stream.left < table.bits(two)) {
                weights[count++] = table.symbol[one];
                return count;
            }
            two = table.next(two, stream);
        }
    }

    /** Adds the last symbol, whose weight is what is missing to a power of two, and lays out the table. */
    private void build(int count) throws IOException {
        int sum = 0;
        for (int i = 0; i < count; i++) {
            Zstd.check(weights[i] <= MAX_BITS, "a Huffman weight is too large");
            sum += weights[i] == 0 ? 0 : 1 << weights[i] - 1;
        }
        Zstd.check(sum > 0, "a Huffman tree is empty");
        maxBits = 32 - Integer.numberOfLeadingZeros(sum);
        Zstd.check(maxBits <= MAX_BITS, "a Huffman tree is too deep");
        int rest = (1 << maxBits) - sum;
        Zstd.check(Integer.bitCount(rest) == 1, "a Huffman tree does not add up");
        weights[count] = 32 - Integer.numberOfLeadingZeros(rest);
        symbol = new byte[1 << maxBits];
        bits = new byte[1 << maxBits];
        int position = 0;
        for (int weight = 1; weight <= maxBits; weight++) {
            for (int s = 0; s <= count; s++) {
                if (weights[s] == weight) {
                    int width = 1 << weight - 1;
                    Arrays.fill(symbol, position, position + width, (byte) s);
                    Arrays.fill(bits, position, position + width, (byte) (maxBits + 1 - weight));
                    position += width;
                }
            }
        }
    }

    void decode(byte[] in, int start, int end, byte[] out, int to, int count) throws IOException {
        var stream = new ZstdBits(in, start, end);
        for (int i = to; i < to + count; i++) {
            int index = (int) stream.peek(maxBits);
            out[i] = symbol[index];
            stream.left -= bits[index];
        }
        Zstd.check(stream.left == 0, "a Huffman stream has the wrong length");
    }
}
