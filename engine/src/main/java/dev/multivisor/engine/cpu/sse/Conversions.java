package dev.multivisor.engine.cpu.sse;

import static dev.multivisor.engine.cpu.sse.SoftFloat.DOUBLE;
import static dev.multivisor.engine.cpu.sse.SoftFloat.SINGLE;

import dev.multivisor.engine.cpu.Cpu;
import dev.multivisor.engine.cpu.Operands;
import dev.multivisor.engine.isa.Instruction;
import dev.multivisor.engine.isa.Operand.Kind;

/**
 * Conversions between integers, single and double precision. Those with an MMX register enter the MMX state even when they
 * raise #XM.
 */
final class Conversions {
    private Conversions() {}

    // ---- From integers ----

    static void cvtsi2sd(Cpu cpu, Instruction i) {
        long value = Operands.signExtend(Operands.read(cpu, i, i.b), i.b.size());
        long result = doubleOf(cpu, value);
        Mxcsr.commit(cpu);
        cpu.xmm[i.a.register() << 1] = result;
    }

    static void cvtsi2ss(Cpu cpu, Instruction i) {
        long value = Operands.signExtend(Operands.read(cpu, i, i.b), i.b.size());
        int result = singleOf(cpu, value);
        Mxcsr.commit(cpu);
        Vectors.write32(cpu, i.a, result);
    }

    static long doubleOf(Cpu cpu, long value) {
        if (Math.abs(value) >>> 53 == 0) {
            return Double.doubleToRawLongBits(value);
        }
        return SoftFloat.fromInteger(cpu, value, DOUBLE);
    }

    static int singleOf(Cpu cpu, long value) {
        if (Math.abs(value) >>> 24 == 0) {
            return Float.floatToRawIntBits(value);
        }
        return (int) SoftFloat.fromInteger(cpu, value, SINGLE);
    }

    /** CVTDQ2PD, and CVTPI2PD, whose memory form leaves the x87 state alone, as that of CVTPI2PS. */
    static void cvtdq2pd(Cpu cpu, Instruction i) {
        long value = cpu.xmm[Vectors.source(cpu, i, i.b)];
        if (i.b.kind() == Kind.MMX) {
            Vectors.enterMmx(cpu);
        }
        Vectors.write(cpu, i.a, doubleOf(cpu, (int) value), doubleOf(cpu, (int) (value >>> 32)));
    }

    static void cvtdq2ps(Cpu cpu, Instruction i) {
        int s = Vectors.source(cpu, i, i.b);
        long low = singlesOf(cpu, cpu.xmm[s]);
        long high = singlesOf(cpu, cpu.xmm[s + 1]);
        Mxcsr.commit(cpu);
        Vectors.write(cpu, i.a, low, high);
    }

    static void cvtpi2ps(Cpu cpu, Instruction i) {
        long value = singlesOf(cpu, cpu.xmm[Vectors.source(cpu, i, i.b)]);
        if (i.b.kind() == Kind.MMX) {
            // Also when an exception follows.
            Vectors.enterMmx(cpu);
        }
        Mxcsr.commit(cpu);
        cpu.xmm[i.a.register() << 1] = value;
    }

    private static long singlesOf(Cpu cpu, long a) {
        return Lanes.doublewords(singleOf(cpu, (int) a), singleOf(cpu, (int) (a >>> 32)));
    }

    // ---- To integers ----

    static void cvtsd2si(Cpu cpu, Instruction i, boolean truncate) {
        double value = doubleOperand(cpu, Vectors.source64(cpu, i, i.b));
        writeInteger(cpu, i, value, truncate ? Mxcsr.TRUNCATE : Mxcsr.rounding(cpu));
    }

    static void cvtss2si(Cpu cpu, Instruction i, boolean truncate) {
        double value = singleOperand(cpu, Vectors.source32(cpu, i, i.b));
        writeInteger(cpu, i, value, truncate ? Mxcsr.TRUNCATE : Mxcsr.rounding(cpu));
    }

    private static void writeInteger(Cpu cpu, Instruction i, double value, int mode) {
        long result = i.a.size() == 8 ? toLong(cpu, value, mode) : toInt(cpu, value, mode) & 0xffffffffL;
        Mxcsr.commit(cpu);
        cpu.r[i.a.register()] = result;
    }

    /** CVTPS2DQ and CVTTPS2DQ. */
    static void cvtps2dq(Cpu cpu, Instruction i, boolean truncate) {
        int mode = truncate ? Mxcsr.TRUNCATE : Mxcsr.rounding(cpu);
        int s = Vectors.source(cpu, i, i.b);
        long low = pairToInts(cpu, cpu.xmm[s], mode);
        long high = pairToInts(cpu, cpu.xmm[s + 1], mode);
        Mxcsr.commit(cpu);
        Vectors.write(cpu, i.a, low, high);
    }

    /** CVTPD2DQ and CVTTPD2DQ. */
    static void cvtpd2dq(Cpu cpu, Instruction i, boolean truncate) {
        long value = doublesToInts(cpu, i, truncate);
        Mxcsr.commit(cpu);
        Vectors.write(cpu, i.a, value, 0);
    }

    /** CVTPD2PI and CVTTPD2PI. */
    static void cvtpd2pi(Cpu cpu, Instruction i, boolean truncate) {
        long value = doublesToInts(cpu, i, truncate);
        Vectors.enterMmx(cpu);
        Mxcsr.commit(cpu);
        Vectors.writeMmx(cpu, i.a.register(), value);
    }

    /** CVTPS2PI and CVTTPS2PI. */
    static void cvtps2pi(Cpu cpu, Instruction i, boolean truncate) {
        int mode = truncate ? Mxcsr.TRUNCATE : Mxcsr.rounding(cpu);
        long value = pairToInts(cpu, cpu.xmm[Vectors.source(cpu, i, i.b)], mode);
        Vectors.enterMmx(cpu);
        Mxcsr.commit(cpu);
        Vectors.writeMmx(cpu, i.a.register(), value);
    }

    private static long doublesToInts(Cpu cpu, Instruction i, boolean truncate) {
        int mode = truncate ? Mxcsr.TRUNCATE : Mxcsr.rounding(cpu);
        int s = Vectors.source(cpu, i, i.b);
        return Lanes.doublewords(
                toInt(cpu, doubleOperand(cpu, cpu.xmm[s]), mode), toInt(cpu, doubleOperand(cpu, cpu.xmm[s + 1]), mode));
    }

    private static long pairToInts(Cpu cpu, long a, int mode) {
        return Lanes.doublewords(
                toInt(cpu, singleOperand(cpu, (int) a), mode), toInt(cpu, singleOperand(cpu, (int) (a >>> 32)), mode));
    }

    static double doubleOperand(Cpu cpu, long bits) {
        return Double.longBitsToDouble(SoftFloat.operand(cpu, bits, DOUBLE));
    }

    static double singleOperand(Cpu cpu, int bits) {
        return Float.intBitsToFloat((int) SoftFloat.operand(cpu, bits & 0xffffffffL, SINGLE));
    }

    private static double rounded(double value, int mode) {
        return switch (mode) {
            case Mxcsr.NEAREST -> Math.rint(value);
            case Mxcsr.DOWN -> Math.floor(value);
            case Mxcsr.UP -> Math.ceil(value);
            default -> value < 0 ? Math.ceil(value) : Math.floor(value);
        };
    }

    /** NaNs and numbers out of range are invalid and give the integer indefinite. */
    static long toLong(Cpu cpu, double value, int mode) {
        double integer = rounded(value, mode);
        if (!(integer >= -0x1p63 && integer < 0x1p63)) {
            cpu.simdExceptions |= Mxcsr.IE;
            return Long.MIN_VALUE;
        }
        if (integer != value) {
            cpu.simdExceptions |= Mxcsr.PE;
        }
        return (long) integer;
    }

    static int toInt(Cpu cpu, double value, int mode) {
        double integer = rounded(value, mode);
        if (!(integer >= -0x1p31 && integer < 0x1p31)) {
            cpu.simdExceptions |= Mxcsr.IE;
            return Integer.MIN_VALUE;
        }
        if (integer != value) {
            cpu.simdExceptions |= Mxcsr.PE;
        }
        return (int) integer;
    }

    // ---- Between precisions ----

    static void cvtsd2ss(Cpu cpu, Instruction i) {
        int value = (int) SoftFloat.toSingle(cpu, Vectors.source64(cpu, i, i.b));
        Mxcsr.commit(cpu);
        Vectors.write32(cpu, i.a, value);
    }

    static void cvtss2sd(Cpu cpu, Instruction i) {
        long value = SoftFloat.toDouble(cpu, Vectors.source32(cpu, i, i.b) & 0xffffffffL);
        Mxcsr.commit(cpu);
        cpu.xmm[i.a.register() << 1] = value;
    }

    static void cvtpd2ps(Cpu cpu, Instruction i) {
        int s = Vectors.source(cpu, i, i.b);
        long low = SoftFloat.toSingle(cpu, cpu.xmm[s]);
        long high = SoftFloat.toSingle(cpu, cpu.xmm[s + 1]);
        Mxcsr.commit(cpu);
        Vectors.write(cpu, i.a, low | high << 32, 0);
    }

    static void cvtps2pd(Cpu cpu, Instruction i) {
        long a = cpu.xmm[Vectors.source(cpu, i, i.b)];
        long low = SoftFloat.toDouble(cpu, a & 0xffffffffL);
        long high = SoftFloat.toDouble(cpu, a >>> 32);
        Mxcsr.commit(cpu);
        Vectors.write(cpu, i.a, low, high);
    }

    // ---- ROUNDxx: bits 0 and 1 of the immediate are the mode, bit 2 takes MXCSR's, bit 3 suppresses PE ----

    static void roundsd(Cpu cpu, Instruction i) {
        long value = integral64(cpu, Vectors.source64(cpu, i, i.b), (int) i.immediate);
        Mxcsr.commit(cpu);
        cpu.xmm[i.a.register() << 1] = value;
    }

    static void roundss(Cpu cpu, Instruction i) {
        int value = integral32(cpu, Vectors.source32(cpu, i, i.b), (int) i.immediate);
        Mxcsr.commit(cpu);
        Vectors.write32(cpu, i.a, value);
    }

    static void roundpd(Cpu cpu, Instruction i) {
        int s = Vectors.source(cpu, i, i.b);
        long low = integral64(cpu, cpu.xmm[s], (int) i.immediate);
        long high = integral64(cpu, cpu.xmm[s + 1], (int) i.immediate);
        Mxcsr.commit(cpu);
        Vectors.write(cpu, i.a, low, high);
    }

    static void roundps(Cpu cpu, Instruction i) {
        int s = Vectors.source(cpu, i, i.b);
        long low = integralPair(cpu, cpu.xmm[s], (int) i.immediate);
        long high = integralPair(cpu, cpu.xmm[s + 1], (int) i.immediate);
        Mxcsr.commit(cpu);
        Vectors.write(cpu, i.a, low, high);
    }

    private static long integralPair(Cpu cpu, long a, int control) {
        return Lanes.doublewords(integral32(cpu, (int) a, control), integral32(cpu, (int) (a >>> 32), control));
    }

    private static long integral64(Cpu cpu, long bits, int control) {
        if (SoftFloat.isNan(bits, DOUBLE)) {
            noteSignaling(cpu, bits, DOUBLE);
            return SoftFloat.quiet(bits, DOUBLE);
        }
        double value = doubleOperand(cpu, bits);
        return Double.doubleToRawLongBits(integral(cpu, value, control));
    }

    private static int integral32(Cpu cpu, int bits, int control) {
        long wide = bits & 0xffffffffL;
        if (SoftFloat.isNan(wide, SINGLE)) {
            noteSignaling(cpu, wide, SINGLE);
            return (int) SoftFloat.quiet(wide, SINGLE);
        }
        return Float.floatToRawIntBits((float) integral(cpu, singleOperand(cpu, bits), control));
    }

    private static void noteSignaling(Cpu cpu, long bits, int f) {
        if (SoftFloat.isSignaling(bits, f)) {
            cpu.simdExceptions |= Mxcsr.IE;
        }
    }

    private static double integral(Cpu cpu, double value, int control) {
        double integer = rounded(value, (control & 4) != 0 ? Mxcsr.rounding(cpu) : control & 3);
        if (integer != value && (control & 8) == 0) {
            cpu.simdExceptions |= Mxcsr.PE;
        }
        return integer;
    }
}
