package dev.multivisor.engine.jit;

import static java.lang.constant.ConstantDescs.CD_boolean;
import static java.lang.constant.ConstantDescs.CD_int;
import static java.lang.constant.ConstantDescs.CD_long;

import java.lang.classfile.CodeBuilder;
import java.lang.classfile.Label;
import java.lang.constant.ClassDesc;

/**
 * Flags while a block is emitted: which instruction set them last, if that is known, so that a condition is a
 * comparison of its operands.
 */
final class Conditions {
    /** What {@link Code#kind} holds is not known here. */
    static final int UNKNOWN = -1;

    /** {@link LazyFlags#RAW} after a logical instruction: the second word is 0. */
    static final int LOGIC = -2;

    private static final ClassDesc LONG = Code.desc(Long.class), INTEGER = Code.desc(Integer.class);
    private static final int BELOW = 1, ZERO = 2, NOT_ABOVE = 3, SIGN = 4, LESS = 6;

    private final Code code;
    private final CodeBuilder b;

    /** A kind of {@link LazyFlags}, {@link #UNKNOWN} or {@link #LOGIC}. */
    private int known = UNKNOWN;

    Conditions(Code code) {
        this.code = code;
        b = code.b;
    }

    void forget() {
        known = UNKNOWN;
    }

    /** The words of the flags have been set. */
    void set(int kind) {
        b.loadConstant(kind == LOGIC ? LazyFlags.RAW : kind).istore(code.kind);
        known = kind;
    }

    /** The first word becomes the sign-extended result in a local, the second one 0. */
    void logic(int result, int size) {
        code.load(result).signExtend(size).store(code.fa);
        code.constant(0L).store(code.fb);
        set(LOGIC);
    }

    /** The words are taken from the {@link dev.multivisor.engine.cpu.Cpu}. */
    void reload() {
        code.reloadFlags();
        known = LazyFlags.RAW;
    }

    /** The words become {@link LazyFlags#RAW}, for instructions that change some flags only. */
    void raw() {
        if (known != LazyFlags.RAW && known != LOGIC) {
            word("aux");
            word("result");
            b.lstore(code.fa).lstore(code.fb);
        }
        set(LazyFlags.RAW);
    }

    private void word(String function) {
        if (known == UNKNOWN) {
            b.iload(code.kind);
        } else {
            b.loadConstant(known);
        }
        b.lload(code.fa).lload(code.fb);
        b.invokestatic(Code.FLAGS, function, Code.type(CD_long, CD_int, CD_long, CD_long));
    }

    private boolean operands(int kind) {
        return known >= LazyFlags.ADD && (known & ~3) == kind;
    }

    private int size() {
        return 1 << (known & 3);
    }

    /** CF, as a long 0 or 1. */
    void carry() {
        if (known == LOGIC) {
            b.lconst_0();
        } else if (known == LazyFlags.RAW || operands(LazyFlags.INC) || operands(LazyFlags.DEC)) {
            b.lload(code.fb).bipush(63).lushr();
        } else if (operands(LazyFlags.SUB) && size() < 8) {
            code.load(code.fa).zeroExtend(size()).load(code.fb).zeroExtend(size());
            b.lsub().bipush(63).lushr();
        } else if (operands(LazyFlags.SUB)) {
            b.lload(code.fa).lload(code.fb);
            b.invokestatic(LONG, "compareUnsigned", Code.type(CD_int, CD_long, CD_long));
            b.bipush(31).iushr().i2l();
        } else if (operands(LazyFlags.ADD) && size() < 8) {
            code.load(code.fa).zeroExtend(size()).load(code.fb).zeroExtend(size());
            b.ladd().bipush(size() * 8).lushr();
        } else if (operands(LazyFlags.ADD)) {
            b.lload(code.fa).lload(code.fb).ladd().lload(code.fa);
            b.invokestatic(LONG, "compareUnsigned", Code.type(CD_int, CD_long, CD_long));
            b.bipush(31).iushr().i2l();
        } else if (operands(LazyFlags.SHL)) {
            b.lload(code.fb).bipush(63).lushr();
        } else if (operands(LazyFlags.SHR) || operands(LazyFlags.SAR)) {
            b.lload(code.fb).lconst_1().land();
        } else {
            b.iload(code.kind).lload(code.fa).lload(code.fb);
            b.invokestatic(Code.FLAGS, "carry", Code.type(CD_long, CD_int, CD_long, CD_long));
        }
    }

    /** Goes to a label if a condition holds (Intel SDM vol. 1, appendix B). */
    void branch(int condition, Label target) {
        boolean negated = (condition & 1) != 0;
        int test = condition >>> 1;
        if (operands(LazyFlags.SUB) && test != 0 && test != 5) {
            difference(test, negated, target);
        } else if (known == LOGIC && test != 5) {
            logical(test, negated, target);
        } else if (test == ZERO && known != UNKNOWN) {
            result();
            compareZero(true, negated, target, size());
        } else if (test == SIGN && known > LazyFlags.RAW) {
            result();
            compareZero(false, negated, target, size());
        } else if (test == NOT_ABOVE && known == LazyFlags.RAW) {
            notAbove(negated, target);
        } else if (test == BELOW && known != UNKNOWN) {
            carry();
            b.l2i();
            branchZero(!negated, target);
        } else {
            b.loadConstant(condition).iload(code.kind).lload(code.fa).lload(code.fb);
            b.invokestatic(Code.FLAGS, "holds", Code.type(CD_boolean, CD_int, CD_int, CD_long, CD_long));
            b.ifne(target);
        }
    }

    /** CF or ZF of {@link LazyFlags#RAW}. */
    private void notAbove(boolean negated, Label target) {
        Label above = b.newLabel();
        b.lload(code.fb).lconst_0().lcmp().iflt(negated ? above : target);
        b.lload(code.fa).lconst_0().lcmp();
        branchZero(negated, target);
        b.labelBinding(above);
    }

    /** An int that is not zero if it is to be taken. */
    private void branchZero(boolean taken, Label target) {
        if (taken) {
            b.ifne(target);
        } else {
            b.ifeq(target);
        }
    }

    /** After CMP and its kin: operands compared, at the top of an int or long. */
    private void difference(int test, boolean negated, Label target) {
        boolean wide = size() == 8;
        if (test == SIGN) {
            result();
            compareZero(false, negated, target, size());
            return;
        }
        top(code.fa);
        top(code.fb);
        if (test == BELOW || test == NOT_ABOVE) {
            b.invokestatic(
                    wide ? LONG : INTEGER,
                    "compareUnsigned",
                    wide ? Code.type(CD_int, CD_long, CD_long) : Code.type(CD_int, CD_int, CD_int));
            compared(test == BELOW, negated, target);
        } else if (wide) {
            b.lcmp();
            if (test == ZERO) {
                branchZero(negated, target);
            } else {
                compared(test == LESS, negated, target);
            }
        } else {
            switch (test) {
                case ZERO -> {
                    if (negated) {
                        b.if_icmpne(target);
                    } else {
                        b.if_icmpeq(target);
                    }
                }
                case LESS -> {
                    if (negated) {
                        b.if_icmpge(target);
                    } else {
                        b.if_icmplt(target);
                    }
                }
                default -> {
                    if (negated) {
                        b.if_icmpgt(target);
                    } else {
                        b.if_icmple(target);
                    }
                }
            }
        }
    }

    /** The outcome of a comparison is on the stack: less, or less or equal. */
    private void compared(boolean less, boolean negated, Label target) {
        if (less && negated) {
            b.ifge(target);
        } else if (less) {
            b.iflt(target);
        } else if (negated) {
            b.ifgt(target);
        } else {
            b.ifle(target);
        }
    }

    private void logical(int test, boolean negated, Label target) {
        switch (test) {
            case 0, BELOW -> {
                // OF and CF are clear.
                if (negated) {
                    b.goto_(target);
                }
            }
            default -> {
                b.lload(code.fa).lconst_0().lcmp();
                switch (test) {
                    case ZERO, NOT_ABOVE -> branchZero(negated, target);
                    case SIGN, LESS -> compared(true, negated, target);
                    default -> compared(false, negated, target);
                }
            }
        }
    }

    /** The result is on the stack, with anything above its size. */
    private void result() {
        switch (known < LazyFlags.ADD ? 0 : known >>> 2) {
            case 0 -> b.lload(code.fa);
            case 1 -> b.lload(code.fa).lload(code.fb).ladd();
            case 2 -> b.lload(code.fa).lload(code.fb).lsub();
            case 3 -> b.lload(code.fa).lconst_1().ladd();
            case 4 -> b.lload(code.fa).lconst_1().lsub();
            default -> b.lload(code.fa);
        }
    }

    /** Branches on the long on the stack, cut to a size, being zero or negative. */
    private void compareZero(boolean zero, boolean negated, Label target, int size) {
        boolean raw = known < LazyFlags.ADD;
        if (raw || size == 8) {
            b.lconst_0().lcmp();
        } else {
            b.l2i();
            if (size < 4) {
                b.bipush(32 - size * 8).ishl();
            }
        }
        if (zero) {
            branchZero(negated, target);
        } else {
            compared(true, negated, target);
        }
    }

    /** The low bytes of a local at the top of an int, or all of it as a long. */
    private void top(int local) {
        b.lload(local);
        if (size() < 8) {
            b.l2i();
            if (size() < 4) {
                b.bipush(32 - size() * 8).ishl();
            }
        }
    }
}
