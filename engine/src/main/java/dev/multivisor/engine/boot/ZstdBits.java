package dev.multivisor.engine.boot;

import java.io.IOException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/** A bit stream that is read from its end backwards (RFC 8878, 4.1). The array has 8 spare bytes behind it. */
final class ZstdBits {
    private static final VarHandle LONG = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

    private final byte[] in;
    private final int start;

    /** Bits not read yet; negative after reading more than there are. */
    int left;

    ZstdBits(byte[] in, int start, int end) throws IOException {
        Zstd.check(end > start && in[end - 1] != 0, "a bit stream without its end mark");
        this.in = in;
        this.start = start;
        Zstd.check(end - start < 1 << 20, "a bit stream is too long");
        left = (end - start) * 8 - 1 - (Integer.numberOfLeadingZeros(in[end - 1] & 0xff) - 24);
    }

    /** The next bits, up to 56, without moving on. Bits beyond the start read as zero. */
    long peek(int count) {
        int position = left - count;
        if (position >= 0) {
            return (long) LONG.get(in, start + (position >>> 3)) >>> (position & 7) & (1L << count) - 1;
        }
        if (left <= 0) {
            return 0;
        }
        return ((long) LONG.get(in, start) & (1L << left) - 1) << -position;
    }

    long read(int count) {
        long value = peek(count);
        left -= count;
        return value;
    }
}
