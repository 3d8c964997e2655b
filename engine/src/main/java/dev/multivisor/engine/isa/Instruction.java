package dev.multivisor.engine.isa;

/**
 * A decoded instruction. Independent of where it stands: a RIP-relative operand has {@link #RIP} as its
 * base and the instruction's length in its displacement.
 */
public final class Instruction {
    /** Register number of a missing base or index: a register that always reads zero. */
    public static final int ZERO = 16;

    /** Register number of RIP as a base: the address of this instruction. */
    public static final int RIP = 17;

    /** Prefix bits of {@link #prefixes}. */
    public static final int REP = 1, REPNE = 2, LOCK = 4, OPERAND_SIZE = 8, ADDRESS_SIZE = 16, REX_W = 32;

    /** Segment numbers, as in the encoding of MOV Sreg; {@link #FLAT} has base 0 and no limit. */
    public static final int ES = 0, CS = 1, SS = 2, DS = 3, FS = 4, GS = 5, FLAT = 6;

    /** The table row. */
    public final Form form;

    /** What it does. */
    public final Op op;

    /** In bytes, 1 to 15. */
    public final int length;

    /** Effective operand size in bytes: 2, 4 or 8. Byte forms have operands of size 1 whatever this says. */
    public final int operandSize;

    /** Effective address size in bytes: 2, 4 or 8. */
    public final int addressSize;

    /** The prefixes present, as bits. */
    public final int prefixes;

    /** Condition of JCC, SETCC, CMOVCC (Intel SDM vol. 1, appendix B): low four bits of the opcode. */
    public final int condition;

    /** The operands, destination first, as the manual writes them; {@link Operand#NONE} where there are fewer. */
    public final Operand a, b, c;

    /** Base register, or {@link #ZERO}, or {@link #RIP}. */
    public final int base;

    /** Index register, or {@link #ZERO}. */
    public final int index;

    /** Index shift, 0 to 3. */
    public final int scale;

    /**
     * Segment of the memory operand: the override, or the default (SS for a base of RSP or RBP). In 64-bit mode
     * {@link #FLAT} unless FS or GS is named.
     */
    public final int segment;

    /** The memory operand is addressed through RSP or RBP: a non-canonical address is #SS, not #GP. */
    public final boolean stack;

    /** Sign-extended displacement; for a RIP base the instruction's length is added. */
    public final long displacement;

    /** First immediate, sign-extended to 64 bits; or a far pointer's offset; or a branch displacement. */
    public final long immediate;

    /** Second immediate, zero-extended (ENTER), or a far pointer's selector. */
    public final int immediate2;

    Instruction(Builder from) {
        form = from.form;
        op = from.form.op();
        length = from.length;
        operandSize = from.operandSize;
        addressSize = from.addressSize;
        prefixes = from.prefixes;
        condition = from.condition;
        a = from.a;
        b = from.b;
        c = from.c;
        base = from.base;
        index = from.index;
        scale = from.scale;
        segment = from.segment;
        stack = from.stack;
        displacement = from.displacement;
        immediate = from.immediate;
        immediate2 = from.immediate2;
    }

    /** Whether this is what a builder would make. */
    boolean matches(Builder other) {
        return form == other.form
                && length == other.length
                && operandSize == other.operandSize
                && addressSize == other.addressSize
                && prefixes == other.prefixes
                && condition == other.condition
                && a == other.a
                && b == other.b
                && c == other.c
                && base == other.base
                && index == other.index
                && scale == other.scale
                && segment == other.segment
                && stack == other.stack
                && displacement == other.displacement
                && immediate == other.immediate
                && immediate2 == other.immediate2;
    }

    /** Whether it has a memory operand. */
    public boolean memory() {
        return a.kind() == Operand.Kind.MEMORY || b.kind() == Operand.Kind.MEMORY || c.kind() == Operand.Kind.MEMORY;
    }

    /** Whether the prefix bits are all present. */
    public boolean has(int prefix) {
        return (prefixes & prefix) == prefix;
    }

    /** What the decoder fills in. */
    static final class Builder {
        Form form;
        int length;
        int operandSize;
        int addressSize;
        int prefixes;
        int condition;
        Operand a = Operand.NONE;
        Operand b = Operand.NONE;
        Operand c = Operand.NONE;
        int base = ZERO;
        int index = ZERO;
        int scale;
        int segment;
        boolean stack;
        long displacement;
        long immediate;
        int immediate2;
    }
}
