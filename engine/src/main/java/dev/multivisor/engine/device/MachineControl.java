package dev.multivisor.engine.device;

/** What the guest can ask for the whole machine. Called by the vCPU thread that asks; returns at once. */
public interface MachineControl {
    /** ACPI S5. */
    void powerOff();

    /** Any of the reset registers. */
    void reset();

    /**
     * The debug-exit port.
     *
     * @param status what was written, shifted: {@code (value << 1) | 1}
     */
    void debugExit(int status);
}
