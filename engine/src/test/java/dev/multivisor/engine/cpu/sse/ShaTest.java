package dev.multivisor.engine.cpu.sse;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Whole digests of a block, made with the instructions as their manual means them to be used. */
class ShaTest {
    private static final byte[] TEXT = "abcdefghbcdefghicdefghij".getBytes(StandardCharsets.US_ASCII);

    /** The first 32 bits of the fractional parts of the first 64 primes' cube roots. */
    private static final int[] K = cubeRoots();

    private final SseGuest guest = new SseGuest();
    private final long[] xmm = guest.cpu.xmm;

    private static int[] cubeRoots() {
        int[] roots = new int[64];
        int found = 0;
        for (int n = 2; found < roots.length; n++) {
            int candidate = n;
            if (IntStream.range(2, n).noneMatch(d -> candidate % d == 0)) {
                double root = Math.cbrt(n);
                roots[found++] = (int) (long) ((root - Math.floor(root)) * 0x1p32);
            }
        }
        return roots;
    }

    /** The text as the one block that it fits into. */
    private static int[] block() {
        ByteBuffer bytes = ByteBuffer.wrap(Arrays.copyOf(TEXT, 64));
        bytes.put(TEXT.length, (byte) 0x80);
        bytes.putInt(60, TEXT.length * 8);
        int[] words = new int[16];
        bytes.asIntBuffer().get(words);
        return words;
    }

    private static long pair(int high, int low) {
        return (long) high << 32 | low & 0xffffffffL;
    }

    private static byte[] digest(String algorithm) throws NoSuchAlgorithmException {
        return MessageDigest.getInstance(algorithm).digest(TEXT);
    }

    private void set(int register, long[] value) {
        guest.xmm(register, value[0], value[1]);
    }

    private long[] get(int register) {
        return new long[] {xmm[register * 2], xmm[register * 2 + 1]};
    }

    /** Runs an instruction on XMM1 and XMM2 and gives XMM1. */
    private long[] run(String code, long[] first, long[] second) {
        set(1, first);
        set(2, second);
        guest.run(code);
        return get(1);
    }

    private static long[] xor(long[] a, long[] b) {
        return new long[] {a[0] ^ b[0], a[1] ^ b[1]};
    }

    /** The sums of doublewords. */
    private static long[] add(long[] a, long[] b) {
        long[] sum = new long[2];
        for (int n = 0; n < 2; n++) {
            sum[n] = pair((int) (a[n] >>> 32) + (int) (b[n] >>> 32), (int) a[n] + (int) b[n]);
        }
        return sum;
    }

    @Test
    void sha1() throws NoSuchAlgorithmException {
        int[] start = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
        int[] text = block();
        long[][] w = new long[20][];
        long[] state = {pair(start[2], start[3]), pair(start[0], start[1])};
        long[] before = state;
        for (int group = 0; group < 20; group++) {
            w[group] = group < 4
                    ? new long[] {
                        pair(text[group * 4 + 2], text[group * 4 + 3]), pair(text[group * 4], text[group * 4 + 1])
                    }
                    : run("0f38caca", xor(run("0f38c9ca", w[group - 4], w[group - 3]), w[group - 2]), w[group - 1]);
            long[] words =
                    group == 0 ? add(w[0], new long[] {0, pair(start[4], 0)}) : run("0f38c8ca", before, w[group]);
            before = state;
            state = run("0f3accca0" + group / 5, state, words);
        }
        long[] e = run("0f38c8ca", before, new long[] {0, pair(start[4], 0)});
        long[] sum = add(state, new long[] {pair(start[2], start[3]), pair(start[0], start[1])});
        byte[] result = ByteBuffer.allocate(20)
                .putLong(sum[1])
                .putLong(sum[0])
                .putInt((int) (e[1] >>> 32))
                .array();
        assertArrayEquals(digest("SHA-1"), result);
    }

    @Test
    void sha256() throws NoSuchAlgorithmException {
        int[] h = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
        int[] text = block();
        long[][] w = new long[16][];
        long[] abef = {pair(h[4], h[5]), pair(h[0], h[1])};
        long[] cdgh = {pair(h[6], h[7]), pair(h[2], h[3])};
        for (int group = 0; group < 16; group++) {
            if (group < 4) {
                w[group] = new long[] {
                    pair(text[group * 4 + 1], text[group * 4]), pair(text[group * 4 + 3], text[group * 4 + 2])
                };
            } else {
                long[] w7 = {
                    w[group - 2][0] >>> 32 | w[group - 2][1] << 32, w[group - 2][1] >>> 32 | w[group - 1][0] << 32
                };
                w[group] = run("0f38cdca", add(run("0f38ccca", w[group - 4], w[group - 3]), w7), w[group - 1]);
            }
            for (int half = 0; half < 2; half++) {
                int k = group * 4 + half * 2;
                set(0, new long[] {add(w[group], new long[] {pair(K[k + 1], K[k]), pair(K[k + 1], K[k])})[half], 0});
                long[] next = run("0f38cbca", cdgh, abef);
                cdgh = abef;
                abef = next;
            }
        }
        abef = add(abef, new long[] {pair(h[4], h[5]), pair(h[0], h[1])});
        cdgh = add(cdgh, new long[] {pair(h[6], h[7]), pair(h[2], h[3])});
        byte[] result = ByteBuffer.allocate(32)
                .putLong(abef[1])
                .putLong(cdgh[1])
                .putLong(abef[0])
                .putLong(cdgh[0])
                .array();
        assertArrayEquals(digest("SHA-256"), result);
    }
}
