package dev.multivisor.engine.jit;

import static java.lang.constant.ConstantDescs.CD_int;
import static java.lang.constant.ConstantDescs.CD_long;

import dev.multivisor.engine.cpu.sse.Scalar;
import dev.multivisor.engine.isa.Instruction;
import dev.multivisor.engine.isa.Op;
import dev.multivisor.engine.isa.Operand.Kind;
import java.lang.classfile.CodeBuilder;
import java.lang.constant.ClassDesc;

/** Comparisons and conversions of one floating-point number, in line; those that are not quick are the interpreter's. */
final class Scalars {
    private static final ClassDesc SCALAR = Code.desc(Scalar.class);

    private final Code code;
    private final CodeBuilder b;
    private final Conditions flags;
    private final Vectors vectors;

    Scalars(Code code, Conditions flags, Vectors vectors) {
        this.code = code;
        b = code.b;
        this.flags = flags;
        this.vectors = vectors;
    }

    /** Whether an SSE instruction without MMX registers is emitted here. */
    static boolean emits(Instruction i) {
        return switch (i.op) {
            case UCOMISD, UCOMISS, COMISD, COMISS, CMPSD, CMPSS, MINSD, MAXSD, MINSS, MAXSS -> true;
            case CVTSI2SD, CVTSI2SS -> i.b.kind() == Kind.GPR;
            case CVTSD2SI, CVTTSD2SI, CVTSS2SI, CVTTSS2SI, CVTSD2SS, CVTSS2SD -> true;
            default -> false;
        };
    }

    /** Emits one for which {@link #emits} holds. */
    void emit(Instruction i, Place place) {
        switch (i.op) {
            case UCOMISD, COMISD, UCOMISS, COMISS -> compare(i, place);
            case CMPSD, MINSD, MAXSD -> combine(i, 8, place);
            case CMPSS, MINSS, MAXSS -> combine(i, 4, place);
            case CVTSI2SD, CVTSI2SS -> fromInteger(i, place);
            case CVTSD2SS, CVTSS2SD -> convert(i, place);
            default -> toInteger(i, place);
        }
    }

    private static boolean isDouble(Op op) {
        return switch (op) {
            case UCOMISD, COMISD, CVTSD2SI, CVTTSD2SI, CVTSD2SS, CMPSD, MINSD, MAXSD -> true;
            default -> false;
        };
    }

    /** Both operands on the stack, the place noted; singles zero-extended. */
    private void operands(Instruction i, int size, Place place) {
        vectors.scalar(i, size, place);
        code.at(place);
        vectors.get(vectors.low(i.a));
        code.zeroExtend(size).load(code.x).zeroExtend(size);
    }

    private void compare(Instruction i, Place place) {
        boolean wide = isDouble(i.op);
        operands(i, wide ? 8 : 4, place);
        b.invokestatic(SCALAR, wide ? "relation64" : "relation32", Code.type(CD_long, CD_long, CD_long));
        b.lstore(code.z);
        if (!place.flagsDead()) {
            b.lload(code.z)
                    .invokestatic(SCALAR, "flagResult", Code.type(CD_long, CD_long))
                    .lstore(code.fa);
            b.lload(code.z)
                    .invokestatic(SCALAR, "flagAux", Code.type(CD_long, CD_long))
                    .lstore(code.fb);
            flags.set(LazyFlags.RAW);
        }
    }

    /** CMPxx, MINxx and MAXxx. */
    private void combine(Instruction i, int size, Place place) {
        operands(i, size, place);
        combined(i, size);
        b.lstore(code.value);
        vectors.writeScalar(i.a, size);
    }

    /** What CMPxx, MINxx or MAXxx makes of the two numbers on the stack. */
    void combined(Instruction i, int size) {
        switch (i.op) {
            case CMPSD, CMPSS, CMPPD, CMPPS -> {
                b.loadConstant((int) i.immediate);
                b.invokestatic(SCALAR, "compared" + size * 8, Code.type(CD_long, CD_long, CD_long, CD_int));
            }
            case MINSD, MINSS, MINPD, MINPS ->
                b.invokestatic(SCALAR, "min" + size * 8, Code.type(CD_long, CD_long, CD_long));
            default -> b.invokestatic(SCALAR, "max" + size * 8, Code.type(CD_long, CD_long, CD_long));
        }
    }

    /** Calls a conversion of the number on the stack that never depends on MXCSR. */
    void call(String conversion) {
        b.invokestatic(SCALAR, conversion, Code.type(CD_long, CD_long));
    }

    /** Calls a conversion of a number that is put on the stack. */
    void call(String conversion, Runnable number) {
        b.aload(code.cpu);
        number.run();
        b.invokestatic(SCALAR, conversion, Code.type(CD_long, Code.CPU, CD_long));
    }

    private void fromInteger(Instruction i, Place place) {
        boolean wide = i.op == Op.CVTSI2SD;
        code.at(place);
        call(wide ? "fromInteger64" : "fromInteger32", () -> {
            b.lload(code.gpr[i.b.register()]);
            code.signExtend(i.b.size());
        });
        b.lstore(code.value);
        vectors.writeScalar(i.a, wide ? 8 : 4);
    }

    private void toInteger(Instruction i, Place place) {
        boolean wide = isDouble(i.op);
        boolean truncates = i.op == Op.CVTTSD2SI || i.op == Op.CVTTSS2SI;
        vectors.scalar(i, wide ? 8 : 4, place);
        code.at(place);
        call((truncates ? "truncated" : "rounded") + i.a.size() * 8, () -> {
            b.lload(code.x);
            if (!wide) {
                call("wide");
            }
        });
        b.lstore(code.gpr[i.a.register()]);
    }

    /** Between precisions. */
    private void convert(Instruction i, Place place) {
        boolean narrow = i.op == Op.CVTSD2SS;
        vectors.scalar(i, narrow ? 8 : 4, place);
        code.at(place);
        if (narrow) {
            call("toSingle", () -> b.lload(code.x));
        } else {
            b.lload(code.x);
            call("toDouble");
        }
        b.lstore(code.value);
        vectors.writeScalar(i.a, narrow ? 4 : 8);
    }
}
