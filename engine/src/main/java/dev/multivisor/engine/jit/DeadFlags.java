package dev.multivisor.engine.jit;

import dev.multivisor.engine.isa.Instruction;
import dev.multivisor.engine.isa.Op;
import dev.multivisor.engine.isa.Operand.Kind;
import java.util.List;

/** Whether anybody can see the flags that an instruction leaves. */
final class DeadFlags {
    private DeadFlags() {}

    /**
     * Whether the flags after an instruction of a block are overwritten, all of them, before an instruction that looks at
     * them, one that may leave compiled code, or the block's end.
     */
    static boolean after(List<Instruction> block, int n) {
        for (Instruction i : block.subList(n + 1, block.size())) {
            boolean touches = i.memory() && i.op != Op.LEA && i.op != Op.NOP;
            if (touches || !Integers.emits(i) && !Vectors.emits(i)) {
                return false;
            }
            switch (i.op) {
                case ADD, SUB, CMP, AND, OR, XOR, TEST, NEG, POPCNT, IMUL, MUL -> {
                    return true;
                }
                case SHL, SHR, SAR -> {
                    // A count of zero leaves them as they are.
                    return i.b.kind() != Kind.GPR && (i.immediate & 31) != 0;
                }
                case MOV, MOVZX, MOVSX, MOVSXD, LEA, NOT, NOP, BSWAP, CBW, CWD -> {}
                case ROL, ROR, INC, DEC -> {}
                default -> {
                    if (!Vectors.emits(i) || !Vectors.quiet(i)) {
                        return false;
                    }
                }
            }
        }
        return false;
    }
}
