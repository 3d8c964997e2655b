package dev.multivisor.host;

import dev.multivisor.api.VirtualCpu;
import dev.multivisor.host.Execution.Residence;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;

/**
 * Watches a machine for some time after its handover. If the new engine fails, or a vCPU that does not wait executes
 * nothing ({@link Progress}), the machine is taken back to the engine that it came from, as long as its state can still be
 * saved. If it cannot, the machine's end says so.
 */
final class Probation {
    private static final long LOOK_MILLIS = 20;

    private final VirtualMachine machine;
    private final Residence subject;
    private final Duration length;
    private final Duration deadline;
    private final AtomicReference<String> failure = new AtomicReference<>();
    private volatile String problem = "";

    Probation(VirtualMachine machine, Residence subject, Duration length, Duration deadline) {
        this.machine = machine;
        this.subject = subject;
        this.length = length;
        this.deadline = deadline;
    }

    /** The machine on the engine that is watched. */
    Residence subject() {
        return subject;
    }

    /** Whether the way back has failed. */
    boolean lost() {
        return !problem.isEmpty();
    }

    /** Why there was no way back. */
    String problem() {
        return problem.isEmpty() ? "no way back was found in time" : problem;
    }

    void start() {
        Thread.ofPlatform()
                .name("vm-" + machine.name() + "-probation")
                .daemon(true)
                .start(this::watch);
    }

    /** A vCPU's engine has failed; its thread waits to be taken back. */
    void failed(String reason) {
        failure.compareAndSet(null, reason);
    }

    private void watch() {
        try {
            long end = System.nanoTime() + length.toNanos();
            int cpus = subject.cpus().size();
            List<Progress> progress = Stream.generate(Progress::new).limit(cpus).toList();
            while (System.nanoTime() < end) {
                if (machine.home() != subject || machine.ended()) {
                    return;
                }
                String reason = failure.get();
                for (int n = 0; n < cpus && reason == null; n++) {
                    VirtualCpu cpu = subject.cpus().get(n);
                    boolean resting = cpu.waiting() || !machine.running();
                    if (progress.get(n)
                            .stalled(
                                    cpu.instructions(),
                                    resting,
                                    machine.cpuNanos(n),
                                    machine.runnable(n),
                                    System.nanoTime())) {
                        reason = "engine " + subject.engine().jar().version() + ": vCPU " + n + " executes nothing";
                    }
                }
                if (reason != null) {
                    back(reason);
                    return;
                }
                Thread.sleep(LOOK_MILLIS);
            }
            machine.event(
                    MachineEvent.Kind.APPROVED,
                    "engine " + subject.engine().jar().version());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            machine.probationOver(this);
        }
    }

    private void back(String reason) {
        machine.misbehaved(reason);
        try {
            // A guest that stands still already has more patience.
            HandoverReport report = machine.leave(deadline.plus(Duration.ofSeconds(1)));
            if (!report.committed()) {
                noWayBack(report.reason());
            }
        } catch (HostException e) {
            noWayBack(e.getMessage());
        }
    }

    private void noWayBack(String why) {
        problem = "no way back from engine " + subject.engine().jar().version() + ": " + why;
        machine.event(MachineEvent.Kind.NOT_MOVED, problem);
    }
}
