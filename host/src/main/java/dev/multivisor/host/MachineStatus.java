package dev.multivisor.host;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * How a machine is at a moment.
 *
 * @param name its name
 * @param phase whether it runs
 * @param engine version of the engine that it is on
 * @param previous version of the engine that it would roll back to
 * @param probation whether its engine is on probation
 * @param memory guest memory in bytes
 * @param parameters what the engine is told
 * @param guestTime how long it has run, pauses left out
 * @param handovers how often it has moved
 * @param cpus its vCPUs by number
 * @param panic what the guest's kernel said when it panicked, as far as somebody told
 * @param end how it ended
 */
public record MachineStatus(
        String name,
        Phase phase,
        String engine,
        Optional<String> previous,
        boolean probation,
        long memory,
        Map<String, String> parameters,
        Duration guestTime,
        long handovers,
        List<Cpu> cpus,
        Optional<String> panic,
        Optional<MachineEnd> end) {

    /** Stages of a machine's life. */
    public enum Phase {
        /** Built but not started, or stopped for a while. */
        PAUSED,
        /** Its vCPUs are in the engine. */
        RUNNING,
        /** The guest has ended. */
        ENDED,
        /** Everything was given back. */
        CLOSED
    }

    /**
     * A vCPU.
     *
     * @param instructions guest instructions executed since the machine was created
     * @param cpuNanos host CPU time of its thread, in nanoseconds
     * @param waiting whether it waits for an interrupt
     */
    public record Cpu(long instructions, long cpuNanos, boolean waiting) {}
}
