package dev.multivisor.engine.cpu.sse;

import dev.multivisor.engine.cpu.Cpu;
import dev.multivisor.engine.cpu.Leave;

/**
 * Addition, subtraction, multiplication, division and square root of one number, for compiled code, which leaves what is
 * not quick to {@link FloatArithmetic} by way of the interpreter: so nothing in a loop of it is a call, and nothing here
 * sets a flag or raises an exception. Quick is
 *
 * <ul>
 *   <li>what is exact, in any mode: its rounding error is computed, and is zero;
 *   <li>what is rounded to nearest when precision was lost before, and all exceptions are masked;
 *   <li>what has a zero among operands and result, and is exact for it.
 * </ul>
 *
 * <p>Operands are normal numbers or zeros. The methods throw {@link Leave} where it is not quick. HotSpot puts them in line
 * wherever they are called, as the launcher tells it to.
 */
public final class QuickArithmetic {
    /** Twice the least normal number, so that nothing underflowed before rounding. */
    private static final double LEAST = 0x1p-1021;

    private static final float LEAST_SINGLE = 0x1p-125f;

    /** What is large enough for the rounding errors of a product to be doubles themselves. */
    private static final double SMALL = 0x1p-900;

    /** So much larger than any denormal number that adding one to it is not exact. */
    private static final float SMALL_SINGLE = 0x1p-100f;

    private QuickArithmetic() {}

    // ---- Double precision ----

    /** ADDSD. */
    public static double add(Cpu cpu, double x, double y) {
        double z = x + y;
        return quickSum(cpu, x, y, z) ? z : left();
    }

    /** SUBSD. */
    public static double subtract(Cpu cpu, double x, double y) {
        double z = x - y;
        return quickSum(cpu, x, -y, z) ? z : left();
    }

    /** MULSD. */
    public static double multiply(Cpu cpu, double x, double y) {
        double z = x * y;
        return quickProduct(cpu, x, y, z) ? z : left();
    }

    /** DIVSD. */
    public static double divide(Cpu cpu, double x, double y) {
        double z = x / y;
        return quickQuotient(cpu, x, y, z) ? z : left();
    }

    /** SQRTSD. */
    public static double squareRoot(Cpu cpu, double x) {
        double z = Math.sqrt(x);
        return (Mxcsr.precise(cpu) ? x == 0 || rounded(x, x, z) : exactRoot(x, z)) ? z : left();
    }

    private static boolean quickSum(Cpu cpu, double x, double y, double z) {
        return (Mxcsr.precise(cpu) ? rounded(x, y, z) : exact(FloatArithmetic.sumError(x, y, z), z))
                || zeroSum(cpu, x, y, z);
    }

    private static boolean quickProduct(Cpu cpu, double x, double y, double z) {
        return (Mxcsr.precise(cpu) ? rounded(x, y, z) : exactProduct(x, y, z)) || zeroProduct(cpu, x, y, z);
    }

    private static boolean quickQuotient(Cpu cpu, double x, double y, double z) {
        return (Mxcsr.precise(cpu) ? rounded(x, y, z) : exactQuotient(x, y, z)) || zeroQuotient(cpu, x, y);
    }

    /**
     * Whether there was nothing to round. What is not finite has no error of zero, and a denormal operand of a sum leaves
     * one in a result that is not small.
     *
     * @param size of a value that is so large that its rounding errors are doubles
     */
    private static boolean exact(double error, double size) {
        return error == 0 && large(size);
    }

    private static boolean large(double size) {
        return Math.abs(size) > SMALL;
    }

    private static boolean exactProduct(double x, double y, double z) {
        return exact(Math.fma(x, y, -z), z) && normal(x, y);
    }

    private static boolean exactQuotient(double x, double y, double z) {
        return exact(Math.fma(z, y, -x), x) && large(z) && normal(y);
    }

    private static boolean exactRoot(double x, double z) {
        return x == 0 || exact(Math.fma(z, z, -x), x);
    }

    private static boolean zeroSum(Cpu cpu, double x, double y, double z) {
        return (x == 0 || y == 0 || z == 0) && plain(cpu, x, y);
    }

    private static boolean zeroProduct(Cpu cpu, double x, double y, double z) {
        return z == 0 && (x == 0 || y == 0) && plain(cpu, x, y);
    }

    private static boolean zeroQuotient(Cpu cpu, double x, double y) {
        return x == 0 && y != 0 && plain(cpu, x, y);
    }

    /** Whether rounding it changes nothing, if precision was lost before. */
    private static boolean rounded(double x, double y, double z) {
        return normal(x, y) && middle(z);
    }

    private static boolean middle(double z) {
        return Math.abs(z) > LEAST && Math.abs(z) <= Double.MAX_VALUE;
    }

    /** Whether they are normal numbers, infinite or zeros, and zeros have the sign that rounding to nearest gives them. */
    private static boolean plain(Cpu cpu, double x, double y) {
        return Mxcsr.ordinary(cpu) && plain(x) && plain(y);
    }

    private static boolean plain(double x) {
        return normal(x) || x == 0;
    }

    private static boolean normal(double x, double y) {
        return normal(x) && normal(y);
    }

    /** Also of what is infinite. */
    private static boolean normal(double x) {
        return Math.abs(x) >= Double.MIN_NORMAL;
    }

    private static double left() {
        throw Leave.NOW;
    }

    // ---- Single precision; products are exact in double precision ----

    /** ADDSS. */
    public static float add(Cpu cpu, float x, float y) {
        float z = x + y;
        return quickSum(cpu, x, y, z) ? z : leftSingle();
    }

    /** SUBSS. */
    public static float subtract(Cpu cpu, float x, float y) {
        float z = x - y;
        return quickSum(cpu, x, -y, z) ? z : leftSingle();
    }

    /** MULSS. */
    public static float multiply(Cpu cpu, float x, float y) {
        float z = x * y;
        return quickProduct(cpu, x, y, z) ? z : leftSingle();
    }

    /** DIVSS. */
    public static float divide(Cpu cpu, float x, float y) {
        float z = x / y;
        return quickQuotient(cpu, x, y, z) ? z : leftSingle();
    }

    /** SQRTSS. */
    public static float squareRoot(Cpu cpu, float x) {
        float z = (float) Math.sqrt(x);
        return (Mxcsr.precise(cpu) ? x == 0 || rounded(x, x, z) : exactRoot(x, z)) ? z : leftSingle();
    }

    private static boolean quickSum(Cpu cpu, float x, float y, float z) {
        return (Mxcsr.precise(cpu) ? rounded(x, y, z) : exact(sumError(x, y, z), z)) || zeroSum(cpu, x, y, z);
    }

    private static boolean quickProduct(Cpu cpu, float x, float y, float z) {
        return (Mxcsr.precise(cpu) ? rounded(x, y, z) : exactProduct(x, y, z)) || zeroProduct(cpu, x, y, z);
    }

    private static boolean quickQuotient(Cpu cpu, float x, float y, float z) {
        return (Mxcsr.precise(cpu) ? rounded(x, y, z) : exactQuotient(x, y, z)) || zeroQuotient(cpu, x, y);
    }

    private static float sumError(float x, float y, float z) {
        float part = z - x;
        return x - (z - part) + (y - part);
    }

    private static boolean exact(float error, float size) {
        return error == 0 && Math.abs(size) > SMALL_SINGLE;
    }

    private static boolean exactProduct(float x, float y, float z) {
        return (double) x * y == z && normal(x, y) && middle(z);
    }

    private static boolean exactQuotient(float x, float y, float z) {
        return exactProduct(z, y, x);
    }

    private static boolean exactRoot(float x, float z) {
        return x == 0 || exactProduct(z, z, x);
    }

    private static boolean zeroSum(Cpu cpu, float x, float y, float z) {
        return (x == 0 || y == 0 || z == 0) && plain(cpu, x, y);
    }

    private static boolean zeroProduct(Cpu cpu, float x, float y, float z) {
        return z == 0 && (x == 0 || y == 0) && plain(cpu, x, y);
    }

    private static boolean zeroQuotient(Cpu cpu, float x, float y) {
        return x == 0 && y != 0 && plain(cpu, x, y);
    }

    private static boolean rounded(float x, float y, float z) {
        return normal(x, y) && middle(z);
    }

    private static boolean middle(float z) {
        return Math.abs(z) > LEAST_SINGLE && Math.abs(z) <= Float.MAX_VALUE;
    }

    private static boolean plain(Cpu cpu, float x, float y) {
        return Mxcsr.ordinary(cpu) && plain(x) && plain(y);
    }

    private static boolean plain(float x) {
        return normal(x) || x == 0;
    }

    private static boolean normal(float x, float y) {
        return normal(x) && normal(y);
    }

    private static boolean normal(float x) {
        return Math.abs(x) >= Float.MIN_NORMAL;
    }

    private static float leftSingle() {
        throw Leave.NOW;
    }
}
