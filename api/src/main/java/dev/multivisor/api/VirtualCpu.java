package dev.multivisor.api;

import java.util.Map;

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

    /**
     * System registers by their names in the manual (Intel SDM, volume 3, 2.4 and 2.5): CR0, CR3, CR4, EFER, LSTAR, and
     * the base addresses in GDTR and IDTR; empty from an engine that does not tell. From any thread, to whom each value
     * may be a moment old; exact on the thread that is in {@link #run}, inside a {@link PageObserver}'s methods.
     */
    default Map<String, Long> systemRegisters() {
        return Map.of();
    }
}
