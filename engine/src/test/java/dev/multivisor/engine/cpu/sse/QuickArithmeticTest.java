package dev.multivisor.engine.cpu.sse;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.multivisor.engine.cpu.Cpu;
import dev.multivisor.engine.cpu.CpuFault;
import dev.multivisor.engine.cpu.Leave;
import java.util.Random;
import java.util.function.LongSupplier;
import org.junit.jupiter.api.Test;

/** What compiled code computes by itself has the result and the MXCSR that the interpreter's integers arrive at. */
class QuickArithmeticTest {
    private static final int ROUNDS = 200_000;
    private static final long LOW = 0xffffffffL;

    private final Cpu cpu = new SseGuest().cpu;
    private final Random random = new Random(42);
    private final SomeNumbers numbers = new SomeNumbers(random);

    private int mxcsr;
    private String what;
    private int quick, left;

    /** Any rounding, any flags and masks, with and without DAZ and FTZ; or the usual ones. */
    private int someMxcsr() {
        return random.nextBoolean() ? 0x1f80 | random.nextInt(2) << 5 : random.nextInt(1 << 16);
    }

    private void next(long a, long b) {
        mxcsr = someMxcsr();
        what = Long.toHexString(a) + ", " + Long.toHexString(b) + ", MXCSR " + Integer.toHexString(mxcsr);
    }

    @Test
    void doubles() {
        int f = SoftFloat.DOUBLE;
        for (int n = 0; n < ROUNDS; n++) {
            long a = numbers.someDouble();
            long b = random.nextInt(8) == 0 ? a ^ (long) random.nextInt(3) << 62 : numbers.someDouble();
            double x = Double.longBitsToDouble(a);
            double y = Double.longBitsToDouble(b);
            next(a, b);
            same("add", () -> bits(QuickArithmetic.add(cpu, x, y)), () -> SoftFloat.add(cpu, a, b, f));
            same("subtract", () -> bits(QuickArithmetic.subtract(cpu, x, y)), () -> SoftFloat.subtract(cpu, a, b, f));
            same("multiply", () -> bits(QuickArithmetic.multiply(cpu, x, y)), () -> SoftFloat.multiply(cpu, a, b, f));
            same("divide", () -> bits(QuickArithmetic.divide(cpu, x, y)), () -> SoftFloat.divide(cpu, a, b, f));
            same("root", () -> bits(QuickArithmetic.squareRoot(cpu, x)), () -> SoftFloat.squareRoot(cpu, a, f));
            int predicate = random.nextInt(8);
            same(
                    "compare",
                    () -> Scalar.compared64(a, b, predicate),
                    () -> FloatComparisons.compared(cpu, a, b, predicate, f));
            same("relation", () -> Scalar.relation64(a, b), () -> SoftFloat.relation(cpu, a, b, false, f));
            same("min", () -> Scalar.min64(a, b), () -> SoftFloat.min(cpu, a, b, f));
            same("max", () -> Scalar.max64(a, b), () -> SoftFloat.max(cpu, a, b, f));
            same("single", () -> Scalar.toSingle(cpu, a), () -> SoftFloat.toSingle(cpu, a) & LOW);
            same("from", () -> Scalar.fromInteger64(cpu, a), () -> SoftFloat.fromInteger(cpu, a, f));
            toIntegers(a, () -> Conversions.doubleOperand(cpu, a));
        }
        assertMixed();
    }

    @Test
    void singles() {
        int f = SoftFloat.SINGLE;
        for (int n = 0; n < ROUNDS; n++) {
            long a = numbers.someSingle() & LOW;
            long b = random.nextInt(8) == 0 ? a ^ (long) random.nextInt(3) << 30 & LOW : numbers.someSingle() & LOW;
            float x = Float.intBitsToFloat((int) a);
            float y = Float.intBitsToFloat((int) b);
            next(a, b);
            same("add", () -> bits(QuickArithmetic.add(cpu, x, y)), () -> SoftFloat.add(cpu, a, b, f));
            same("subtract", () -> bits(QuickArithmetic.subtract(cpu, x, y)), () -> SoftFloat.subtract(cpu, a, b, f));
            same("multiply", () -> bits(QuickArithmetic.multiply(cpu, x, y)), () -> SoftFloat.multiply(cpu, a, b, f));
            same("divide", () -> bits(QuickArithmetic.divide(cpu, x, y)), () -> SoftFloat.divide(cpu, a, b, f));
            same("root", () -> bits(QuickArithmetic.squareRoot(cpu, x)), () -> SoftFloat.squareRoot(cpu, a, f));
            int predicate = random.nextInt(8);
            same(
                    "compare",
                    () -> Scalar.compared32(a, b, predicate),
                    () -> FloatComparisons.compared(cpu, a, b, predicate, f) & LOW);
            same("relation", () -> Scalar.relation32(a, b), () -> SoftFloat.relation(cpu, a, b, false, f));
            same("min", () -> Scalar.min32(a, b), () -> SoftFloat.min(cpu, a, b, f));
            same("max", () -> Scalar.max32(a, b), () -> SoftFloat.max(cpu, a, b, f));
            same("double", () -> Scalar.toDouble(a), () -> SoftFloat.toDouble(cpu, a));
            long integer = random.nextLong() >> random.nextInt(64);
            same("from", () -> Scalar.fromInteger32(cpu, integer), () -> SoftFloat.fromInteger(cpu, integer, f));
            toIntegers(Scalar.wide(a), () -> Conversions.singleOperand(cpu, (int) a));
        }
        assertMixed();
    }

    /** @param operand what the interpreter converts */
    private void toIntegers(long bits, Operand operand) {
        same(
                "truncated",
                () -> Scalar.truncated64(cpu, bits),
                () -> Conversions.toLong(cpu, operand.get(), Mxcsr.TRUNCATE));
        same(
                "truncated to 32 bits",
                () -> Scalar.truncated32(cpu, bits),
                () -> Conversions.toInt(cpu, operand.get(), Mxcsr.TRUNCATE) & LOW);
        same(
                "rounded",
                () -> Scalar.rounded64(cpu, bits),
                () -> Conversions.toLong(cpu, operand.get(), Mxcsr.rounding(cpu)));
        same(
                "rounded to 32 bits",
                () -> Scalar.rounded32(cpu, bits),
                () -> Conversions.toInt(cpu, operand.get(), Mxcsr.rounding(cpu)) & LOW);
    }

    private interface Operand {
        double get();
    }

    private static long bits(double value) {
        return Double.doubleToRawLongBits(value);
    }

    private static long bits(float value) {
        return Float.floatToRawIntBits(value) & LOW;
    }

    /** Unless it is left to the interpreter, with nothing changed. */
    private void same(String name, LongSupplier fast, LongSupplier slow) {
        cpu.mxcsr = mxcsr;
        cpu.simdExceptions = 0;
        try {
            long result = fast.getAsLong();
            String actual = outcome(result);
            quick++;
            cpu.simdExceptions = 0;
            assertEquals(expected(slow), actual, name + " " + what);
        } catch (Leave nothingDone) {
            left++;
            assertEquals(0, cpu.simdExceptions, name + " " + what);
            assertEquals(mxcsr, cpu.mxcsr, name + " " + what);
        }
    }

    private String expected(LongSupplier slow) {
        try {
            long result = slow.getAsLong();
            Mxcsr.commit(cpu);
            return outcome(result);
        } catch (CpuFault fault) {
            return "vector " + fault.vector;
        }
    }

    private String outcome(long result) {
        return Long.toHexString(result) + " MXCSR " + Integer.toHexString(cpu.mxcsr) + " " + cpu.simdExceptions;
    }

    private void assertMixed() {
        assertTrue(quick > left / 2, "quick " + quick + ", left " + left);
        assertTrue(left > quick / 100, "quick " + quick + ", left " + left);
    }

    /** Numbers as most programs have them are never left to the interpreter once precision was lost. */
    @Test
    void usualNumbersAreQuick() {
        mxcsr = 0x1fa0;
        cpu.mxcsr = mxcsr;
        for (int n = 0; n < ROUNDS; n++) {
            double x = random.nextInt(4) == 0 ? 0 : random.nextGaussian() * 1e6;
            double y = random.nextGaussian();
            float single = (float) x;
            QuickArithmetic.add(cpu, x, y);
            QuickArithmetic.subtract(cpu, x, y);
            QuickArithmetic.subtract(cpu, x, x);
            QuickArithmetic.multiply(cpu, x, y);
            QuickArithmetic.divide(cpu, x, y);
            QuickArithmetic.squareRoot(cpu, Math.abs(x));
            QuickArithmetic.add(cpu, single, (float) y);
            QuickArithmetic.multiply(cpu, single, (float) y);
            QuickArithmetic.divide(cpu, single, (float) y);
            QuickArithmetic.squareRoot(cpu, Math.abs(single));
            Scalar.relation64(bits(x), bits(y));
            Scalar.truncated32(cpu, bits(x));
            Scalar.rounded64(cpu, bits(x));
            Scalar.toSingle(cpu, bits(x));
            Scalar.toDouble(bits(single));
        }
    }
}
