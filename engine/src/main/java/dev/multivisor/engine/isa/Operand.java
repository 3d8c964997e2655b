package dev.multivisor.engine.isa;

/**
 * A decoded operand.
 *
 * @param kind what it is
 * @param register its register number, REX applied; 0 where the kind has none
 * @param size in bytes; 0 where it has none (LEA's address, an invalidated page)
 */
public record Operand(Kind kind, int register, int size) {
    /** No operand. */
    public static final Operand NONE = new Operand(Kind.NONE, 0, 0);

    /** What an operand is. */
    public enum Kind {
        NONE,
        /** A general register, or its low byte, word or doubleword. */
        GPR,
        /** AH, CH, DH or BH: bits 8 to 15 of register 0 to 3. */
        HIGH,
        /** The instruction's memory operand. */
        MEMORY,
        /** {@link Instruction#immediate}, sign-extended to 64 bits. For ENTER and the like, a second one follows. */
        IMMEDIATE,
        /** {@link Instruction#immediate2}, zero-extended. */
        IMMEDIATE2,
        /** A branch displacement in {@link Instruction#immediate}, relative to the next instruction. */
        RELATIVE,
        /** A far pointer: offset in {@link Instruction#immediate}, selector in {@link Instruction#immediate2}. */
        FAR,
        SEGMENT,
        CONTROL,
        DEBUG,
        XMM,
        MMX,
        /** A string element at DS:RSI (register 6; the segment can be overridden) or ES:RDI (register 7). */
        STRING,
        /** x87 register ST(n). */
        ST
    }
}
