package dev.multivisor.api;

/**
 * Why {@link VirtualCpu#run} returned. Apart from {@link Reason#KICKED} it concerns the whole machine: the
 * base kicks the other vCPUs.
 *
 * @param status for {@link Reason#DEBUG_EXIT} what the guest wrote, shifted as documented there; else 0
 * @param detail one line for people; empty when there is nothing to add
 */
public record Exit(Reason reason, int status, String detail) {
    /** What happened. */
    public enum Reason {
        /** {@link VirtualCpu#kick} was called. */
        KICKED,
        /** The guest switched the machine off (ACPI S5). */
        POWER_OFF,
        /** The guest reset the machine (ACPI reset register, port 0xcf9, keyboard controller). */
        RESET,
        /** The guest wrote the debug-exit port; the status is {@code (value << 1) | 1}. */
        DEBUG_EXIT,
        /** A fault while delivering a double fault (Intel SDM vol. 3, 6.15, interrupt 8). */
        TRIPLE_FAULT,
        /** Every vCPU is halted with interrupts off: nothing can wake the guest. */
        HALTED,
        /** The engine failed; the machine must not be run further here, but {@link Machine#save} may be tried. */
        FAILED
    }
}
