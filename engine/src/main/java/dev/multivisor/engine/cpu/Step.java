package dev.multivisor.engine.cpu;

import dev.multivisor.engine.isa.Instruction;

/**
 * An instruction of a block as the interpreter's loop wants it: what it needs of the decoded instruction in little
 * space, for most code is executed so seldom that it is in no cache, and what comes next.
 */
class Step {
    /** Register numbers of the first and the second operand, and of the address. */
    final byte x, y, base, index, scale, segment;

    /** Condition of JCC, SETCC, CMOVCC. */
    final byte condition;

    /** How many instructions of the block are done after it. */
    final byte done;

    /** The switch key, one of {@link Hot}'s. */
    short code;

    /** Where it starts and ends in its block, in bytes. */
    final short offset, next;

    /** Sign-extended. What does not fit is left to {@link Dispatch}. */
    final int displacement, immediate;

    final Instruction instruction;

    /** The next one in the block. */
    Step following;

    Step(int code, Instruction i, int offset, int done) {
        this.code = (short) code;
        this.done = (byte) done;
        this.offset = (short) offset;
        next = (short) (offset + i.length);
        instruction = i;
        x = (byte) Specializer.x(i);
        y = (byte) i.b.register();
        base = (byte) i.base;
        index = (byte) i.index;
        scale = (byte) i.scale;
        segment = (byte) i.segment;
        condition = (byte) i.condition;
        displacement = (int) i.displacement;
        immediate = (int) i.immediate;
    }

    /** The effective address in 64-bit mode, without the segment's base. RIP is stored, which it may be relative to. */
    final long effective(long[] r, long start) {
        r[Cpu.RIP] = start + offset;
        return r[base] + (r[index] << scale) + displacement;
    }

    /** The linear address of the memory operand in 64-bit mode. RIP is stored for a fault that the access may raise. */
    final long at(Cpu cpu, long[] r, long start) {
        return effective(r, start) + cpu.segmentBase[segment];
    }
}
