package dev.multivisor.cli;

/**
 * What the guests in {@code guests/builtin} compute, once more: {@code workload.inc} in Java, so that their checksums can
 * be compared.
 */
final class Workload {
    private static final int[] TABLE = table();

    private final long[] words = new long[512];
    private final byte[] bytes = new byte[4096];
    private final boolean[] composite = new boolean[2048];
    private int sum;
    private long rounds;

    /** The workload of a processor, before its first round. */
    Workload(int cpu) {
        sum = cpu;
    }

    /** The checksum after so many rounds, which may not be fewer than the last time. */
    int checksum(long after) {
        while (rounds < after) {
            round();
            rounds++;
        }
        return sum;
    }

    private void round() {
        fill();
        crc();
        sieve();
        matrix();
        vectors();
        doubles();
        integers();
        mix(fibonacci(12));
        strings();
    }

    private void mix(int value) {
        sum = Integer.rotateLeft(sum ^ value, 5) * 0x9e3779b1;
    }

    private void fill() {
        long x = (long) sum << 32 | ~sum & 0xffffffffL;
        for (int n = 0; n < words.length; n++) {
            x ^= x << 13;
            x ^= x >>> 7;
            x ^= x << 17;
            words[n] = x;
            for (int b = 0; b < 8; b++) {
                bytes[8 * n + b] = (byte) (x >> 8 * b);
            }
        }
    }

    private int word32(int index) {
        return (int) (words[index >> 1] >>> 32 * (index & 1));
    }

    private static int[] table() {
        int[] table = new int[256];
        for (int n = 0; n < 256; n++) {
            int c = n;
            for (int bit = 0; bit < 8; bit++) {
                c = (c & 1) != 0 ? c >>> 1 ^ 0xedb88320 : c >>> 1;
            }
            table[n] = c;
        }
        return table;
    }

    private void crc() {
        int c = ~sum;
        for (byte value : bytes) {
            c = TABLE[(c ^ value) & 255] ^ c >>> 8;
        }
        mix(~c);
    }

    private void sieve() {
        java.util.Arrays.fill(composite, false);
        int primes = 0;
        for (int n = 2; n < composite.length; n++) {
            if (!composite[n]) {
                primes += n;
                for (int m = 2 * n; m < composite.length; m += n) {
                    composite[m] = true;
                }
            }
        }
        mix(primes);
    }

    private void matrix() {
        for (int row = 0; row < 16; row++) {
            int sumOfRow = 0;
            for (int column = 0; column < 16; column++) {
                int product = 0;
                for (int n = 0; n < 16; n++) {
                    product += bytes[16 * row + n] * bytes[256 + 16 * n + column];
                }
                sumOfRow = Integer.rotateLeft(sumOfRow, 1) + product;
            }
            mix(sumOfRow);
        }
    }

    private void vectors() {
        int[] lanes = new int[4];
        for (int n = 0; n < 1024; n++) {
            int value = word32(n);
            lanes[n & 3] = (lanes[n & 3] ^ value << 3) + (value >>> 5);
        }
        for (int lane : lanes) {
            mix(lane);
        }
    }

    private void doubles() {
        double s = 0;
        long roots = 0;
        for (int n = 0; n < 256; n++) {
            s = s * 0.75 + word32(n);
            roots += (long) Math.sqrt(Math.abs(s));
        }
        mix((int) roots);
        long bits = Double.doubleToRawLongBits(s);
        mix((int) bits);
        mix((int) (bits >>> 32));
    }

    private void integers() {
        long acc = 0;
        for (int n = 0; n < 64; n++) {
            long a = words[n];
            long b = words[n + 64] | 1;
            acc ^= Math.unsignedMultiplyHigh(a, b);
            long low = a * b;
            acc += low;
            acc += Long.compareUnsigned(acc, low) < 0 ? 1 : 0;
            acc = Long.rotateLeft(acc, (int) b);
            long half = a >>> 1;
            long divisor = b >>> 32 | 1;
            acc += half / divisor ^ half % divisor;
            acc ^= Long.reverseBytes(a);
            acc += Long.numberOfTrailingZeros(a | Long.MIN_VALUE);
            acc = a < b ? ~acc : acc;
            acc += Long.bitCount(b);
            acc += a >>> n & 1;
            acc = acc << 11 | a >>> 53;
            acc = acc & ~0xffL | acc + n & 0xff;
            acc = acc & ~0xffffL | acc - a & 0xffff;
            acc = switch (n & 3) {
                case 0 -> acc + n;
                case 1 -> acc ^ a;
                case 2 -> acc - b;
                default -> -acc;
            };
        }
        mix((int) acc);
        mix((int) (acc >>> 32));
    }

    private static int fibonacci(int n) {
        return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
    }

    private void strings() {
        mix(sum & 1023);
        int zero = 0;
        while (zero < 1023 && bytes[zero] != 0) {
            zero++;
        }
        mix(1023 - zero);
    }
}
