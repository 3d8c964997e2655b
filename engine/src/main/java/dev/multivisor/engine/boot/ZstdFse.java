package dev.multivisor.engine.boot;

import java.io.IOException;

/** A decoding table for finite state entropy (RFC 8878, 4.1). */
final class ZstdFse {
    final int log;
    final byte[] symbol;
    private final byte[] bits;
    private final short[] base;

    /** Where the table's description ended. */
    int end;

    private ZstdFse(int log) {
        this.log = log;
        symbol = new byte[1 << log];
        bits = new byte[1 << log];
        base = new short[1 << log];
    }

    int next(int state, ZstdBits stream) {
        return base[state] + (int) stream.read(bits[state]);
    }

    /** How many bits the step out of a state reads. */
    int bits(int state) {
        return bits[state];
    }

    /** The table with one symbol. */
    static ZstdFse single(int symbol) {
        var table = new ZstdFse(0);
        table.symbol[0] = (byte) symbol;
        return table;
    }

    /** A table from the counts of its symbols; -1 stands for "less than 1". */
    static ZstdFse of(int log, int[] counts, int symbols) throws IOException {
        var table = new ZstdFse(log);
        int size = 1 << log;
        int high = size;
        int[] next = new int[symbols];
        for (int s = 0; s < symbols; s++) {
            next[s] = Math.abs(counts[s]);
            if (counts[s] == -1) {
                table.symbol[--high] = (byte) s;
            }
        }
        int step = (size >>> 1) + (size >>> 3) + 3;
        int position = 0;
        for (int s = 0; s < symbols; s++) {
            for (int i = 0; i < counts[s]; i++) {
                table.symbol[position] = (byte) s;
                do {
                    position = position + step & size - 1;
                } while (position >= high);
            }
        }
        Zstd.check(position == 0, "an FSE table does not add up");
        for (int i = 0; i < size; i++) {
            int n = next[table.symbol[i]]++;
            int width = log - (31 - Integer.numberOfLeadingZeros(n));
            table.bits[i] = (byte) width;
            table.base[i] = (short) ((n << width) - size);
        }
        return table;
    }

    /** Reads a table's description (4.1.1). */
    static ZstdFse read(byte[] in, int start, int end, int maxLog, int maxSymbols) throws IOException {
        long bit = (long) start * 8;
        int log = (in[start] & 15) + 5;
        Zstd.check(log <= maxLog, "an FSE table is too large");
        bit += 4;
        int remaining = 1 << log;
        int[] counts = new int[maxSymbols];
        int symbols = 0;
        while (remaining > 0) {
            Zstd.check(symbols < maxSymbols && bit <= (long) end * 8, "an FSE table is damaged");
            int width = 32 - Integer.numberOfLeadingZeros(remaining + 1);
            int value = forward(in, bit, width);
            bit += width;
            int mask = (1 << width - 1) - 1;
            int threshold = (1 << width) - 1 - (remaining + 1);
            if ((value & mask) < threshold) {
                bit--;
                value &= mask;
            } else if (value > mask) {
                value -= threshold;
            }
            int count = value - 1;
            remaining -= Math.abs(count);
            counts[symbols++] = count;
            if (count == 0) {
                int repeat;
                do {
                    repeat = forward(in, bit, 2);
                    bit += 2;
                    symbols += repeat;
                    Zstd.check(symbols <= maxSymbols, "an FSE table has too many symbols");
                } while (repeat == 3);
            }
        }
        Zstd.check(remaining == 0 && bit <= (long) end * 8, "an FSE table is damaged");
        ZstdFse table = of(log, counts, symbols);
        table.end = (int) (bit + 7 >>> 3);
        return table;
    }

    /** Bits in ascending order. */
    private static int forward(byte[] in, long bit, int count) {
        int at = (int) (bit >>> 3);
        int word = in[at] & 0xff | (in[at + 1] & 0xff) << 8 | (in[at + 2] & 0xff) << 16;
        return word >>> (int) (bit & 7) & (1 << count) - 1;
    }
}
