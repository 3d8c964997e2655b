package dev.multivisor.engine.cpu.sse;

import dev.multivisor.engine.cpu.Cpu;
import dev.multivisor.engine.isa.Instruction;

/**
 * The SHA extensions (Intel SDM vol. 2, SHA1MSG1 to SHA256RNDS2; FIPS 180-4 for the functions). Doublewords of a
 * register are numbered from its low end; those of SHA-1 stand in a register with the first at the high end.
 */
final class Sha {
    /** The constants of SHA-1, by rounds 0 to 19, 20 to 39, 40 to 59 and 60 to 79. */
    private static final int[] K = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};

    private Sha() {}

    private static int low(long pair) {
        return (int) pair;
    }

    private static int high(long pair) {
        return (int) (pair >>> 32);
    }

    private static void write(Cpu cpu, int index, int d3, int d2, int d1, int d0) {
        cpu.xmm[index] = d0 & 0xffffffffL | (long) d1 << 32;
        cpu.xmm[index + 1] = d2 & 0xffffffffL | (long) d3 << 32;
    }

    // ---- SHA-1 ----

    /** Four rounds. The first doubleword of the source has E added already. */
    static void sha1rnds4(Cpu cpu, Instruction i) {
        long[] x = cpu.xmm;
        int s = Vectors.source(cpu, i, i.b);
        int destination = i.a.register() << 1;
        int kind = (int) i.immediate & 3;
        int a = high(x[destination + 1]);
        int b = low(x[destination + 1]);
        int c = high(x[destination]);
        int d = low(x[destination]);
        int e = 0;
        for (int round = 0; round < 4; round++) {
            long pair = x[s + 1 - (round >>> 1)];
            int word = (round & 1) == 0 ? high(pair) : low(pair);
            int next = mix(kind, b, c, d) + Integer.rotateLeft(a, 5) + word + e + K[kind];
            e = d;
            d = c;
            c = Integer.rotateLeft(b, 30);
            b = a;
            a = next;
        }
        write(cpu, destination, a, b, c, d);
    }

    private static int mix(int kind, int b, int c, int d) {
        return switch (kind) {
            case 0 -> choose(b, c, d);
            case 2 -> majority(b, c, d);
            default -> b ^ c ^ d;
        };
    }

    /** E of the next rounds, added to their first word. */
    static void sha1nexte(Cpu cpu, Instruction i) {
        long[] x = cpu.xmm;
        int s = Vectors.source(cpu, i, i.b);
        int d = i.a.register() << 1;
        int e = Integer.rotateLeft(high(x[d + 1]), 30);
        write(cpu, d, high(x[s + 1]) + e, low(x[s + 1]), high(x[s]), low(x[s]));
    }

    static void sha1msg1(Cpu cpu, Instruction i) {
        long[] x = cpu.xmm;
        int s = Vectors.source(cpu, i, i.b);
        int d = i.a.register() << 1;
        long next = x[s + 1];
        long high = x[d + 1] ^ x[d];
        x[d] ^= next;
        x[d + 1] = high;
    }

    static void sha1msg2(Cpu cpu, Instruction i) {
        long[] x = cpu.xmm;
        int s = Vectors.source(cpu, i, i.b);
        int d = i.a.register() << 1;
        int w16 = Integer.rotateLeft(high(x[d + 1]) ^ low(x[s + 1]), 1);
        int w17 = Integer.rotateLeft(low(x[d + 1]) ^ high(x[s]), 1);
        int w18 = Integer.rotateLeft(high(x[d]) ^ low(x[s]), 1);
        int w19 = Integer.rotateLeft(low(x[d]) ^ w16, 1);
        write(cpu, d, w16, w17, w18, w19);
    }

    // ---- SHA-256 ----

    /** Two rounds: C, D, G, H in the first operand, A, B, E, F in the second, words with constants in XMM0. */
    static void sha256rnds2(Cpu cpu, Instruction i) {
        long[] x = cpu.xmm;
        int s = Vectors.source(cpu, i, i.b);
        int destination = i.a.register() << 1;
        int a = high(x[s + 1]);
        int b = low(x[s + 1]);
        int c = high(x[destination + 1]);
        int d = low(x[destination + 1]);
        int e = high(x[s]);
        int f = low(x[s]);
        int g = high(x[destination]);
        int h = low(x[destination]);
        long words = x[0];
        for (int round = 0; round < 2; round++) {
            int sum1 = Integer.rotateRight(e, 6) ^ Integer.rotateRight(e, 11) ^ Integer.rotateRight(e, 25);
            int sum0 = Integer.rotateRight(a, 2) ^ Integer.rotateRight(a, 13) ^ Integer.rotateRight(a, 22);
            int t = choose(e, f, g) + sum1 + (int) (words >>> 32 * round) + h;
            int next = t + majority(a, b, c) + sum0;
            h = g;
            g = f;
            f = e;
            e = t + d;
            d = c;
            c = b;
            b = a;
            a = next;
        }
        write(cpu, destination, a, b, e, f);
    }

    static void sha256msg1(Cpu cpu, Instruction i) {
        long[] x = cpu.xmm;
        int s = Vectors.source(cpu, i, i.b);
        int d = i.a.register() << 1;
        int w4 = low(x[s]);
        int w3 = high(x[d + 1]);
        int w2 = low(x[d + 1]);
        int w1 = high(x[d]);
        write(cpu, d, w3 + sigma0(w4), w2 + sigma0(w3), w1 + sigma0(w2), low(x[d]) + sigma0(w1));
    }

    static void sha256msg2(Cpu cpu, Instruction i) {
        long[] x = cpu.xmm;
        int s = Vectors.source(cpu, i, i.b);
        int d = i.a.register() << 1;
        int w16 = low(x[d]) + sigma1(low(x[s + 1]));
        int w17 = high(x[d]) + sigma1(high(x[s + 1]));
        int w18 = low(x[d + 1]) + sigma1(w16);
        int w19 = high(x[d + 1]) + sigma1(w17);
        write(cpu, d, w19, w18, w17, w16);
    }

    // ---- FIPS 180-4, 4.1 ----

    private static int choose(int x, int y, int z) {
        return x & y ^ ~x & z;
    }

    private static int majority(int x, int y, int z) {
        return x & y ^ x & z ^ y & z;
    }

    private static int sigma0(int x) {
        return Integer.rotateRight(x, 7) ^ Integer.rotateRight(x, 18) ^ x >>> 3;
    }

    private static int sigma1(int x) {
        return Integer.rotateRight(x, 17) ^ Integer.rotateRight(x, 19) ^ x >>> 10;
    }
}
