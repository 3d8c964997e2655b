package dev.multivisor.engine.jit;

import dev.multivisor.engine.isa.Instruction;

/** SSE instructions in line. */
final class Vectors {
    private final Code code;
    private final Memory memory;
    private final Conditions flags;

    Vectors(Code code, Memory memory, Conditions flags) {
        this.code = code;
        this.memory = memory;
        this.flags = flags;
    }

    static boolean emits(Instruction i) {
        return false;
    }

    void emit(Instruction i, Place place, Runnable otherwise) {
        otherwise.run();
    }
}
