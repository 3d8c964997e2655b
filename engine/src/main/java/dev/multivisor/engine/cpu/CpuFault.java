package dev.multivisor.engine.cpu;

/**
 * An exception that the current instruction raises (Intel SDM vol. 3, chapter 6). Thrown by handlers; RIP is still at
 * the instruction, and nothing that it would change has changed. One object per CPU, without a stack trace,
 * so that a fault allocates nothing.
 */
public final class CpuFault extends RuntimeException {
    private static final long serialVersionUID = 1;

    /** Exception vectors. */
    public static final int DE = 0, DB = 1, NMI = 2, BP = 3, OF = 4, BR = 5, UD = 6, NM = 7, DF = 8, TS = 10, NP = 11;

    /** Exception vectors. */
    public static final int SS = 12, GP = 13, PF = 14, MF = 16, AC = 17, MC = 18, XM = 19;

    /** No exception: an access to a device where the count of instructions is not exact. See {@link Cpu#exact}. */
    public static final int DEVICE = 255;

    /** Its vector, 0 to 31. */
    public int vector;

    /** Its error code, where the vector has one. */
    public int errorCode;

    /** For #PF, the linear address for CR2. */
    public long address;

    /** A non-canonical address, which is #SS instead of #GP for an operand addressed through the stack. */
    public boolean nonCanonical;

    CpuFault() {
        super(null, null, false, false);
    }
}
