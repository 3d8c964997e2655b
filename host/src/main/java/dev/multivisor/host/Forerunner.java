package dev.multivisor.host;

import dev.multivisor.api.EngineException;
import dev.multivisor.api.Exit;
import dev.multivisor.api.Machine;
import dev.multivisor.api.MachineSpec;
import dev.multivisor.api.Resources;
import dev.multivisor.api.VirtualCpu;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * A copy of a running machine that goes on with the guest's work on the engine to which the machine is to move, with
 * memory of its own and cut off from every endpoint, while the machine runs on where it is. So that engine has compiled
 * what this guest does, and the JVM that, when the guest comes; and an engine that fails at this guest's work does so
 * before the guest is there. What the copy does is thrown away.
 */
final class Forerunner {
    /** How often to look how fast it is. */
    private static final Duration LOOK = Duration.ofMillis(50);

    /** After how many looks without a new best it is fast, and after how many at which no vCPU has work it has none. */
    private static final int STEADY_LOOKS = 40, IDLE_LOOKS = 5;

    private static final int MOST_COPIES = 5;

    private final VirtualMachine machine;
    private final LoadedEngine target;
    private final MachineSpec spec;

    /** Of machine and target, which the caller holds. */
    Forerunner(VirtualMachine machine, LoadedEngine target, MachineSpec spec) {
        this.machine = machine;
        this.target = target;
        this.spec = spec;
    }

    /** Why there can be none, in one line; empty if there can. */
    static String obstacle(VirtualMachine machine) {
        if (!machine.running()) {
            return "the guest does not run";
        }
        long available = availableMemory();
        return available < machine.memorySize()
                ? "the host has " + MemorySize.format(available) + " of memory to give, not "
                        + MemorySize.format(machine.memorySize())
                : "";
    }

    /** Bytes that can be had without swapping; none where that is not known. Linux, Documentation/filesystems/proc.rst. */
    private static long availableMemory() {
        try (var lines = Files.lines(Path.of("/proc/meminfo"))) {
            return lines.filter(line -> line.startsWith("MemAvailable:"))
                    .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) << 10)
                    .findFirst()
                    .orElse(0);
        } catch (IOException | RuntimeException e) {
            return 0;
        }
    }

    /**
     * What came of it.
     *
     * @param hotCode what the target says of which code is hot; empty if it says nothing
     * @param instructions how many the copy has executed
     * @param nanos for how long it ran
     * @param ended whether the copy's run has ended
     */
    record Outcome(byte[] hotCode, long instructions, long nanos, boolean ended) {}

    /**
     * Makes the copy and lets it run until it gets no faster, has nothing to do, or the time is up. A copy that is not exact
     * may end soon; then there is another.
     *
     * @param hotCode what is known of which code is hot; empty for nothing
     * @return empty if there was no time for it
     * @throws HostException if the machine cannot be copied, or the target fails with the copy
     */
    Optional<Outcome> run(byte[] hotCode, Duration limit) throws InterruptedException {
        machine.capturing().rehearse();
        long end = System.nanoTime() + limit.toNanos();
        boolean exact = machine.capturesLive();
        Optional<Outcome> last = Optional.empty();
        for (int n = 0; n < MOST_COPIES; n++) {
            Optional<VirtualMachine> made = copy(
                    last.map(Outcome::hotCode).filter(told -> told.length > 0).orElse(hotCode), end);
            if (made.isEmpty()) {
                break;
            }
            try (VirtualMachine copy = made.get()) {
                last = Optional.of(perform(copy, end));
            }
            if (exact || !last.get().ended) {
                break;
            }
        }
        return last;
    }

    private Optional<VirtualMachine> copy(byte[] hotCode, long end) {
        GuestRam memory = GuestRam.allocate(machine.memorySize());
        Optional<VirtualMachine> made = Optional.empty();
        try {
            Optional<SavedMachine> saved = machine.capturing().copy(memory, end);
            if (saved.isPresent()) {
                byte[] state = forTarget(saved.get(), memory);
                prepare(hotCode, memory);
                VirtualMachine.Settings settings = new VirtualMachine.Settings(
                        machine.name() + "-forerunner",
                        machine.memorySize(),
                        spec,
                        StandIn.Deaf.CONSOLE,
                        StandIn.Deaf.CONSOLE);
                made = Optional.of(VirtualMachine.goOn(
                        target, settings, memory, saved.get().guestNanos(), state));
            }
        } finally {
            if (made.isEmpty()) {
                memory.close();
            }
        }
        return made;
    }

    private void prepare(byte[] hotCode, GuestRam memory) {
        if (hotCode.length > 0) {
            try {
                target.engine().prepare(spec, hotCode, memory, Duration.ZERO);
            } catch (EngineException e) {
                // Not every engine can read what another one says, nor has to.
            }
        }
    }

    /** The state as the target takes it: another engine's is written again by the one that wrote it. */
    private byte[] forTarget(SavedMachine saved, GuestRam memory) {
        Resources resources = new Resources(
                memory,
                new PausableClock(saved.guestNanos()),
                StandIn.Deaf.CONSOLE,
                StandIn.Deaf.CONSOLE,
                List.of(),
                List.of());
        try (Machine source = machine.engine().engine().restore(saved.spec(), saved.state(), resources)) {
            return source.save(target.info().state());
        }
    }

    private Outcome perform(VirtualMachine copy, long end) throws InterruptedException {
        long start = System.nanoTime();
        copy.start();
        long before = instructions(copy);
        long begun = before;
        long best = 0;
        int steady = 0;
        int idle = 0;
        while (steady < STEADY_LOOKS && idle < IDLE_LOOKS && System.nanoTime() - end < 0) {
            Optional<MachineEnd> over = copy.await(LOOK);
            if (over.isPresent()) {
                Exit exit = over.get().exit();
                if (exit.reason() == Exit.Reason.FAILED) {
                    throw new HostException(
                            "engine " + target.jar().version() + ": failed with a copy of the guest: " + exit.detail());
                }
                break;
            }
            long now = instructions(copy);
            // One or two per cent more are noise.
            steady = now - before > best + best / 50 ? 0 : steady + 1;
            idle = copy.home().cpus().stream().allMatch(VirtualCpu::waiting) ? idle + 1 : 0;
            best = Math.max(best, now - before);
            before = now;
        }
        return new Outcome(
                copy.home().machine().hotCode(), instructions(copy) - begun, System.nanoTime() - start, copy.ended());
    }

    private static long instructions(VirtualMachine copy) {
        return copy.home().cpus().stream().mapToLong(VirtualCpu::instructions).sum();
    }
}
