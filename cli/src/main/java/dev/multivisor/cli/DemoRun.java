package dev.multivisor.cli;

import dev.multivisor.api.Boot;
import dev.multivisor.api.MachineSpec;
import dev.multivisor.host.EngineJar;
import dev.multivisor.host.HandoverReport;
import dev.multivisor.host.HostException;
import dev.multivisor.host.LoadedEngine;
import dev.multivisor.host.MachineEnd;
import dev.multivisor.host.MachineEvent;
import dev.multivisor.host.StreamConsole;
import dev.multivisor.host.UpgradeRequest;
import dev.multivisor.host.VirtualMachine;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;

/** Boots a guest, lets it work, and replaces the engine under it three times. */
final class DemoRun {
    private static final Duration DEADLINE = Duration.ofMillis(500);
    private static final Duration REHEARSAL = Duration.ofSeconds(5);
    private static final Duration POLL = Duration.ofMillis(20);
    private static final long BOOT_SECONDS = 300;
    private static final long SILENCE_SECONDS = 10;

    /** A move that misses its deadline on a busy host leaves the guest where it was, and may be tried again. */
    private static final int ATTEMPTS = 3;

    /**
     * What runs.
     *
     * @param name what to call it
     * @param memory in bytes
     */
    record Guest(String name, Boot boot, long memory) {}

    /**
     * A move. Times are by {@link System#nanoTime}.
     *
     * @param name what it is
     * @param begun when it was asked for
     * @param moved when the guest ran on
     */
    record Move(String name, long begun, long moved, HandoverReport report) {}

    /** The demonstration cannot go on. */
    private static final class Failure extends Exception {
        private static final long serialVersionUID = 1;

        Failure(String message) {
            super(message);
        }
    }

    private final Guest guest;
    private final EngineJar from;
    private final EngineJar to;
    private final int seconds;
    private final PrintWriter out;
    private final Heartbeat heartbeat = new Heartbeat();
    private final PanicWatch panic = new PanicWatch();
    private final List<Move> moves = new ArrayList<>();
    private volatile long movedAt;

    DemoRun(Guest guest, EngineJar from, EngineJar to, int seconds, PrintWriter out) {
        this.guest = guest;
        this.from = from;
        this.to = to;
        this.seconds = seconds;
        this.out = out;
    }

    DemoResults run() throws InterruptedException {
        List<String> problems = new ArrayList<>();
        List<OutputStream> sinks = List.of(heartbeat, panic);
        // Each is loaded apart from the other, also where there is but one.
        try (LoadedEngine source = LoadedEngine.load(from);
                LoadedEngine target = LoadedEngine.load(to);
                StreamConsole console = new StreamConsole(sinks);
                StreamConsole debug = new StreamConsole(List.of());
                VirtualMachine machine = VirtualMachine.create(
                        source,
                        new VirtualMachine.Settings(
                                "demo", guest.memory, new MachineSpec(1, "x86-64-v2", Map.of()), console, debug),
                        guest.boot)) {
            heartbeat.count(() -> machine.status().cpus().getFirst().instructions());
            machine.onEvent(event -> {
                if (event.kind() == MachineEvent.Kind.MOVED) {
                    movedAt = System.nanoTime();
                }
            });
            try {
                perform(machine, target);
            } catch (Failure e) {
                problems.add(e.getMessage());
            } finally {
                machine.stop("the demonstration is over");
                console.flush(1000);
            }
        }
        return new DemoResults(guest.name, heartbeat.seen(), moves, problems);
    }

    private void perform(VirtualMachine machine, LoadedEngine target) throws Failure, InterruptedException {
        long start = System.nanoTime();
        tell(guest.name + " starts on engine " + from.version());
        machine.start();
        while (heartbeat.last().isEmpty()) {
            check(machine);
            if (System.nanoTime() - start > BOOT_SECONDS * 1_000_000_000L) {
                throw new Failure("the guest did not report within " + BOOT_SECONDS + " s");
            }
        }
        tell("it reports after %.1f s, and works for %d s".formatted((System.nanoTime() - start) / 1e9, seconds));
        work(machine);
        UpgradeRequest request =
                new UpgradeRequest(Map.of(), DEADLINE, REHEARSAL, Duration.ofSeconds(Math.min(seconds, 10)));
        String rehearsing = "engine " + to.version() + " rehearses while the guest runs on, then takes it over";
        move(machine, "upgrade", rehearsing, () -> machine.upgrade(target, request));
        work(machine);
        move(machine, "rollback", "back to engine " + from.version(), () -> machine.rollBack(DEADLINE));
        work(machine);
        move(machine, "upgrade", rehearsing, () -> machine.upgrade(target, request));
        work(machine);
    }

    private void move(VirtualMachine machine, String name, String what, Supplier<HandoverReport> action)
            throws Failure, InterruptedException {
        tell(what);
        for (int attempt = 1; ; attempt++) {
            check(machine);
            long begun = System.nanoTime();
            HandoverReport report;
            try {
                report = action.get();
            } catch (HostException e) {
                throw new Failure(name + ": " + e.getMessage());
            }
            if (report.committed()) {
                moves.add(new Move(name, begun, movedAt, report));
                tell("  moved: it stood still for " + DemoResults.millis(report.stopped()) + " ms");
                return;
            }
            if (attempt == ATTEMPTS || report.outcome() == HandoverReport.Outcome.REFUSED) {
                throw new Failure("the " + name + " to engine " + report.to() + " was not made: " + report.reason());
            }
            tell("  not moved: " + report.reason() + "; once more");
        }
    }

    private void work(VirtualMachine machine) throws Failure, InterruptedException {
        long end = System.nanoTime() + seconds * 1_000_000_000L;
        while (System.nanoTime() < end) {
            check(machine);
            long last = heartbeat.last().map(Heartbeat.Seen::arrival).orElse(0L);
            if (System.nanoTime() - last > SILENCE_SECONDS * 1_000_000_000L) {
                throw new Failure("the guest has not reported for " + SILENCE_SECONDS + " s");
            }
        }
    }

    /** Waits a moment; the guest must still run after it. */
    private void check(VirtualMachine machine) throws Failure, InterruptedException {
        Optional<MachineEnd> end = machine.await(POLL);
        if (!panic.message().isEmpty()) {
            throw new Failure("the guest's kernel panicked: " + panic.message());
        }
        if (end.isPresent()) {
            String detail = end.get().exit().detail();
            String reason =
                    end.get().exit().reason().name().toLowerCase(Locale.ROOT).replace('_', ' ');
            throw new Failure("the guest ended: " + reason + (detail.isEmpty() ? "" : " (" + detail + ")"));
        }
    }

    private void tell(String text) {
        out.println(text);
        out.flush();
    }
}
