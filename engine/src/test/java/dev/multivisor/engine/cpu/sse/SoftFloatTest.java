package dev.multivisor.engine.cpu.sse;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.multivisor.engine.cpu.Cpu;
import java.math.BigDecimal;
import java.math.MathContext;
import java.math.RoundingMode;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Arithmetic in integers against Java's and against exact decimals; the fast path against the slow one. */
class SoftFloatTest {
    private static final int ROUNDS = 50_000;

    private final Cpu cpu = new SseGuest().cpu;
    private final Random random = new Random(42);
    private final SomeNumbers numbers = new SomeNumbers(random);

    private static void assertSame(double expected, long actual, String what) {
        assertEquals(Double.doubleToLongBits(expected), Double.doubleToLongBits(Double.longBitsToDouble(actual)), what);
    }

    private static void assertSame(float expected, long actual, String what) {
        assertEquals(Float.floatToIntBits(expected), Float.floatToIntBits(Float.intBitsToFloat((int) actual)), what);
    }

    @Test
    void doublesRoundToNearestAsJavaDoes() {
        for (int n = 0; n < ROUNDS; n++) {
            long a = numbers.anyDouble();
            long b = numbers.anyDouble();
            double x = Double.longBitsToDouble(a);
            double y = Double.longBitsToDouble(b);
            String what = x + ", " + y;
            assertSame(x + y, SoftFloat.add(cpu, a, b, SoftFloat.DOUBLE), what);
            assertSame(x - y, SoftFloat.subtract(cpu, a, b, SoftFloat.DOUBLE), what);
            assertSame(x * y, SoftFloat.multiply(cpu, a, b, SoftFloat.DOUBLE), what);
            assertSame(x / y, SoftFloat.divide(cpu, a, b, SoftFloat.DOUBLE), what);
            assertSame(Math.sqrt(x), SoftFloat.squareRoot(cpu, a, SoftFloat.DOUBLE), what);
            assertSame((float) x, SoftFloat.toSingle(cpu, a), what);
            assertSame((double) a, SoftFloat.fromInteger(cpu, a, SoftFloat.DOUBLE), what);
        }
    }

    @Test
    void singlesRoundToNearestAsJavaDoes() {
        for (int n = 0; n < ROUNDS; n++) {
            int a = numbers.anySingle();
            int b = numbers.anySingle();
            float x = Float.intBitsToFloat(a);
            float y = Float.intBitsToFloat(b);
            long wideA = a & 0xffffffffL;
            long wideB = b & 0xffffffffL;
            String what = x + ", " + y;
            assertSame(x + y, SoftFloat.add(cpu, wideA, wideB, SoftFloat.SINGLE), what);
            assertSame(x - y, SoftFloat.subtract(cpu, wideA, wideB, SoftFloat.SINGLE), what);
            assertSame(x * y, SoftFloat.multiply(cpu, wideA, wideB, SoftFloat.SINGLE), what);
            assertSame(x / y, SoftFloat.divide(cpu, wideA, wideB, SoftFloat.SINGLE), what);
            assertSame((float) Math.sqrt(x), SoftFloat.squareRoot(cpu, wideA, SoftFloat.SINGLE), what);
            assertSame((double) x, SoftFloat.toDouble(cpu, wideA), what);
        }
    }

    @Test
    void fastPathAgreesInResultAndFlags() {
        for (int n = 0; n < ROUNDS; n++) {
            cpu.mxcsr = 0x1f80;
            long a = numbers.anyDouble();
            long b = numbers.anyDouble();
            String what = Long.toHexString(a) + ", " + Long.toHexString(b);
            int f = SoftFloat.DOUBLE;
            assertAgree(FloatArithmetic.add64(cpu, a, b), taken(), SoftFloat.add(cpu, a, b, f), what);
            assertAgree(FloatArithmetic.subtract64(cpu, a, b), taken(), SoftFloat.subtract(cpu, a, b, f), what);
            assertAgree(FloatArithmetic.multiply64(cpu, a, b), taken(), SoftFloat.multiply(cpu, a, b, f), what);
            assertAgree(FloatArithmetic.divide64(cpu, a, b), taken(), SoftFloat.divide(cpu, a, b, f), what);
            assertAgree(FloatArithmetic.squareRoot64(cpu, a), taken(), SoftFloat.squareRoot(cpu, a, f), what);
        }
    }

    @Test
    void fastSinglePathAgreesInResultAndFlags() {
        for (int n = 0; n < ROUNDS; n++) {
            int a = numbers.anySingle();
            int b = numbers.anySingle();
            long x = a & 0xffffffffL;
            long y = b & 0xffffffffL;
            String what = Integer.toHexString(a) + ", " + Integer.toHexString(b);
            int f = SoftFloat.SINGLE;
            assertAgree(FloatArithmetic.add32(cpu, a, b), taken(), (int) SoftFloat.add(cpu, x, y, f), what);
            assertAgree(FloatArithmetic.subtract32(cpu, a, b), taken(), (int) SoftFloat.subtract(cpu, x, y, f), what);
            assertAgree(FloatArithmetic.multiply32(cpu, a, b), taken(), (int) SoftFloat.multiply(cpu, x, y, f), what);
            assertAgree(FloatArithmetic.divide32(cpu, a, b), taken(), (int) SoftFloat.divide(cpu, x, y, f), what);
            assertAgree(FloatArithmetic.squareRoot32(cpu, a), taken(), (int) SoftFloat.squareRoot(cpu, x, f), what);
        }
    }

    /** The exceptions found since the last call. */
    private int taken() {
        int found = cpu.simdExceptions;
        cpu.simdExceptions = 0;
        return found;
    }

    private void assertAgree(long fast, int fastFlags, long slow, String what) {
        assertEquals(slow, fast, what);
        assertEquals(taken(), fastFlags, what);
    }

    @Test
    void directedRoundingIsExact() {
        for (int n = 0; n < ROUNDS / 10; n++) {
            long a = random.nextLong() & 0x800fffffffffffffL | (long) (963 + random.nextInt(120)) << 52;
            long b = random.nextLong() & 0x800fffffffffffffL | (long) (963 + random.nextInt(120)) << 52;
            BigDecimal x = new BigDecimal(Double.longBitsToDouble(a));
            BigDecimal y = new BigDecimal(Double.longBitsToDouble(b));
            String what = x + ", " + y;
            for (int mode = Mxcsr.DOWN; mode <= Mxcsr.TRUNCATE; mode++) {
                cpu.mxcsr = 0x1f80 | mode << 13;
                taken();
                assertRounded(x.add(y), mode, SoftFloat.add(cpu, a, b, SoftFloat.DOUBLE), what);
                assertRounded(x.multiply(y), mode, SoftFloat.multiply(cpu, a, b, SoftFloat.DOUBLE), what);
                // 400 digits tell a quotient of two doubles from any third one.
                BigDecimal quotient = x.divide(y, new MathContext(400, RoundingMode.DOWN));
                assertRounded(quotient, mode, SoftFloat.divide(cpu, a, b, SoftFloat.DOUBLE), what);
            }
        }
    }

    private void assertRounded(BigDecimal exact, int mode, long actual, String what) {
        double nearest = exact.doubleValue();
        int order = new BigDecimal(nearest).compareTo(exact);
        boolean down = mode == Mxcsr.DOWN || mode == Mxcsr.TRUNCATE && exact.signum() > 0;
        double expected =
                down ? order > 0 ? Math.nextDown(nearest) : nearest : order < 0 ? Math.nextUp(nearest) : nearest;
        if (exact.signum() != 0) {
            assertSame(expected, actual, what);
            assertEquals(order == 0 ? 0 : Mxcsr.PE, taken(), what);
        }
    }
}
