package dev.multivisor.engine.isa;

/** The instruction table. */
public final class InstructionTable {
    private InstructionTable() {}
}
