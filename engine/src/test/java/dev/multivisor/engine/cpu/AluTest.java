package dev.multivisor.engine.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.math.BigInteger;
import java.util.List;
import java.util.Random;
import java.util.function.LongSupplier;
import org.junit.jupiter.api.Test;

/** Results and flags against a model that counts bit by bit (Intel SDM vol. 1, 3.4.3.1; vol. 2). */
class AluTest {
    private static final int ALL = Cpu.ARITHMETIC;
    private static final List<Integer> SIZES = List.of(8, 16, 32, 64);

    private final Cpu cpu = new TestCpu().cpu;
    private final Random random = new Random(1);

    private long number() {
        long[] edges = {
            0, 1, -1, 0xf, 0x10, 0x7f, 0x80, 0x7fff, 0x8000, 0x7fffffff, 0x80000000L, Long.MIN_VALUE, Long.MAX_VALUE
        };
        return random.nextInt(3) == 0 ? edges[random.nextInt(edges.length)] : random.nextLong() >>> random.nextInt(64);
    }

    private static BigInteger unsigned(long value, int bits) {
        return new BigInteger(Long.toUnsignedString(value)).mod(BigInteger.ONE.shiftLeft(bits));
    }

    private static boolean bit(BigInteger value, int bit) {
        return value.testBit(bit);
    }

    private void check(String what, int bits, long result, BigInteger expected, int flags, int mask) {
        BigInteger cut = expected.mod(BigInteger.ONE.shiftLeft(bits));
        assertEquals(cut, unsigned(result, bits), what);
        int all = flags
                | (cut.signum() == 0 ? Cpu.ZF : 0)
                | (bit(cut, bits - 1) ? Cpu.SF : 0)
                | (Integer.bitCount(cut.intValue() & 0xff) % 2 == 0 ? Cpu.PF : 0);
        assertEquals(Long.toHexString(all & mask), Long.toHexString(cpu.flags() & mask), what);
    }

    @Test
    void additionAndSubtraction() {
        for (int n = 0; n < 20_000; n++) {
            long x = number();
            long y = number();
            for (int bits : SIZES) {
                for (int carry = 0; carry < 2; carry++) {
                    sum(bits, x, y, carry);
                    difference(bits, x, y, carry);
                }
            }
        }
    }

    private void sum(int bits, long x, long y, int carry) {
        BigInteger a = unsigned(x, bits);
        BigInteger b = unsigned(y, bits);
        BigInteger sum = a.add(b).add(BigInteger.valueOf(carry));
        boolean overflow = bit(a, bits - 1) == bit(b, bits - 1) && bit(sum, bits - 1) != bit(a, bits - 1);
        int flags = (bit(sum, bits) ? Cpu.CF : 0)
                | (overflow ? Cpu.OF : 0)
                | ((x & 15) + (y & 15) + carry > 15 ? Cpu.AF : 0);
        cpu.setFlags(carry);
        long result = Alu.adc(cpu, x, y, 64 - bits);
        check(bits + " adc " + x + " " + y + " " + carry, bits, result, sum, flags, ALL);
        if (carry == 0) {
            check("add", bits, Alu.add(cpu, x, y, 64 - bits), sum, flags, ALL);
        }
    }

    private void difference(int bits, long x, long y, int carry) {
        BigInteger a = unsigned(x, bits);
        BigInteger b = unsigned(y, bits);
        BigInteger difference = a.subtract(b).subtract(BigInteger.valueOf(carry));
        BigInteger cut = difference.mod(BigInteger.ONE.shiftLeft(bits));
        boolean overflow = bit(a, bits - 1) != bit(b, bits - 1) && bit(cut, bits - 1) != bit(a, bits - 1);
        int flags = (difference.signum() < 0 ? Cpu.CF : 0)
                | (overflow ? Cpu.OF : 0)
                | ((x & 15) - (y & 15) - carry < 0 ? Cpu.AF : 0);
        cpu.setFlags(carry);
        long result = Alu.sbb(cpu, x, y, 64 - bits);
        check(bits + " sbb " + x + " " + y + " " + carry, bits, result, difference, flags, ALL);
        if (carry == 0) {
            check("sub", bits, Alu.sub(cpu, x, y, 64 - bits), difference, flags, ALL);
            if (y == 1) {
                cpu.setFlags(Cpu.CF);
                long decremented = Alu.dec(cpu, x, 64 - bits);
                check("dec", bits, decremented, difference, flags | Cpu.CF, ALL);
            }
        }
    }

    @Test
    void incrementKeepsCarry() {
        for (long x : new long[] {0, 0x7f, 0xff, 0x7fffffff, 0xffffffffL, Long.MAX_VALUE, -1}) {
            for (int bits : SIZES) {
                for (int carry = 0; carry < 2; carry++) {
                    BigInteger sum = unsigned(x, bits).add(BigInteger.ONE);
                    boolean overflow = sum.equals(BigInteger.ONE.shiftLeft(bits - 1));
                    int flags = carry | (overflow ? Cpu.OF : 0) | ((x & 15) == 15 ? Cpu.AF : 0);
                    cpu.setFlags(carry);
                    check("inc", bits, Alu.inc(cpu, x, 64 - bits), sum, flags, ALL);
                }
            }
        }
    }

    /** Shifts and rotates by more than one against repetition of those by one, for what the manual defines. */
    @Test
    void shiftsAreRepeated() {
        for (int n = 0; n < 5_000; n++) {
            long x = number();
            int start = random.nextInt(2);
            for (int bits : SIZES) {
                int shift = 64 - bits;
                int count = 1 + random.nextInt(bits == 64 ? 63 : 31);
                compare(bits, start, count, () -> Alu.shl(cpu, x, count, shift), v -> Alu.shl(cpu, v, 1, shift), x);
                compare(bits, start, count, () -> Alu.shr(cpu, x, count, shift), v -> Alu.shr(cpu, v, 1, shift), x);
                compare(bits, start, count, () -> Alu.sar(cpu, x, count, shift), v -> Alu.sar(cpu, v, 1, shift), x);
                compare(bits, start, count, () -> Alu.rol(cpu, x, count, shift), v -> Alu.rol(cpu, v, 1, shift), x);
                compare(bits, start, count, () -> Alu.ror(cpu, x, count, shift), v -> Alu.ror(cpu, v, 1, shift), x);
                compare(bits, start, count, () -> Alu.rcl(cpu, x, count, shift), v -> Alu.rcl(cpu, v, 1, shift), x);
                compare(bits, start, count, () -> Alu.rcr(cpu, x, count, shift), v -> Alu.rcr(cpu, v, 1, shift), x);
            }
        }
    }

    private interface Once {
        long apply(long value);
    }

    private void compare(int bits, int carry, int count, LongSupplier all, Once once, long value) {
        cpu.setFlags(carry);
        long expected = value;
        for (int n = 0; n < count; n++) {
            expected = once.apply(expected);
        }
        // OF is defined for a count of 1 only.
        long mask = count == 1 ? ALL : ALL & ~Cpu.OF;
        long flags = cpu.flags() & mask;
        cpu.setFlags(carry);
        assertEquals(unsigned(expected, bits), unsigned(all.getAsLong(), bits), bits + " by " + count);
        assertEquals(flags, cpu.flags() & mask, bits + " by " + count);
    }

    @Test
    void shiftsByOne() {
        for (int n = 0; n < 2_000; n++) {
            long x = number();
            for (int bits : SIZES) {
                BigInteger a = unsigned(x, bits);
                boolean top = bit(a, bits - 1);
                int left = (top ? Cpu.CF : 0) | (top != bit(a, bits - 2) ? Cpu.OF : 0);
                check("shl", bits, Alu.shl(cpu, x, 1, 64 - bits), a.shiftLeft(1), left, ALL & ~Cpu.AF);
                int right = (bit(a, 0) ? Cpu.CF : 0) | (top ? Cpu.OF : 0);
                check("shr", bits, Alu.shr(cpu, x, 1, 64 - bits), a.shiftRight(1), right, ALL & ~Cpu.AF);
                BigInteger half = top ? a.shiftRight(1).setBit(bits - 1) : a.shiftRight(1);
                check("sar", bits, Alu.sar(cpu, x, 1, 64 - bits), half, bit(a, 0) ? Cpu.CF : 0, ALL & ~Cpu.AF);
            }
        }
    }

    @Test
    void flagsCanBeSetToAnything() {
        for (int value = 0; value < 1 << 12; value++) {
            int flags = value & ALL;
            cpu.setFlags(flags | Cpu.IF);
            assertEquals(flags | Cpu.IF | 2, cpu.flags());
            boolean less = (flags & Cpu.SF) != 0 != ((flags & Cpu.OF) != 0);
            assertEquals(less, cpu.condition(12));
            assertEquals(less || (flags & Cpu.ZF) != 0, cpu.condition(14));
        }
    }

    @Test
    void castagnoli() {
        // "123456789", the usual check value.
        long crc = 0xffffffffL;
        for (char c = '1'; c <= '9'; c++) {
            crc = Alu.crc32c(crc, c, 1);
        }
        assertEquals(0xe3069283L, ~crc & 0xffffffffL);
        assertEquals(crc, Alu.crc32c(Alu.crc32c(0xffffffffL, 0x3837363534333231L, 8), '9', 1));
    }
}
