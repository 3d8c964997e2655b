package dev.multivisor.api;

import java.time.Duration;
import java.util.List;

/**
 * An execution engine: makes machines and runs them. Found by {@link java.util.ServiceLoader} in a module
 * layer of its own; several versions may be loaded side by side. Implementations are
 * thread-safe and without state, but for what {@link #prepare} readies.
 */
public interface Engine {
    /** The contract's version. An engine names the one that it was built against in {@link EngineInfo}. */
    int CONTRACT = 1;

    /** Who this engine is. Never changes during its life. */
    EngineInfo info();

    /**
     * Builds a machine in its power-on state, with the boot images already in guest memory.
     *
     * @throws EngineException if the specification or an image is unusable; nothing is left behind
     */
    Machine create(MachineSpec spec, Boot boot, Resources resources);

    /**
     * Why this engine could not take such a machine over: a line for each reason, none if it can. Touches nothing.
     *
     * @param spec what the machine would be here
     * @param format what {@link Machine#format} says of the machine that is to come
     */
    List<String> refusals(MachineSpec spec, StateFormat format);

    /**
     * Builds a whole machine from state that {@link Machine#save} returned. Guest memory is taken as it is.
     *
     * @throws EngineException naming the section and field that cannot be taken; nothing is left behind
     */
    Machine restore(MachineSpec spec, byte[] state, Resources resources);

    /**
     * Readies code for a machine that is to be created or restored in this memory soon, so that it is fast at once: compiles
     * what is there already. What is not as it was is left out. The machine is made as well without.
     *
     * @param hotCode what {@link Machine#hotCode} of any engine has said, of this machine or one that ran the same programs
     * @param limit how long it may take; none if zero, then nothing is compiled ahead
     * @throws EngineException if the bytes are damaged, or of a kind that this engine does not know
     */
    default void prepare(MachineSpec spec, byte[] hotCode, GuestMemory memory, Duration limit) {}

    /** Whether its machines have {@link Machine#tracking}. */
    default boolean tracksPages() {
        return false;
    }
}
