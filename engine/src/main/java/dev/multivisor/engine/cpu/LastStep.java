package dev.multivisor.engine.cpu;

import dev.multivisor.engine.isa.Instruction;
import java.util.Arrays;

/** The last step of a block, with the blocks that were seen to follow it. */
final class LastStep extends Step {
    static final Block[] NONE = {};
    private static final int MOST = 12;

    /** Blocks that followed. */
    Block likely = Block.NONE, other = Block.NONE;

    /** More blocks that followed, if it is an indirect jump. */
    Block[] more = NONE;

    LastStep(int code, Instruction i, int offset, int done) {
        super(code, i, offset, done);
    }

    /** Notes a block that followed. If it is known, as after a change of context, nothing is written: the collector scans that. */
    void followed(Block next) {
        if (next == likely || next == other) {
            return;
        }
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

    /** Blocks that are dropped must not keep others from being collected. */
    void forget() {
        likely = Block.NONE;
        other = Block.NONE;
        more = NONE;
    }
}
