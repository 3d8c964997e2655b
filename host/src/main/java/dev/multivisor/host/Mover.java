package dev.multivisor.host;

import dev.multivisor.api.EngineException;
import dev.multivisor.api.Machine;
import dev.multivisor.api.MachineSpec;
import dev.multivisor.api.Resources;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.Lock;

/**
 * Carries out one {@link Handover}: gathers the vCPUs, saves the machine on the source, restores it on the target and
 * commits. Does so on a thread of its own, so that an engine that never answers holds up neither the guest nor
 * whoever asked; such a thread is left behind and clears up should the engine ever come back.
 */
final class Mover {
    /** How long vCPUs may take to come out before they count as lost; longer than any patience with a pause. */
    private static final Duration GATHERING = Duration.ofSeconds(2);

    /** How long the vCPUs may take to go on before their stop is reported as it is. */
    private static final long DEPARTURE_NANOS = 1_000_000_000L;

    /** For how long a stand-in is moved just before: code and data that are in no cache cost several times as much. */
    private static final long WARMING_NANOS = 3_000_000L;

    /** What is to be done. */
    record Plan(
            LoadedEngine from,
            MachineSpec machineSpec,
            Machine machine,
            LoadedEngine to,
            MachineSpec spec,
            Resources resources,
            Duration patience) {}

    /** What the machine does in a handover. */
    interface Subject {
        /** Makes the vCPUs come out. */
        void kick();

        /** Whether it is still in the phase in which the attempt began. */
        boolean expected();

        /** From now on this is the machine that runs. Called with the lock held. */
        void commit(Machine target);

        /** Called after a commit, while the source's machine is still there. */
        void left();
    }

    private final Plan plan;
    private final Handover attempt;
    private final Subject subject;
    private final Lock lock;
    private volatile String step = "starting";
    private long save;
    private long restore;
    private int stateBytes;

    /**
     * A mover for one attempt.
     *
     * @param lock what a vCPU thread takes before it looks for its engine
     */
    Mover(Plan plan, Handover attempt, Subject subject, Lock lock) {
        this.plan = plan;
        this.attempt = attempt;
        this.subject = subject;
        this.lock = lock;
    }

    HandoverReport run(String name) {
        plan.to.retain();
        CompletableFuture<HandoverReport> result = new CompletableFuture<>();
        Thread.ofPlatform().name("vm-" + name + "-mover").daemon(true).start(() -> move(result));
        try {
            Duration limit = GATHERING.plus(plan.patience).plus(GATHERING);
            return result.get(limit.toMillis(), TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            return report(attempt.committed() ? "" : "no answer while " + step);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            attempt.giveUp();
            return report("interrupted while " + step);
        } catch (ExecutionException e) {
            throw new IllegalStateException(e);
        }
    }

    private void move(CompletableFuture<HandoverReport> result) {
        Machine target = null;
        boolean committed = false;
        String reason;
        StandIn standIn = null;
        try {
            step = "rehearsing on engine " + plan.to.jar().version();
            standIn = new StandIn(plan.from, plan.machineSpec, plan.to, plan.spec);
            standIn.warm(WARMING_NANOS);
            target = transfer();
            committed = commit(target);
            reason = committed ? "" : late();
        } catch (EngineException | HostException e) {
            reason = e.getMessage();
        } catch (Throwable e) {
            // Whatever an engine throws, the guest goes on at the source.
            reason = "failed while " + step + ": " + e;
        } finally {
            attempt.giveUp();
        }
        attempt.awaitDeparture(DEPARTURE_NANOS);
        if (committed) {
            subject.left();
        }
        result.complete(report(reason));
        close(standIn);
        close(committed ? plan.machine : target);
        (committed ? plan.from : plan.to).release();
    }

    private Machine transfer() {
        // Only now: nobody waits for this thread to start, and what it will execute is in its processor's caches.
        step = "gathering the vCPUs";
        subject.kick();
        if (!attempt.gathered(GATHERING.toNanos(), subject::expected)) {
            throw new HostException(
                    attempt.givenUp()
                            ? late()
                            : "the vCPUs did not come out of engine "
                                    + plan.from.jar().version() + " in time");
        }
        step = "saving on engine " + plan.from.jar().version();
        long start = System.nanoTime();
        byte[] state = plan.machine.save(plan.to.info().state());
        stateBytes = state.length;
        long saved = System.nanoTime();
        save = saved - start;
        step = "restoring on engine " + plan.to.jar().version();
        Machine target = plan.to.engine().restore(plan.spec, state, plan.resources);
        restore = System.nanoTime() - saved;
        step = "committing";
        return target;
    }

    private String late() {
        return "the guest would have stood still for longer than " + plan.patience.toNanos() / 1000 + " µs";
    }

    private boolean commit(Machine target) {
        lock.lock();
        try {
            if (!attempt.decide()) {
                return false;
            }
            subject.commit(target);
        } finally {
            lock.unlock();
        }
        attempt.release();
        return true;
    }

    /** Closes what is not needed any more, if there is any; whatever an engine says to that concerns nobody now. */
    private static void close(AutoCloseable left) {
        try {
            if (left != null) {
                left.close();
            }
        } catch (Throwable e) {
            System.getLogger(Mover.class.getName())
                    .log(System.Logger.Level.WARNING, "a machine was not closed after a handover", e);
        }
    }

    private HandoverReport report(String reason) {
        return new HandoverReport(
                plan.from.jar().version(),
                plan.to.jar().version(),
                reason.isEmpty() ? HandoverReport.Outcome.MOVED : HandoverReport.Outcome.FAILED,
                reason.isEmpty() ? List.of() : List.of(reason),
                attempt.stoppedNanos(),
                save,
                restore,
                stateBytes);
    }
}
