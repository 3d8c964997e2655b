package dev.multivisor.api;

/** A virtual processor. */
public interface VirtualCpu {
    /**
     * Runs the guest on the calling thread until something happens that the base must know. Waits while the vCPU
     * is halted. Returns at an instruction boundary, with the state complete. One thread at a time.
     */
    Exit run();

    /**
     * Makes {@link #run} return {@link Exit.Reason#KICKED} soon, or at once on its next call. From any thread.
     */
    void kick();

    /** Whether it waits for an interrupt (HLT) or to be started (INIT, SIPI) just now. From any thread. */
    boolean waiting();

    /**
     * Guest instructions executed since the machine was created, also on engines before this one. Only grows. From any
     * thread, to whom it may lag behind by some thousand.
     */
    long instructions();
}
