package dev.multivisor.engine.jit;

import dev.multivisor.engine.cpu.RegionSource;
import dev.multivisor.engine.isa.Decoder;
import dev.multivisor.engine.isa.Instruction;
import dev.multivisor.engine.isa.Operand.Kind;
import java.util.ArrayList;
import java.util.List;

/**
 * A block of a region, decoded.
 *
 * @param offset of its first byte from the region's entry
 * @param end offset of the byte after its last one
 * @param instructions at least one
 * @param targets where an indirect jump at its end has led to
 */
record CodePart(long offset, long end, List<Instruction> instructions, List<Long> targets) {
    static CodePart of(RegionSource.Part source, Decoder decoder) {
        List<Instruction> instructions = new ArrayList<>();
        byte[] bytes = source.code();
        int at = 0;
        while (at < bytes.length) {
            Instruction i = decoder.decode(bytes, at, bytes.length, 64);
            instructions.add(i);
            at += i.length;
        }
        return new CodePart(source.offset(), source.offset() + at, instructions, source.targets());
    }

    Instruction last() {
        return instructions.getLast();
    }

    /** Whether its last instruction is a near jump, call or return. */
    boolean endsInJump() {
        Instruction last = last();
        return switch (last.op) {
            case JMP, CALL, JCC, RET -> last.operandSize == 8 && last.a.kind() != Kind.FAR;
            default -> false;
        };
    }
}
