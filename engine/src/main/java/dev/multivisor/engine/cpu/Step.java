package dev.multivisor.engine.cpu;

import dev.multivisor.engine.isa.Instruction;
import java.util.Arrays;

/**
 * An instruction of a block as the interpreter's loop wants it: what it needs of the decoded instruction in little
 * space, and what comes next.
 */
final class Step {
    /** The switch key, one of {@link Hot}'s. */
    int code;

    /** Register numbers of the first and the second operand, and of the address. */
    final byte x, y, base, index, scale, segment;

    /** Condition of JCC, SETCC, CMOVCC. */
    final byte condition;

    final long displacement, immediate;

    /** Where it starts and ends in its block, in bytes. */
    final int offset, next;

    /** How many instructions of the block are done after it. */
    final int done;

    final Instruction instruction;

    /** The next one in the block. */
    Step following;

    /** Blocks that followed the last one. */
    Block likely = Block.NONE, other = Block.NONE;

    /** More blocks that followed the last one, if that is an indirect jump. */
    Block[] more = NONE;

    static final Block[] NONE = {};
    private static final int MOST = 12;

    Step(int code, Instruction i, int offset, int done) {
        this.code = code;
        this.done = done;
        this.offset = offset;
        next = offset + i.length;
        instruction = i;
        x = (byte) Specializer.x(i);
        y = (byte) i.b.register();
        base = (byte) i.base;
        index = (byte) i.index;
        scale = (byte) i.scale;
        segment = (byte) i.segment;
        condition = (byte) i.condition;
        displacement = i.displacement;
        immediate = i.immediate;
    }

    /** Notes a block that followed. */
    void followed(Block next) {
        if (code == Hot.JMP_R || code == Hot.JMP_M || code == Hot.RET) {
            remember(other);
        }
        other = likely;
        likely = next;
    }

    private void remember(Block block) {
        if (block == Block.NONE || more.length == MOST) {
            return;
        }
        for (Block known : more) {
            if (known == block) {
                return;
            }
        }
        more = Arrays.copyOf(more, more.length + 1);
        more[more.length - 1] = block;
    }

    /** The effective address in 64-bit mode, without the segment's base. RIP is stored, which it may be relative to. */
    long effective(long[] r, long start) {
        r[Cpu.RIP] = start + offset;
        return r[base] + (r[index] << scale) + displacement;
    }

    /** The linear address of the memory operand in 64-bit mode. RIP is stored for a fault that the access may raise. */
    long at(Cpu cpu, long[] r, long start) {
        return effective(r, start) + cpu.segmentBase[segment];
    }
}
