package dev.multivisor.engine.cpu.sse;

import dev.multivisor.engine.cpu.Cpu;
import dev.multivisor.engine.isa.Instruction;
import dev.multivisor.engine.isa.Op;

/**
 * Addition, subtraction, multiplication, division and square root.
 *
 * <p>Java's arithmetic rounds to nearest and is exactly what hardware gives for ordinary numbers. When the operands are
 * neither denormal nor zero, the result is normal and above the least normal number, rounding is to nearest and all
 * exceptions are masked, then the only flag that can be set is PE. It is sticky and usually set already; if not, the
 * rounding error is computed, which is exact away from the ends of the exponent range. Everything else goes to
 * {@link SoftFloat}.
 */
final class FloatArithmetic {
    private static final long EXPONENT64 = 0x7ffL << 52;
    private static final int EXPONENT32 = 0xff << 23;

    private FloatArithmetic() {}

    // ---- Instructions ----

    static void addsd(Cpu cpu, Instruction i) {
        write(cpu, i, add64(cpu, cpu.xmm[i.a.register() << 1], Vectors.source64(cpu, i, i.b)));
    }

    static void subsd(Cpu cpu, Instruction i) {
        write(cpu, i, subtract64(cpu, cpu.xmm[i.a.register() << 1], Vectors.source64(cpu, i, i.b)));
    }

    static void mulsd(Cpu cpu, Instruction i) {
        write(cpu, i, multiply64(cpu, cpu.xmm[i.a.register() << 1], Vectors.source64(cpu, i, i.b)));
    }

    static void divsd(Cpu cpu, Instruction i) {
        write(cpu, i, divide64(cpu, cpu.xmm[i.a.register() << 1], Vectors.source64(cpu, i, i.b)));
    }

    static void sqrtsd(Cpu cpu, Instruction i) {
        write(cpu, i, squareRoot64(cpu, Vectors.source64(cpu, i, i.b)));
    }

    private static void write(Cpu cpu, Instruction i, long value) {
        Mxcsr.commit(cpu);
        cpu.xmm[i.a.register() << 1] = value;
    }

    /** ADDSS, SUBSS, MULSS, DIVSS, SQRTSS. */
    static void scalarSingle(Cpu cpu, Instruction i) {
        int b = Vectors.source32(cpu, i, i.b);
        int a = (int) cpu.xmm[i.a.register() << 1];
        int value = switch (i.op) {
            case ADDSS -> add32(cpu, a, b);
            case SUBSS -> subtract32(cpu, a, b);
            case MULSS -> multiply32(cpu, a, b);
            case DIVSS -> divide32(cpu, a, b);
            case SQRTSS -> squareRoot32(cpu, b);
            default -> throw new IllegalArgumentException(i.op.name());
        };
        Mxcsr.commit(cpu);
        Vectors.write32(cpu, i.a, value);
    }

    /** ADDPD, SUBPD, MULPD, DIVPD, SQRTPD, ADDSUBPD. */
    static void packedDouble(Cpu cpu, Instruction i) {
        long[] x = cpu.xmm;
        int s = Vectors.source(cpu, i, i.b);
        int d = i.a.register() << 1;
        long low = lane64(cpu, i.op == Op.ADDSUBPD ? Op.SUBPD : i.op, x[d], x[s]);
        long high = lane64(cpu, i.op, x[d + 1], x[s + 1]);
        Mxcsr.commit(cpu);
        x[d] = low;
        x[d + 1] = high;
    }

    private static long lane64(Cpu cpu, Op op, long a, long b) {
        return switch (op) {
            case ADDPD, ADDSUBPD -> add64(cpu, a, b);
            case SUBPD -> subtract64(cpu, a, b);
            case MULPD -> multiply64(cpu, a, b);
            case DIVPD -> divide64(cpu, a, b);
            case SQRTPD -> squareRoot64(cpu, b);
            default -> throw new IllegalArgumentException(op.name());
        };
    }

    /** ADDPS, SUBPS, MULPS, DIVPS, SQRTPS, ADDSUBPS. */
    static void packedSingle(Cpu cpu, Instruction i) {
        long[] x = cpu.xmm;
        int s = Vectors.source(cpu, i, i.b);
        int d = i.a.register() << 1;
        long low = pair32(cpu, i.op, x[d], x[s]);
        long high = pair32(cpu, i.op, x[d + 1], x[s + 1]);
        Mxcsr.commit(cpu);
        x[d] = low;
        x[d + 1] = high;
    }

    private static long pair32(Cpu cpu, Op op, long a, long b) {
        int a0 = (int) a;
        int a1 = (int) (a >>> 32);
        int b0 = (int) b;
        int b1 = (int) (b >>> 32);
        return switch (op) {
            case ADDPS -> Lanes.doublewords(add32(cpu, a0, b0), add32(cpu, a1, b1));
            case SUBPS -> Lanes.doublewords(subtract32(cpu, a0, b0), subtract32(cpu, a1, b1));
            case MULPS -> Lanes.doublewords(multiply32(cpu, a0, b0), multiply32(cpu, a1, b1));
            case DIVPS -> Lanes.doublewords(divide32(cpu, a0, b0), divide32(cpu, a1, b1));
            case SQRTPS -> Lanes.doublewords(squareRoot32(cpu, b0), squareRoot32(cpu, b1));
            case ADDSUBPS -> Lanes.doublewords(subtract32(cpu, a0, b0), add32(cpu, a1, b1));
            default -> throw new IllegalArgumentException(op.name());
        };
    }

    // ---- Double precision ----

    /** Neither zero nor denormal. */
    private static boolean normal64(long a) {
        return (a & EXPONENT64) != 0;
    }

    /** Finite, and at least twice the least normal number, so that nothing underflowed before rounding. */
    private static boolean safe64(long result) {
        return ((int) (result >>> 52) + 1 & 0x7ff) > 2;
    }

    /** Whether rounding errors of a result of this size are exact doubles themselves. */
    private static boolean middle64(long result) {
        int exponent = (int) (result >>> 52) & 0x7ff;
        return exponent > 0x80 && exponent < 0x7e0;
    }

    private static boolean zero64(long a) {
        return a << 1 == 0;
    }

    /** Whether both are normal or zero, so that a zero among operands or a sum of zero means an exact result. */
    private static boolean exact64(Cpu cpu, long a, long b) {
        return Mxcsr.ordinary(cpu) && plain64(a) && plain64(b);
    }

    static boolean plain64(long a) {
        long exponent = a & EXPONENT64;
        return exponent == 0 ? zero64(a) : exponent != EXPONENT64;
    }

    private static boolean precisionKnown(Cpu cpu) {
        return (cpu.mxcsr & Mxcsr.PE) != 0;
    }

    static long add64(Cpu cpu, long a, long b) {
        double x = Double.longBitsToDouble(a);
        double y = Double.longBitsToDouble(b);
        double z = x + y;
        long result = Double.doubleToRawLongBits(z);
        if (normal64(a) && normal64(b) && safe64(result) && Mxcsr.ordinary(cpu)) {
            if (precisionKnown(cpu)) {
                return result;
            }
            if (middle64(result)) {
                noteError(cpu, sumError(x, y, z));
                return result;
            }
        }
        return exact64(cpu, a, b) && (zero64(a) || zero64(b) || zero64(result))
                ? result
                : SoftFloat.add(cpu, a, b, SoftFloat.DOUBLE);
    }

    static long subtract64(Cpu cpu, long a, long b) {
        double x = Double.longBitsToDouble(a);
        double y = Double.longBitsToDouble(b);
        double z = x - y;
        long result = Double.doubleToRawLongBits(z);
        if (normal64(a) && normal64(b) && safe64(result) && Mxcsr.ordinary(cpu)) {
            if (precisionKnown(cpu)) {
                return result;
            }
            if (middle64(result)) {
                noteError(cpu, sumError(x, -y, z));
                return result;
            }
        }
        return exact64(cpu, a, b) && (zero64(a) || zero64(b) || zero64(result))
                ? result
                : SoftFloat.subtract(cpu, a, b, SoftFloat.DOUBLE);
    }

    /** Knuth's: what x + y lost when it was rounded to z. */
    static double sumError(double x, double y, double z) {
        double part = z - x;
        return x - (z - part) + (y - part);
    }

    private static void noteError(Cpu cpu, double error) {
        if (error != 0) {
            cpu.simdExceptions |= Mxcsr.PE;
        }
    }

    static long multiply64(Cpu cpu, long a, long b) {
        double x = Double.longBitsToDouble(a);
        double y = Double.longBitsToDouble(b);
        double z = x * y;
        long result = Double.doubleToRawLongBits(z);
        if (normal64(a) && normal64(b) && safe64(result) && Mxcsr.ordinary(cpu)) {
            if (precisionKnown(cpu)) {
                return result;
            }
            if (middle64(result)) {
                noteError(cpu, Math.fma(x, y, -z));
                return result;
            }
        }
        return exact64(cpu, a, b) && (zero64(a) || zero64(b))
                ? result
                : SoftFloat.multiply(cpu, a, b, SoftFloat.DOUBLE);
    }

    static long divide64(Cpu cpu, long a, long b) {
        double x = Double.longBitsToDouble(a);
        double y = Double.longBitsToDouble(b);
        double z = x / y;
        long result = Double.doubleToRawLongBits(z);
        if (normal64(a) && normal64(b) && safe64(result) && Mxcsr.ordinary(cpu)) {
            if (precisionKnown(cpu)) {
                return result;
            }
            // The remainder is of the dividend's size.
            if (middle64(a)) {
                noteError(cpu, Math.fma(z, y, -x));
                return result;
            }
        }
        return exact64(cpu, a, b) && zero64(a) && !zero64(b) ? result : SoftFloat.divide(cpu, a, b, SoftFloat.DOUBLE);
    }

    static long squareRoot64(Cpu cpu, long a) {
        double x = Double.longBitsToDouble(a);
        double z = Math.sqrt(x);
        long result = Double.doubleToRawLongBits(z);
        if (normal64(a) && safe64(result) && Mxcsr.ordinary(cpu)) {
            if (precisionKnown(cpu)) {
                return result;
            }
            if (middle64(a)) {
                noteError(cpu, Math.fma(z, z, -x));
                return result;
            }
        }
        return SoftFloat.squareRoot(cpu, a, SoftFloat.DOUBLE);
    }

    // ---- Single precision; products are exact in double precision ----

    private static boolean normal32(int a) {
        return (a & EXPONENT32) != 0;
    }

    static boolean safe32(int result) {
        return ((result >>> 23) + 1 & 0xff) > 2;
    }

    private static boolean zero32(int a) {
        return a << 1 == 0;
    }

    private static boolean exact32(Cpu cpu, int a, int b) {
        return Mxcsr.ordinary(cpu) && plain32(a) && plain32(b);
    }

    static boolean plain32(int a) {
        int exponent = a & EXPONENT32;
        return exponent == 0 ? zero32(a) : exponent != EXPONENT32;
    }

    static int add32(Cpu cpu, int a, int b) {
        float x = Float.intBitsToFloat(a);
        float y = Float.intBitsToFloat(b);
        float z = x + y;
        int result = Float.floatToRawIntBits(z);
        if (normal32(a) && normal32(b) && safe32(result) && Mxcsr.ordinary(cpu)) {
            if (!precisionKnown(cpu)) {
                noteError(cpu, sumError(x, y, z));
            }
            return result;
        }
        return exact32(cpu, a, b) && (zero32(a) || zero32(b) || zero32(result))
                ? result
                : (int) SoftFloat.add(cpu, a & 0xffffffffL, b & 0xffffffffL, SoftFloat.SINGLE);
    }

    static int subtract32(Cpu cpu, int a, int b) {
        float x = Float.intBitsToFloat(a);
        float y = Float.intBitsToFloat(b);
        float z = x - y;
        int result = Float.floatToRawIntBits(z);
        if (normal32(a) && normal32(b) && safe32(result) && Mxcsr.ordinary(cpu)) {
            if (!precisionKnown(cpu)) {
                noteError(cpu, sumError(x, -y, z));
            }
            return result;
        }
        return exact32(cpu, a, b) && (zero32(a) || zero32(b) || zero32(result))
                ? result
                : (int) SoftFloat.subtract(cpu, a & 0xffffffffL, b & 0xffffffffL, SoftFloat.SINGLE);
    }

    static int multiply32(Cpu cpu, int a, int b) {
        float x = Float.intBitsToFloat(a);
        float y = Float.intBitsToFloat(b);
        float z = x * y;
        int result = Float.floatToRawIntBits(z);
        if (normal32(a) && normal32(b) && safe32(result) && Mxcsr.ordinary(cpu)) {
            if (!precisionKnown(cpu)) {
                noteError(cpu, (double) x * y - z);
            }
            return result;
        }
        return exact32(cpu, a, b) && (zero32(a) || zero32(b))
                ? result
                : (int) SoftFloat.multiply(cpu, a & 0xffffffffL, b & 0xffffffffL, SoftFloat.SINGLE);
    }

    static int divide32(Cpu cpu, int a, int b) {
        float x = Float.intBitsToFloat(a);
        float y = Float.intBitsToFloat(b);
        float z = x / y;
        int result = Float.floatToRawIntBits(z);
        if (normal32(a) && normal32(b) && safe32(result) && Mxcsr.ordinary(cpu)) {
            if (!precisionKnown(cpu)) {
                noteError(cpu, (double) z * y - x);
            }
            return result;
        }
        return exact32(cpu, a, b) && zero32(a) && !zero32(b)
                ? result
                : (int) SoftFloat.divide(cpu, a & 0xffffffffL, b & 0xffffffffL, SoftFloat.SINGLE);
    }

    static int squareRoot32(Cpu cpu, int a) {
        float x = Float.intBitsToFloat(a);
        // A double has more than twice the bits, so that rounding twice does no harm.
        float z = (float) Math.sqrt(x);
        int result = Float.floatToRawIntBits(z);
        if (normal32(a) && safe32(result) && Mxcsr.ordinary(cpu)) {
            if (!precisionKnown(cpu)) {
                noteError(cpu, (double) z * z - x);
            }
            return result;
        }
        return (int) SoftFloat.squareRoot(cpu, a & 0xffffffffL, SoftFloat.SINGLE);
    }
}
