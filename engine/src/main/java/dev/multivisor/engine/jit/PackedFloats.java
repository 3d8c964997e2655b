package dev.multivisor.engine.jit;

import static java.lang.constant.ConstantDescs.CD_double;
import static java.lang.constant.ConstantDescs.CD_float;

import dev.multivisor.engine.isa.Instruction;
import java.lang.classfile.CodeBuilder;
import java.lang.constant.ClassDesc;

/**
 * Comparisons, conversions and horizontal sums of packed floating-point numbers, in line, element by element with what
 * there is for one. Registers are written when all elements are done, so those that are not quick are the interpreter's
 * from the beginning.
 */
final class PackedFloats {
    private static final long LOW = 0xffffffffL;

    private final Code code;
    private final CodeBuilder b;
    private final Vectors vectors;
    private final Scalars scalars;

    PackedFloats(Code code, Vectors vectors, Scalars scalars) {
        this.code = code;
        b = code.b;
        this.vectors = vectors;
        this.scalars = scalars;
    }

    /** Whether an SSE instruction without MMX registers is emitted here. */
    static boolean emits(Instruction i) {
        return switch (i.op) {
            case CMPPD, CMPPS, MINPD, MINPS, MAXPD, MAXPS -> true;
            case CVTDQ2PD, CVTDQ2PS, CVTPS2DQ, CVTTPS2DQ, CVTPD2DQ, CVTTPD2DQ, CVTPS2PD, CVTPD2PS -> true;
            case HADDPD, HADDPS, HSUBPD, HSUBPS, ADDSUBPD, ADDSUBPS -> true;
            default -> false;
        };
    }

    /** Emits one for which {@link #emits} holds. */
    void emit(Instruction i, Place place) {
        switch (i.op) {
            case CVTDQ2PD, CVTPS2PD -> vectors.scalar(i, 8, place);
            default -> vectors.source(i, place);
        }
        code.at(place);
        int low = vectors.low(i.a);
        int high = vectors.high(i.a);
        switch (i.op) {
            case CMPPD, MINPD, MAXPD -> {
                combine64(i, low, code.x);
                combine64(i, high, code.y);
            }
            case CMPPS, MINPS, MAXPS -> {
                combine32(i, low, code.x);
                combine32(i, high, code.y);
            }
            case CVTDQ2PS, CVTPS2DQ, CVTTPS2DQ -> {
                convertPair(i, code.x);
                convertPair(i, code.y);
            }
            case CVTDQ2PD, CVTPS2PD -> {
                b.lload(code.x).bipush(32).lushr().lstore(code.y);
                convert(i, code.y);
                b.lstore(code.y);
                convert(i, code.x);
                b.lstore(code.x);
            }
            case CVTPD2DQ, CVTTPD2DQ, CVTPD2PS -> {
                convert(i, code.x);
                convert(i, code.y);
                b.bipush(32).lshl().lor().lstore(code.x);
                b.lconst_0().lstore(code.y);
            }
            case HADDPD -> neighbours64("add", low);
            case HSUBPD -> neighbours64("subtract", low);
            case HADDPS -> neighbours32("add", low);
            case HSUBPS -> neighbours32("subtract", low);
            case ADDSUBPD -> {
                vectors.packedDouble("subtract", low, code.x);
                vectors.packedDouble("add", high, code.y);
            }
            default -> {
                vectors.packedSingle("subtract", "add", low, code.x);
                vectors.packedSingle("subtract", "add", high, code.y);
            }
        }
        vectors.setPair(i.a);
    }

    // ---- CMPPx, MINPx and MAXPx ----

    private void combine64(Instruction i, int half, int local) {
        vectors.get(half).lload(local);
        scalars.combined(i, 8);
        b.lstore(local);
    }

    private void combine32(Instruction i, int half, int local) {
        vectors.get(half).loadConstant(LOW).land();
        b.lload(local).loadConstant(LOW).land();
        scalars.combined(i, 4);
        vectors.get(half).bipush(32).lushr();
        b.lload(local).bipush(32).lushr();
        scalars.combined(i, 4);
        b.bipush(32).lshl().lor().lstore(local);
    }

    // ---- Conversions ----

    /** Both elements of a local. */
    private void convertPair(Instruction i, int local) {
        convert(i, local);
        b.lload(local).bipush(32).lushr().lstore(local);
        convert(i, local);
        b.bipush(32).lshl().lor().lstore(local);
    }

    /** The element in a local, or in its lower half, as a long on the stack. */
    private void convert(Instruction i, int local) {
        switch (i.op) {
            case CVTDQ2PD ->
                scalars.call("fromInteger64", () -> b.lload(local).l2i().i2l());
            case CVTDQ2PS ->
                scalars.call("fromInteger32", () -> b.lload(local).l2i().i2l());
            case CVTPS2DQ -> scalars.call("rounded32", () -> wide(local));
            case CVTTPS2DQ -> scalars.call("truncated32", () -> wide(local));
            case CVTPD2DQ -> scalars.call("rounded32", () -> b.lload(local));
            case CVTTPD2DQ -> scalars.call("truncated32", () -> b.lload(local));
            case CVTPD2PS -> scalars.call("toSingle", () -> b.lload(local));
            default -> {
                b.lload(local).loadConstant(LOW).land();
                scalars.call("toDouble");
            }
        }
    }

    private void wide(int local) {
        b.lload(local);
        scalars.call("wide");
    }

    // ---- Sums of neighbours: of the register, and of the second operand ----

    private void neighbours64(String function, int half) {
        sum(function, CD_double, () -> {
            vectors.get(half);
            code.toDouble();
            vectors.get(half + 1);
            code.toDouble();
        });
        code.fromDouble();
        b.lstore(code.z);
        sum(function, CD_double, () -> {
            b.lload(code.x);
            code.toDouble();
            b.lload(code.y);
            code.toDouble();
        });
        code.fromDouble();
        b.lstore(code.y);
        b.lload(code.z).lstore(code.x);
    }

    private void neighbours32(String function, int half) {
        pairs(function, () -> vectors.get(half), () -> vectors.get(half + 1));
        b.lstore(code.z);
        pairs(function, () -> b.lload(code.x), () -> b.lload(code.y));
        b.lstore(code.y);
        b.lload(code.z).lstore(code.x);
    }

    /** The sums of two pairs, as a long. */
    private void pairs(String function, Runnable first, Runnable second) {
        pair(function, first);
        b.loadConstant(LOW).land();
        pair(function, second);
        b.bipush(32).lshl().lor();
    }

    private void pair(String function, Runnable pair) {
        sum(function, CD_float, () -> {
            pair.run();
            vectors.toSingle(0);
            pair.run();
            vectors.toSingle(32);
        });
        vectors.fromSingle();
    }

    private void sum(String function, ClassDesc type, Runnable operands) {
        b.aload(code.cpu);
        operands.run();
        vectors.quick(function, type);
    }
}
