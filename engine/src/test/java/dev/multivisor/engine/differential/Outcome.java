package dev.multivisor.engine.differential;

/** The state after an instruction. */
final class Outcome {
    /** {@link #vector} of an instruction that raised nothing, or that did not end. */
    static final int COMPLETED = -1, TIMEOUT = -2;

    int vector = COMPLETED;
    long error;
    long cr2;
    long rip;
    long flags;
    final long[] gpr = new long[16];
    final byte[] fx = new byte[TestCase.FX_SIZE];
    int changedOffset;
    byte[] changed = {};
}
