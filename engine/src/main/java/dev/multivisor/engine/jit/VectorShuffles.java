package dev.multivisor.engine.jit;

import static java.lang.constant.ConstantDescs.CD_int;
import static java.lang.constant.ConstantDescs.CD_long;

import dev.multivisor.engine.cpu.sse.Lanes;
import dev.multivisor.engine.isa.Instruction;
import dev.multivisor.engine.isa.Op;
import dev.multivisor.engine.isa.Operand.Kind;
import java.lang.classfile.CodeBuilder;
import java.lang.constant.ClassDesc;

/** SSE instructions that move lanes about, in line: shuffles, unpacking, shifts of a whole register, masks of signs. */
final class VectorShuffles {
    private static final ClassDesc LANES = Code.desc(Lanes.class);
    private static final long LOW = 0xffffffffL;

    private final Code code;
    private final CodeBuilder b;
    private final Memory memory;
    private final Conditions flags;
    private final Vectors vectors;

    VectorShuffles(Code code, Memory memory, Conditions flags, Vectors vectors) {
        this.code = code;
        b = code.b;
        this.memory = memory;
        this.flags = flags;
        this.vectors = vectors;
    }

    /** Whether an SSE instruction without MMX registers is emitted here. */
    static boolean emits(Instruction i) {
        return switch (i.op) {
            case PSHUFB, PSHUFD, PSHUFLW, PSHUFHW, SHUFPS, SHUFPD, PALIGNR, PSLLDQ, PSRLDQ, PMOVMSKB, MOVMSKPD -> true;
            case PUNPCKLBW, PUNPCKLWD, PUNPCKLDQ, UNPCKLPS, PUNPCKHBW, PUNPCKHWD, PUNPCKHDQ, UNPCKHPS, PTEST -> true;
            case PSRAW, PSRAD -> i.b.kind() == Kind.IMMEDIATE;
            case PMULUDQ, MOVDDUP -> true;
            case PEXTRW, PEXTRD, PEXTRQ -> i.a.kind() == Kind.GPR;
            case PINSRW, PINSRD, PINSRQ -> true;
            default -> false;
        };
    }

    /** Emits one for which {@link #emits} holds. */
    void emit(Instruction i, Place place) {
        int low = ~vectors.low(i.a);
        int high = ~vectors.high(i.a);
        int order = (int) i.immediate & 255;
        switch (i.op) {
            case PEXTRW, PEXTRD, PEXTRQ -> extract(i);
            case PINSRW, PINSRD, PINSRQ -> insert(i, place);
            case PSLLDQ, PSRLDQ -> shiftBytes(i, low, high);
            case MOVDDUP -> {
                vectors.scalar(i, 8, place);
                load(code.x);
                store(low);
                load(code.x);
                store(high);
            }
            case PSRAW, PSRAD -> {
                shiftSigned(i, low);
                shiftSigned(i, high);
            }
            default -> {
                vectors.source(i, place);
                switch (i.op) {
                    case PSHUFB -> shuffleBytes(low, high);
                    case PSHUFD -> {
                        doublewords(code.x, code.y, order, low);
                        doublewords(code.x, code.y, order >>> 4, high);
                    }
                    case PSHUFLW -> {
                        words(code.x, order, low);
                        load(code.y);
                        store(high);
                    }
                    case PSHUFHW -> {
                        words(code.y, order, high);
                        load(code.x);
                        store(low);
                    }
                    case SHUFPS -> {
                        doublewords(low, high, order, code.z);
                        doublewords(code.x, code.y, order >>> 4, high);
                        load(code.z);
                        store(low);
                    }
                    case SHUFPD -> {
                        load((order & 1) == 0 ? low : high);
                        store(low);
                        load((order & 2) == 0 ? code.x : code.y);
                        store(high);
                    }
                    case PALIGNR -> {
                        quadword(order * 8, code.x, code.y, low, high);
                        b.lstore(code.z);
                        quadword(order * 8 + 64, code.x, code.y, low, high);
                        store(high);
                        load(code.z);
                        store(low);
                    }
                    case PMULUDQ -> {
                        product(low, code.x);
                        product(high, code.y);
                    }
                    case PTEST -> test(low, high);
                    case PMOVMSKB, MOVMSKPD -> signs(i);
                    default -> unpack(i, low, high);
                }
            }
        }
    }

    /** Loads a local, or a half of an XMM register, of which the complement is given. */
    private CodeBuilder load(int from) {
        return from < 0 ? vectors.get(~from) : b.lload(from);
    }

    private void store(int to) {
        if (to < 0) {
            vectors.set(~to);
        } else {
            b.lstore(to);
        }
    }

    // ---- Shuffles: the source is in x and y ----

    private void shuffleBytes(int low, int high) {
        for (int half : new int[] {code.x, code.y}) {
            load(low);
            load(high).lload(half);
            b.invokestatic(LANES, "shuffleBytes", Code.type(CD_long, CD_long, CD_long, CD_long))
                    .lstore(half);
        }
        load(code.x);
        store(low);
        load(code.y);
        store(high);
    }

    /** Two doublewords of two halves, chosen by pairs of bits, to a local. */
    private void doublewords(int low, int high, int order, int to) {
        doubleword(low, high, order);
        doubleword(low, high, order >>> 2);
        b.bipush(32).lshl().lor();
        store(to);
    }

    /** One of the four of two halves, zero-extended on the stack. */
    private void doubleword(int low, int high, int number) {
        load((number & 2) == 0 ? low : high);
        if ((number & 1) == 0) {
            b.loadConstant(LOW).land();
        } else {
            b.bipush(32).lushr();
        }
    }

    private void words(int from, int order, int to) {
        load(from).loadConstant(order);
        b.invokestatic(LANES, "shuffleWords", Code.type(CD_long, CD_long, CD_int));
        store(to);
    }

    private void unpack(Instruction i, int low, int high) {
        boolean upper = switch (i.op) {
            case PUNPCKHBW, PUNPCKHWD, PUNPCKHDQ, UNPCKHPS -> true;
            default -> false;
        };
        String function = switch (i.op) {
            case PUNPCKLBW, PUNPCKHBW -> "interleaveBytes";
            case PUNPCKLWD, PUNPCKHWD -> "interleaveWords";
            default -> "interleaveDoublewords";
        };
        int first = upper ? high : low;
        int second = upper ? code.y : code.x;
        load(first);
        load(second);
        b.invokestatic(LANES, function, Code.type(CD_long, CD_long, CD_long)).lstore(code.z);
        load(first).bipush(32).lushr();
        load(second).bipush(32).lushr();
        b.invokestatic(LANES, function, Code.type(CD_long, CD_long, CD_long));
        store(high);
        load(code.z);
        store(low);
    }

    // ---- Shifts ----

    /** 64 bits at a bit position of some quadwords, zeros above them, on the stack. */
    private void quadword(int bits, int... quadwords) {
        int n = bits >> 6;
        int shift = bits & 63;
        if (n >= quadwords.length) {
            b.lconst_0();
            return;
        }
        load(quadwords[n]);
        if (shift != 0) {
            b.loadConstant(shift).lushr();
            if (n + 1 < quadwords.length) {
                load(quadwords[n + 1]).loadConstant(64 - shift).lshl().lor();
            }
        }
    }

    private void shiftBytes(Instruction i, int low, int high) {
        int bits = ((int) i.immediate & 255) * 8;
        if (i.op == Op.PSRLDQ) {
            quadword(bits, low, high);
            b.lstore(code.x);
            quadword(bits + 64, low, high);
            store(high);
            load(code.x);
            store(low);
        } else if (bits >= 64) {
            if (bits < 128) {
                load(low).loadConstant(bits - 64).lshl();
            } else {
                b.lconst_0();
            }
            store(high);
            b.lconst_0();
            store(low);
        } else if (bits != 0) {
            load(high).loadConstant(bits).lshl();
            load(low).loadConstant(64 - bits).lushr().lor();
            store(high);
            load(low).loadConstant(bits).lshl();
            store(low);
        }
    }

    private void shiftSigned(Instruction i, int target) {
        boolean words = i.op == Op.PSRAW;
        load(target).loadConstant(Math.min((int) i.immediate & 255, words ? 15 : 31));
        b.invokestatic(LANES, words ? "shiftWords" : "shiftDoublewords", Code.type(CD_long, CD_long, CD_int));
        store(target);
    }

    private void product(int target, int source) {
        load(target).loadConstant(LOW).land();
        load(source).loadConstant(LOW).land().lmul();
        store(target);
    }

    // ---- To and from general registers and flags ----

    private void signs(Instruction i) {
        if (i.op == Op.MOVMSKPD) {
            b.lload(code.x).bipush(63).lushr();
            b.lload(code.y).bipush(63).lushr().iconst_1().lshl().lor();
        } else {
            b.lload(code.x).invokestatic(LANES, "signs8", Code.type(CD_long, CD_long));
            b.lload(code.y).invokestatic(LANES, "signs8", Code.type(CD_long, CD_long));
            b.bipush(8).lshl().lor();
        }
        b.lstore(code.gpr[i.a.register()]);
    }

    /** PTEST: ZF and CF, as {@link dev.multivisor.engine.cpu.Cpu#setArithmeticFlags} sets them. */
    private void test(int low, int high) {
        load(low).lload(code.x).land();
        load(high).lload(code.y).land().lor().lstore(code.z);
        nonzero(code.z);
        b.lstore(code.fa);
        load(low).loadConstant(-1L).lxor().lload(code.x).land();
        load(high).loadConstant(-1L).lxor().lload(code.y).land().lor().lstore(code.z);
        // Bits 63 and 62 are CF, and whether OF differs from it; bit 8 clears PF, which a result of 0 would set.
        nonzero(code.z);
        b.lconst_1().lxor().loadConstant(3L).lmul().bipush(62).lshl();
        b.lload(code.fa).lconst_1().lxor().bipush(8).lshl().lor().lstore(code.fb);
        flags.set(LazyFlags.RAW);
    }

    /** 0 or 1 on the stack. */
    private void nonzero(int local) {
        b.lload(local).lload(local).lneg().lor().bipush(63).lushr();
    }

    private static int size(Instruction i) {
        return switch (i.op) {
            case PEXTRW, PINSRW -> 2;
            case PEXTRD, PINSRD -> 4;
            default -> 8;
        };
    }

    private void extract(Instruction i) {
        int size = size(i);
        int position = ((int) i.immediate & 16 / size - 1) * size;
        vectors.get(position < 8 ? vectors.low(i.b) : vectors.high(i.b));
        b.loadConstant((position & 7) * 8).lushr();
        code.zeroExtend(size).store(code.gpr[i.a.register()]);
    }

    private void insert(Instruction i, Place place) {
        int size = size(i);
        int position = ((int) i.immediate & 16 / size - 1) * size;
        int shift = (position & 7) * 8;
        int target = position < 8 ? vectors.low(i.a) : vectors.high(i.a);
        if (i.b.kind() == Kind.MEMORY) {
            memory.at(i, place);
            memory.load(size, place);
        } else {
            b.lload(code.gpr[i.b.register()]).lstore(code.value);
        }
        vectors.get(target).loadConstant(~(-1L >>> 64 - size * 8 << shift)).land();
        b.lload(code.value);
        code.zeroExtend(size);
        b.loadConstant(shift).lshl().lor();
        vectors.set(target);
    }
}
