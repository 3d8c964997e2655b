package dev.multivisor.engine.cpu.sse;

import dev.multivisor.engine.cpu.Cpu;
import dev.multivisor.engine.isa.Instruction;

/**
 * RCPPS, RCPSS, RSQRTPS and RSQRTSS. The manual allows a relative error of 1.5 * 2^-12 and vendors differ; here the
 * exact value is rounded to 12 bits after the point. No flags are set, MXCSR is ignored, denormals are zeros.
 */
final class Approximations {
    private static final int SIGN = 0x80000000;
    private static final int INFINITY = 0x7f800000;

    private Approximations() {}

    static void packed(Cpu cpu, Instruction i, boolean root) {
        int s = Vectors.source(cpu, i, i.b);
        Vectors.write(cpu, i.a, pair(cpu.xmm[s], root), pair(cpu.xmm[s + 1], root));
    }

    static void scalar(Cpu cpu, Instruction i, boolean root) {
        Vectors.write32(cpu, i.a, approximate(Vectors.source32(cpu, i, i.b), root));
    }

    private static long pair(long a, boolean root) {
        return Lanes.doublewords(approximate((int) a, root), approximate((int) (a >>> 32), root));
    }

    private static int approximate(int bits, boolean root) {
        int sign = bits & SIGN;
        int magnitude = bits & ~SIGN;
        if (magnitude > INFINITY) {
            return bits | 1 << 22;
        }
        if (magnitude < 1 << 23) {
            return sign | INFINITY;
        }
        if (root && sign != 0) {
            return (int) SoftFloat.indefinite(SoftFloat.SINGLE);
        }
        if (magnitude == INFINITY) {
            return sign;
        }
        double value = Float.intBitsToFloat(magnitude);
        float result = (float) (root ? 1 / Math.sqrt(value) : 1 / value);
        int rounded = Float.floatToRawIntBits(result) + (1 << 10) & -1 << 11;
        return rounded < 1 << 23 ? sign : sign | rounded;
    }
}
