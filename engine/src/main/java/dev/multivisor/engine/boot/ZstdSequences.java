package dev.multivisor.engine.boot;

import java.io.IOException;

/** The sequences section of a block: literal lengths, offsets and match lengths (RFC 8878, 3.1.1.3.2). */
final class ZstdSequences {
    private static final int[] LITERAL_BASE = {
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 20, 22, 24, 28, 32, 40, 48, 64, 128, 256, 512,
        1024, 2048, 4096, 8192, 16384, 32768, 65536
    };
    private static final int[] LITERAL_BITS = {
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
        16
    };
    private static final int[] MATCH_BASE = {
        3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32,
        33, 34, 35, 37, 39, 41, 43, 47, 51, 59, 67, 83, 99, 131, 259, 515, 1027, 2051, 4099, 8195, 16387, 32771, 65539
    };
    private static final int[] MATCH_BITS = {
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2,
        2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16
    };
    private static final int[] LITERAL_COUNTS = {
        4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1, -1, -1, -1
    };
    private static final int[] OFFSET_COUNTS = {
        1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1
    };
    private static final int[] MATCH_COUNTS = {
        1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
        1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1
    };

    private ZstdFse literalTable;
    private ZstdFse offsetTable;
    private ZstdFse matchTable;
    private ZstdBits stream;
    private int literalState;
    private int offsetState;
    private int matchState;
    private long recent1;
    private long recent2;
    private long recent3;
    private int at;

    /** The current sequence. */
    int literalLength, offset, matchLength;

    /** Begins a frame. */
    void reset() {
        literalTable = null;
        offsetTable = null;
        matchTable = null;
        recent1 = 1;
        recent2 = 4;
        recent3 = 8;
    }

    /** Begins a block and returns its number of sequences. */
    int start(byte[] in, int from, int end) throws IOException {
        at = from;
        Zstd.check(at < end, "a block without a sequences section");
        int count = in[at++] & 0xff;
        if (count == 0) {
            Zstd.check(at == end, "data behind a block's end");
            return 0;
        }
        if (count == 255) {
            count = (in[at] & 0xff) + ((in[at + 1] & 0xff) << 8) + 0x7f00;
            at += 2;
        } else if (count >= 128) {
            count = (count - 128 << 8) + (in[at++] & 0xff);
        }
        Zstd.check(at < end, "a sequences section is cut short");
        int modes = in[at++] & 0xff;
        Zstd.check((modes & 3) == 0, "reserved bits in a sequences section");
        literalTable = table(in, end, modes >>> 6, literalTable, 9, 6, LITERAL_COUNTS, 36);
        offsetTable = table(in, end, modes >>> 4 & 3, offsetTable, 8, 5, OFFSET_COUNTS, 32);
        matchTable = table(in, end, modes >>> 2 & 3, matchTable, 9, 6, MATCH_COUNTS, 53);
        stream = new ZstdBits(in, at, end);
        literalState = (int) stream.read(literalTable.log);
        offsetState = (int) stream.read(offsetTable.log);
        matchState = (int) stream.read(matchTable.log);
        return count;
    }

    private ZstdFse table(
            byte[] in, int end, int mode, ZstdFse previous, int maxLog, int log, int[] standard, int symbols)
            throws IOException {
        switch (mode) {
            case 0:
                return ZstdFse.of(log, standard, standard.length);
            case 1:
                Zstd.check(at < end && (in[at] & 0xff) < symbols, "an unknown code");
                return ZstdFse.single(in[at++]);
            case 2:
                Zstd.check(at < end, "an FSE table is cut short");
                ZstdFse table = ZstdFse.read(in, at, end, maxLog, symbols);
                at = table.end;
                return table;
            default:
                Zstd.check(previous != null, "a repeated table without a first one");
                return previous;
        }
    }

    /** Reads the next sequence. */
    void next(boolean last) throws IOException {
        int offsetCode = offsetTable.symbol[offsetState];
        int matchCode = matchTable.symbol[matchState];
        int literalCode = literalTable.symbol[literalState];
        long value = (1L << offsetCode) + stream.read(offsetCode);
        matchLength = MATCH_BASE[matchCode] + (int) stream.read(MATCH_BITS[matchCode]);
        literalLength = LITERAL_BASE[literalCode] + (int) stream.read(LITERAL_BITS[literalCode]);
        long distance = distance(value);
        Zstd.check(distance > 0 && distance <= Integer.MAX_VALUE, "an offset is out of range");
        offset = (int) distance;
        if (!last) {
            literalState = literalTable.next(literalState, stream);
            matchState = matchTable.next(matchState, stream);
            offsetState = offsetTable.next(offsetState, stream);
        }
        Zstd.check(last ? stream.left == 0 : stream.left >= 0, "a sequences section has the wrong length");
    }

    /** Resolves the codes for recently used offsets (3.1.1.5). */
    private long distance(long value) {
        long result;
        if (value > 3) {
            result = value - 3;
        } else {
            int index = (int) value - (literalLength == 0 ? 0 : 1);
            switch (index) {
                case 0:
                    return recent1;
                case 1:
                    result = recent2;
                    recent2 = recent1;
                    recent1 = result;
                    return result;
                case 2:
                    result = recent3;
                    break;
                default:
                    result = recent1 - 1;
            }
        }
        recent3 = recent2;
        recent2 = recent1;
        recent1 = result;
        return result;
    }
}
