package dev.multivisor.host;

import dev.multivisor.api.MachineSpec;
import dev.multivisor.api.StateFormat;

/**
 * A machine as it was at a moment, without its memory.
 *
 * @param engine version of the engine that wrote the state
 * @param contract the contract that this engine was built against
 * @param spec what the machine was there
 * @param format what the state consists of
 * @param state the engine's own bytes
 * @param memory bytes of guest memory
 * @param guestNanos guest time, by {@link dev.multivisor.api.Clock#nanoTime}
 */
public record SavedMachine(
        String engine, int contract, MachineSpec spec, StateFormat format, byte[] state, long memory, long guestNanos) {
    /** The parameter that holds a virtual machine generation ID, for engines and machines that have one. */
    public static final String GENERATION = "vmgenid";

    /** The feature of a machine that has one. */
    private static final String GENERATION_FEATURE = "vmgenid";

    /** Whether the guest can be told that it is a copy, so that its random numbers are not the original's. */
    public boolean hasGeneration() {
        return format.features().contains(GENERATION_FEATURE);
    }
}
