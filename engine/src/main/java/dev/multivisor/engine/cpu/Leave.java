package dev.multivisor.engine.cpu;

/**
 * Thrown within compiled code where it is to be left before an instruction, which the interpreter executes. What throws
 * it is called by all compiled code: so HotSpot knows that it happens, and how seldom, when it compiles a region in which
 * it did not happen yet, and neither gives the region up when it does nor keeps registers for it. One object.
 */
public final class Leave extends RuntimeException {
    private static final long serialVersionUID = 1;

    public static final Leave NOW = new Leave();

    private Leave() {
        super(null, null, false, false);
    }

    /**
     * Leaves if the budget is used up or attention is wanted.
     *
     * @param left what is left of the budget
     */
    public static void ifWanted(Cpu cpu, int left) {
        if (left <= 0 || cpu.attention != 0) {
            throw NOW;
        }
    }

    /**
     * Leaves if the budget is used up, which is small: for the code of a machine with one vCPU. HotSpot would look at attention
     * once before a loop, and in the loop at what that was.
     */
    public static void ifUsedUp(int left) {
        if (left <= 0) {
            throw NOW;
        }
    }
}
