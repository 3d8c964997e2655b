package dev.multivisor.server;

import dev.multivisor.host.EngineUsage;
import dev.multivisor.host.MachineStatus;
import dev.multivisor.host.VirtualMachine;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * A machine as it is shown to the outside. Times are in nanoseconds.
 *
 * @param name its name
 * @param pid the process that it runs in
 * @param phase {@code running}, {@code paused} or {@code ended}
 * @param engine version of the engine that it is on
 * @param previous version of the engine that it would roll back to
 * @param probation whether its engine is on probation
 * @param memoryBytes guest memory
 * @param parameters what its engine is told
 * @param guestNanos how long it has run, pauses left out
 * @param handovers how often it has moved
 * @param panic what the guest's kernel said when it panicked
 * @param cpus its vCPUs by number
 * @param usage what it did on each engine that it has been on
 */
public record MachineView(
        String name,
        long pid,
        String phase,
        String engine,
        Optional<String> previous,
        boolean probation,
        long memoryBytes,
        Map<String, String> parameters,
        long guestNanos,
        long handovers,
        Optional<String> panic,
        List<Cpu> cpus,
        List<Usage> usage) {

    /**
     * A vCPU.
     *
     * @param instructions guest instructions executed
     * @param cpuNanos host CPU time of its thread
     * @param waiting whether it waits for an interrupt
     */
    public record Cpu(long instructions, long cpuNanos, boolean waiting) {}

    /**
     * What a machine did on one engine.
     *
     * @param engine the engine's version
     * @param guestNanos how long the machine ran there
     * @param cpuNanos host CPU time of its vCPUs
     * @param instructions guest instructions executed
     * @param arrivals how often it moved there
     * @param failures how often the engine failed with it
     * @param counters the engine's own counters
     */
    public record Usage(
            String engine,
            long guestNanos,
            long cpuNanos,
            long instructions,
            long arrivals,
            long failures,
            Map<String, Long> counters) {
        static Usage of(EngineUsage usage) {
            return new Usage(
                    usage.engine(),
                    usage.work().nanos(),
                    usage.work().cpuNanos(),
                    usage.work().instructions(),
                    usage.arrivals(),
                    usage.failures(),
                    new TreeMap<>(usage.counters()));
        }
    }

    static MachineView of(VirtualMachine machine) {
        MachineStatus status = machine.status();
        return new MachineView(
                status.name(),
                ProcessHandle.current().pid(),
                phase(status),
                status.engine(),
                status.previous(),
                status.probation(),
                status.memory(),
                new TreeMap<>(status.parameters()),
                status.guestTime().toNanos(),
                status.handovers(),
                status.panic(),
                status.cpus().stream()
                        .map(cpu -> new Cpu(cpu.instructions(), cpu.cpuNanos(), cpu.waiting()))
                        .toList(),
                machine.usage().stream().map(Usage::of).toList());
    }

    /** Whether its memory was given back already after its end is of no interest. */
    private static String phase(MachineStatus status) {
        MachineStatus.Phase phase = status.phase();
        return (phase == MachineStatus.Phase.CLOSED ? MachineStatus.Phase.ENDED : phase)
                .name()
                .toLowerCase(Locale.ROOT);
    }
}
