package dev.multivisor.engine.jit;

import static java.lang.constant.ConstantDescs.CD_double;
import static java.lang.constant.ConstantDescs.CD_float;
import static java.lang.constant.ConstantDescs.CD_int;
import static java.lang.constant.ConstantDescs.CD_long;

import dev.multivisor.engine.cpu.Cpu;
import dev.multivisor.engine.cpu.CpuFault;
import dev.multivisor.engine.cpu.sse.Lanes;
import dev.multivisor.engine.cpu.sse.QuickArithmetic;
import dev.multivisor.engine.isa.Form;
import dev.multivisor.engine.isa.Instruction;
import dev.multivisor.engine.isa.Op;
import dev.multivisor.engine.isa.Operand;
import dev.multivisor.engine.isa.Operand.Kind;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.Label;
import java.lang.constant.ClassDesc;

/**
 * Frequent SSE instructions in line, on XMM registers as pairs of longs in locals: moves, arithmetic on lanes of a
 * long, and quick floating-point arithmetic. All others go to their handlers.
 * Whether SSE may be used is looked at when the region is entered; nothing in a region changes it.
 */
final class Vectors {
    private static final ClassDesc LANES = Code.desc(Lanes.class), QUICK = Code.desc(QuickArithmetic.class);
    private static final ClassDesc FLOAT = Code.desc(Float.class), FAULT = Code.desc(CpuFault.class);
    private static final long LOW = 0xffffffffL;

    private final Code code;
    private final CodeBuilder b;
    private final Memory memory;

    private final VectorShuffles shuffles;
    private final Scalars scalars;
    private final PackedFloats packed;

    Vectors(Code code, Memory memory, Conditions flags) {
        this.code = code;
        b = code.b;
        this.memory = memory;
        shuffles = new VectorShuffles(code, memory, flags, this);
        scalars = new Scalars(code, flags, this);
        packed = new PackedFloats(code, this, scalars);
    }

    /** Whether an instruction computes with the lower halves of XMM registers as numbers of double precision. */
    static boolean computesDoubles(Instruction i) {
        return switch (i.op) {
            case ADDSD, SUBSD, MULSD, DIVSD, SQRTSD -> true;
            default -> false;
        };
    }

    /** Whether an instruction is emitted here; if not, its handler is called. */
    static boolean emits(Instruction i) {
        if (!i.form.has(Form.Attribute.SSE) || i.form.has(Form.Attribute.MMX)) {
            return false;
        }
        return switch (i.op) {
            case MOVUPS, MOVUPD, MOVAPS, MOVAPD, MOVDQA, MOVDQU, LDDQU -> true;
            case MOVSD, MOVSS, MOVQ, MOVD, MOVLPS, MOVLPD, MOVHPS, MOVHPD, MOVHLPS, MOVLHPS -> true;
            case PUNPCKLQDQ, PUNPCKHQDQ, UNPCKLPD, UNPCKHPD -> true;
            case MOVNTDQ, MOVNTPS, MOVNTPD -> true;
            case PSLLW, PSLLD, PSLLQ, PSRLW, PSRLD, PSRLQ -> i.b.kind() == Kind.IMMEDIATE;
            default -> lanes(i) != null || logical(i) || VectorShuffles.emits(i) || computesFloats(i);
        };
    }

    /** Whether one that is emitted neither sets flags nor may raise an exception, but for its memory operand. */
    static boolean quiet(Instruction i) {
        return !computesFloats(i) && i.op != Op.PTEST;
    }

    private static boolean computesFloats(Instruction i) {
        return floating(i) != null || Scalars.emits(i) || PackedFloats.emits(i);
    }

    private static boolean logical(Instruction i) {
        return switch (i.op) {
            case PAND, ANDPS, ANDPD, PANDN, ANDNPS, ANDNPD, POR, ORPS, ORPD, PXOR, XORPS, XORPD -> true;
            default -> false;
        };
    }

    /** A function of {@link Lanes}, and the lanes' sign bits that it takes. */
    private record Lane(String function, long signs) {}

    private static Lane lanes(Instruction i) {
        return switch (i.op) {
            case PADDB -> new Lane("add", Lanes.H8);
            case PADDW -> new Lane("add", Lanes.H16);
            case PADDD -> new Lane("add", Lanes.H32);
            case PADDQ -> new Lane("add", Long.MIN_VALUE);
            case PSUBB -> new Lane("subtract", Lanes.H8);
            case PSUBW -> new Lane("subtract", Lanes.H16);
            case PSUBD -> new Lane("subtract", Lanes.H32);
            case PSUBQ -> new Lane("subtract", Long.MIN_VALUE);
            case PADDUSB -> new Lane("addUnsignedSaturated", Lanes.H8);
            case PADDUSW -> new Lane("addUnsignedSaturated", Lanes.H16);
            case PSUBUSB -> new Lane("subtractUnsignedSaturated", Lanes.H8);
            case PSUBUSW -> new Lane("subtractUnsignedSaturated", Lanes.H16);
            case PCMPEQQ -> new Lane("equal", Long.MIN_VALUE);
            case PCMPGTQ -> new Lane("greater", Long.MIN_VALUE);
            case PMINSW -> new Lane("min", Lanes.H16);
            case PMAXSW -> new Lane("max", Lanes.H16);
            case PMINUD -> new Lane("minUnsigned", Lanes.H32);
            case PMAXUD -> new Lane("maxUnsigned", Lanes.H32);
            case PMINSD -> new Lane("min", Lanes.H32);
            case PMAXSD -> new Lane("max", Lanes.H32);
            case PCMPEQB -> new Lane("equal", Lanes.H8);
            case PCMPEQW -> new Lane("equal", Lanes.H16);
            case PCMPEQD -> new Lane("equal", Lanes.H32);
            case PCMPGTB -> new Lane("greater", Lanes.H8);
            case PCMPGTW -> new Lane("greater", Lanes.H16);
            case PCMPGTD -> new Lane("greater", Lanes.H32);
            case PMINUB -> new Lane("minUnsigned", Lanes.H8);
            case PMAXUB -> new Lane("maxUnsigned", Lanes.H8);
            default -> null;
        };
    }

    /** The function of {@link QuickArithmetic} for each element. */
    private static String floating(Instruction i) {
        return switch (i.op) {
            case ADDSD, ADDSS, ADDPD, ADDPS -> "add";
            case SUBSD, SUBSS, SUBPD, SUBPS -> "subtract";
            case MULSD, MULSS, MULPD, MULPS -> "multiply";
            case DIVSD, DIVSS, DIVPD, DIVPS -> "divide";
            case SQRTSD, SQRTSS, SQRTPD, SQRTPS -> "squareRoot";
            default -> null;
        };
    }

    /** Leaves the region at its entry, with nothing done, where SSE may not be used just now. */
    void requireAvailable(Label unavailable) {
        b.aload(code.cpu)
                .getfield(Code.CPU, "cr0", CD_long)
                .loadConstant(Cpu.CR0_EM | Cpu.CR0_TS)
                .land();
        b.lconst_0().lcmp().ifne(unavailable);
        b.aload(code.cpu)
                .getfield(Code.CPU, "cr4", CD_long)
                .loadConstant(Cpu.CR4_OSFXSR)
                .land();
        b.lconst_0().lcmp().ifeq(unavailable);
    }

    /** Emits one for which {@link #emits} holds. */
    void emit(Instruction i, Place place) {
        switch (i.op) {
            case MOVUPS, MOVUPD, MOVAPS, MOVAPD, MOVDQA, MOVDQU, LDDQU, MOVNTDQ, MOVNTPS, MOVNTPD -> moveAll(i, place);
            case MOVSD -> moveScalar(i, place, 8);
            case MOVSS -> moveScalar(i, place, 4);
            case MOVQ, MOVD -> moveInteger(i, place);
            case MOVLPS, MOVLPD -> moveHalf(i, place, 0);
            case MOVHPS, MOVHPD -> moveHalf(i, place, 1);
            case MOVHLPS -> {
                get(high(i.b));
                set(low(i.a));
            }
            case MOVLHPS -> {
                get(low(i.b));
                set(high(i.a));
            }
            case PUNPCKLQDQ, UNPCKLPD -> {
                source(i, place);
                b.lload(code.x);
                set(high(i.a));
            }
            case PUNPCKHQDQ, UNPCKHPD -> {
                source(i, place);
                get(high(i.a));
                set(low(i.a));
                b.lload(code.y);
                set(high(i.a));
            }
            case PSLLW, PSLLD, PSLLQ, PSRLW, PSRLD, PSRLQ -> {
                shift(i, low(i.a));
                shift(i, high(i.a));
            }
            default -> {
                if (logical(i)) {
                    source(i, place);
                    logical(i, low(i.a), code.x);
                    logical(i, high(i.a), code.y);
                } else if (lanes(i) != null) {
                    Lane lane = lanes(i);
                    source(i, place);
                    lane(lane, low(i.a), code.x);
                    lane(lane, high(i.a), code.y);
                } else if (VectorShuffles.emits(i)) {
                    shuffles.emit(i, place);
                } else if (Scalars.emits(i)) {
                    scalars.emit(i, place);
                } else if (PackedFloats.emits(i)) {
                    packed.emit(i, place);
                } else {
                    arithmetic(i, place);
                }
            }
        }
    }

    /** Loads a half of a register. */
    CodeBuilder get(int half) {
        code.loadXmm(half);
        return b;
    }

    void set(int half) {
        code.storeXmm(half);
    }

    /** Stores the long on the stack to the lower half of a register; the upper one becomes 0. */
    private void setLow(Operand o) {
        set(low(o));
        b.lconst_0();
        set(high(o));
    }

    /** Stores {@link Code#x} and {@link Code#y} to a register. */
    void setPair(Operand o) {
        b.lload(code.x);
        set(low(o));
        b.lload(code.y);
        set(high(o));
    }

    /** The number of a half of a register. */
    int low(Operand o) {
        return o.register() << 1;
    }

    int high(Operand o) {
        return (o.register() << 1) + 1;
    }

    /** The second operand, to {@link Code#x} and {@link Code#y}. */
    void source(Instruction i, Place place) {
        if (i.b.kind() == Kind.XMM) {
            get(low(i.b)).lstore(code.x);
            get(high(i.b)).lstore(code.y);
            return;
        }
        memory.at(i, place);
        if (i.form.has(Form.Attribute.ALIGNED)) {
            checkAligned(place);
        }
        memory.loadPair(place);
    }

    private void checkAligned(Place place) {
        Label odd = b.newLabel();
        b.lload(code.address).loadConstant(15L).land().l2i().ifne(odd);
        code.later(() -> {
            b.labelBinding(odd);
            code.at(place);
            b.aload(code.cpu).loadConstant(CpuFault.GP);
            b.invokevirtual(Code.CPU, "fault", Code.type(FAULT, CD_int)).athrow();
        });
    }

    // ---- Moves ----

    private void moveAll(Instruction i, Place place) {
        if (i.a.kind() == Kind.XMM) {
            source(i, place);
            setPair(i.a);
            return;
        }
        memory.at(i, place);
        if (i.form.has(Form.Attribute.ALIGNED)) {
            checkAligned(place);
        }
        get(low(i.b)).lstore(code.x);
        get(high(i.b)).lstore(code.y);
        memory.storePair(place);
    }

    private void load(Instruction i, int size, Place place) {
        memory.at(i, place);
        memory.load(size, place);
    }

    private void store(Instruction i, int half, int size, Place place) {
        get(half).lstore(code.value);
        memory.at(i, place);
        memory.store(size, place);
    }

    /** MOVSD and MOVSS: from memory the rest becomes zero, from a register it stays. */
    private void moveScalar(Instruction i, Place place, int size) {
        if (i.a.kind() == Kind.MEMORY) {
            store(i, low(i.b), size, place);
        } else if (i.b.kind() == Kind.MEMORY) {
            load(i, size, place);
            b.lload(code.value);
            setLow(i.a);
        } else {
            get(low(i.b)).lstore(code.value);
            writeScalar(i.a, size);
        }
    }

    /** Writes {@link Code#value} to the lowest element of a register. */
    void writeScalar(Operand o, int size) {
        if (size == 4) {
            get(low(o))
                    .loadConstant(~LOW)
                    .land()
                    .lload(code.value)
                    .loadConstant(LOW)
                    .land()
                    .lor();
        } else {
            b.lload(code.value);
        }
        set(low(o));
    }

    /** MOVQ and MOVD: the rest of an XMM register becomes zero, and of a general one. */
    private void moveInteger(Instruction i, Place place) {
        Operand general = i.a.kind() == Kind.XMM ? i.b : i.a;
        int size = general.kind() == Kind.XMM ? 8 : general.size();
        if (i.a.kind() == Kind.MEMORY) {
            store(i, low(i.b), size, place);
            return;
        }
        switch (i.b.kind()) {
            case MEMORY -> load(i, size, place);
            case GPR -> b.lload(code.gpr[i.b.register()]).lstore(code.value);
            default -> get(low(i.b)).lstore(code.value);
        }
        b.lload(code.value);
        code.zeroExtend(size);
        if (i.a.kind() == Kind.XMM) {
            setLow(i.a);
        } else {
            b.lstore(code.gpr[i.a.register()]);
        }
    }

    private void moveHalf(Instruction i, Place place, int half) {
        if (i.a.kind() == Kind.MEMORY) {
            store(i, low(i.b) + half, 8, place);
        } else {
            load(i, 8, place);
            b.lload(code.value);
            set(low(i.a) + half);
        }
    }

    // ---- Integers ----

    private void logical(Instruction i, int target, int source) {
        get(target);
        switch (i.op) {
            case PAND, ANDPS, ANDPD -> b.lload(source).land();
            case PANDN, ANDNPS, ANDNPD ->
                b.loadConstant(-1L).lxor().lload(source).land();
            case POR, ORPS, ORPD -> b.lload(source).lor();
            default -> b.lload(source).lxor();
        }
        set(target);
    }

    private void lane(Lane lane, int target, int source) {
        get(target).lload(source).loadConstant(lane.signs);
        b.invokestatic(LANES, lane.function, Code.type(CD_long, CD_long, CD_long, CD_long));
        set(target);
    }

    private void shift(Instruction i, int target) {
        int width = switch (i.op) {
            case PSLLW, PSRLW -> 16;
            case PSLLD, PSRLD -> 32;
            default -> 64;
        };
        int count = (int) i.immediate & 255;
        if (count >= width) {
            b.lconst_0();
            set(target);
            return;
        }
        boolean left = switch (i.op) {
            case PSLLW, PSLLD, PSLLQ -> true;
            default -> false;
        };
        long lane = -1L >>> 64 - width;
        lane = left ? lane << count & lane : lane >>> count;
        long mask = switch (width) {
            case 16 -> lane * 0x0001000100010001L;
            case 32 -> lane * 0x0000000100000001L;
            default -> lane;
        };
        get(target).loadConstant(count);
        if (left) {
            b.lshl();
        } else {
            b.lushr();
        }
        b.loadConstant(mask).land();
        set(target);
    }

    // ---- Floating point ----

    private void arithmetic(Instruction i, Place place) {
        String function = floating(i);
        switch (i.op) {
            case ADDSD, SUBSD, MULSD, DIVSD, SQRTSD -> scalarDouble(i, function, place);
            case ADDSS, SUBSS, MULSS, DIVSS, SQRTSS -> {
                scalar(i, 4, place);
                code.at(place);
                single(function, low(i.a), code.x, 0);
                b.lstore(code.value);
                writeScalar(i.a, 4);
            }
            case ADDPD, SUBPD, MULPD, DIVPD, SQRTPD -> {
                source(i, place);
                code.at(place);
                packedDouble(function, low(i.a), code.x);
                packedDouble(function, high(i.a), code.y);
                setPair(i.a);
            }
            default -> {
                source(i, place);
                code.at(place);
                packedSingle(function, function, low(i.a), code.x);
                packedSingle(function, function, high(i.a), code.y);
                setPair(i.a);
            }
        }
    }

    private static boolean isRoot(String function) {
        return function.equals("squareRoot");
    }

    /** Calls a function of {@link QuickArithmetic}, whose arguments are on the stack. */
    void quick(String function, ClassDesc type) {
        b.invokestatic(
                QUICK,
                function,
                isRoot(function) ? Code.type(type, Code.CPU, type) : Code.type(type, Code.CPU, type, type));
    }

    private void scalarDouble(Instruction i, String function, Place place) {
        boolean inMemory = i.b.kind() == Kind.MEMORY;
        if (inMemory) {
            load(i, 8, place);
        }
        code.at(place);
        b.aload(code.cpu);
        if (!isRoot(function)) {
            code.loadDouble(low(i.a));
        }
        if (inMemory) {
            b.lload(code.value);
            code.toDouble();
        } else {
            code.loadDouble(low(i.b));
        }
        quick(function, CD_double);
        code.storeDouble(low(i.a));
    }

    /** What a function makes of half a register and a local, to the local. */
    void packedDouble(String function, int half, int local) {
        b.aload(code.cpu);
        if (!isRoot(function)) {
            get(half);
            code.toDouble();
        }
        b.lload(local);
        code.toDouble();
        quick(function, CD_double);
        code.fromDouble();
        b.lstore(local);
    }

    /** The same with a function for the lower single and one for the upper. */
    void packedSingle(String function, String upper, int half, int local) {
        single(function, half, local, 0);
        b.loadConstant(LOW).land();
        single(upper, half, local, 32);
        b.bipush(32).lshl().lor().lstore(local);
    }

    /** What a function makes of the singles that begin at a bit of half a register and of a local, as a long. */
    private void single(String function, int half, int local, int bit) {
        b.aload(code.cpu);
        if (!isRoot(function)) {
            get(half);
            toSingle(bit);
        }
        b.lload(local);
        toSingle(bit);
        quick(function, CD_float);
        fromSingle();
    }

    /** The single on the stack as a long, sign-extended. */
    void fromSingle() {
        b.invokestatic(FLOAT, "floatToRawIntBits", Code.type(CD_int, CD_float)).i2l();
    }

    /** The single that begins at a bit of the long on the stack. */
    void toSingle(int bit) {
        if (bit != 0) {
            b.bipush(bit).lushr();
        }
        b.l2i().invokestatic(FLOAT, "intBitsToFloat", Code.type(CD_float, CD_int));
    }

    /** The second operand's lowest element, to {@link Code#x}. */
    void scalar(Instruction i, int size, Place place) {
        if (i.b.kind() == Kind.XMM) {
            get(low(i.b)).lstore(code.x);
        } else {
            load(i, size, place);
            b.lload(code.value).lstore(code.x);
        }
    }
}
