package dev.multivisor.host;

import dev.multivisor.api.EngineException;
import dev.multivisor.api.Machine;
import dev.multivisor.api.MachineSpec;
import dev.multivisor.api.Resources;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.LockSupport;

/**
 * Carries out one {@link Handover}: moves a stand-in until the processor's caches hold what that takes, has the vCPUs
 * come out, saves the machine on the source, restores it on the target and commits. Does so on a thread of its own, so that
 * an engine that never answers holds up neither the guest nor whoever asked.
 */
final class Mover {
    /** How long it may take until the vCPUs are asked to come out: the stand-in's first moves may be slow. */
    private static final Duration PREPARATION = Duration.ofSeconds(5);

    /** How long to wait until moves are fast: how many in a row, and how much longer than the fastest one they may take. */
    private static final long SPEED_NANOS = 300_000_000L;

    private static final int SPEED_MOVES = 6;

    private static final int SPEED_FACTOR = 2;

    /**
     * How many moves in a row, just before the guest stops, must take hardly longer than the fastest of them: code and data
     * that are in no cache cost several times as much, and who was interrupted for a time slice has none there any
     * more. With a limit, because each makes garbage, and to collect that stops the guest too.
     */
    private static final int WARMING = 4;

    private static final int WARMING_LIMIT = 40;

    private static final long WARMING_NANOS = 100_000_000L;

    /** How many more moves may make up for an interruption that came after those; the mover keeps a processor meanwhile. */
    private static final int REWARMING_LIMIT = 3;

    /** How long vCPUs may take to come out before they count as lost; longer than any patience with a pause. */
    private static final Duration GATHERING = Duration.ofSeconds(2);

    /** How long an engine that is late may take before it counts as hung. */
    private static final Duration LATE = Duration.ofSeconds(2);

    /** How long the vCPUs may take to go on before their stop is reported as it is. */
    private static final long DEPARTURE_NANOS = 1_000_000_000L;

    /**
     * How often whoever asked looks how far it is, as a part of the patience and in nanoseconds at the most. Seldom: each
     * look takes some 100 µs of a processor, which the vCPUs may need just then.
     */
    private static final int LOOKS = 8;

    private static final long LOOK_NANOS = 5_000_000;

    /**
     * What is to be done.
     *
     * @param cpus how many vCPUs have to come out
     * @param recent what the stand-in begins with, see {@link StandIn}
     */
    record Plan(
            LoadedEngine from,
            MachineSpec machineSpec,
            Machine machine,
            LoadedEngine to,
            MachineSpec spec,
            Resources resources,
            int cpus,
            Duration patience,
            Optional<byte[]> recent,
            Purpose purpose,
            Optional<Moment> moment) {}

    /** What it is for. */
    enum Purpose {
        MOVE(false, false),
        /** The machine goes on where it is: only its state is wanted. */
        COPY(true, false),
        /** The machine is a stand-in itself, so that nothing need be fast. */
        REHEARSAL(false, true),
        REHEARSED_COPY(true, true);

        /** Whether the machine stays where it is. */
        final boolean stays;

        final boolean rehearsal;

        Purpose(boolean stays, boolean rehearsal) {
            this.stays = stays;
            this.rehearsal = rehearsal;
        }
    }

    /** What is done beside saving a machine that stays, while the guest stands still. */
    interface Moment {
        /**
         * Does it.
         *
         * @return how to undo it, because the guest has gone on before this was done
         */
        Runnable take(byte[] state);
    }

    /** What the machine does in a handover. */
    interface Subject {
        /** From now on vCPUs that come out arrive at the attempt; makes them come out. */
        void begin(Handover attempt);

        /** The vCPU threads, as {@link HostScheduler} knows them. */
        List<Integer> hostThreads();

        /** Whether it is still in the phase in which the attempt began. */
        boolean expected();

        /** What makes this the machine that runs, to be called with the lock held. */
        Runnable arrival(Machine target);

        /** Another thread is to run a vCPU. */
        void replaceThread(int cpu);

        /** Who watches the machine's memory. */
        EngineTracking tracking();
    }

    private final Plan plan;
    private final Subject subject;
    private final Lock lock;
    private final Handover attempt;
    private final Urgency urgency = new Urgency();
    private boolean urgent;
    private final CountDownLatch over = new CountDownLatch(1);

    /** The mover needs nothing more, so that who waits for it need not look. */
    private final CountDownLatch done = new CountDownLatch(1);

    // Written by the thread that does the transfer, read after it is over, or for a guess where it hangs:
    private volatile String step = "starting";
    private volatile boolean prepared;
    private volatile String reason = "";
    private volatile Machine target;
    private long save;
    private long restore;
    private volatile byte[] moved = {};

    /**
     * A mover for one attempt.
     *
     * @param lock what a vCPU thread takes before it looks for its engine
     */
    Mover(Plan plan, Subject subject, Lock lock) {
        this.plan = plan;
        this.subject = subject;
        this.lock = lock;
        attempt = new Handover(plan.cpus, plan.patience.toNanos(), this::transfer);
    }

    /** Moves the machine. What it leaves behind is {@link #discard}'s. */
    HandoverReport run(String name) {
        plan.to.retain();
        Thread.ofPlatform().name("vm-" + name + "-mover").daemon(true).start(this::move);
        String problem = await();
        attempt.giveUp();
        urgency.end();
        if (attempt.committed() || copied()) {
            attempt.awaitDeparture(DEPARTURE_NANOS);
            return report("");
        }
        int lost = over.getCount() > 0 ? attempt.abandon() : -1;
        if (lost >= 0) {
            subject.replaceThread(lost);
        }
        return report(problem.isEmpty() ? outcome() : problem);
    }

    /** Waits until it is decided or hopeless; says what is wrong if the vCPUs did not even come out. */
    private String await() {
        long start = System.nanoTime();
        while (!prepared && !attempt.decided()) {
            if (System.nanoTime() - start > PREPARATION.toNanos()) {
                return "no answer while " + step;
            }
            look();
        }
        long end = System.nanoTime() + GATHERING.toNanos();
        long paused = System.nanoTime() + plan.patience.toNanos() + GATHERING.toNanos();
        while (!attempt.decided() && over.getCount() > 0) {
            if (attempt.overdue() || plan.cpus == 0 && System.nanoTime() > paused) {
                return "";
            }
            if (plan.cpus > 0 && attempt.gathering() && (System.nanoTime() > end || !subject.expected())) {
                return "the vCPUs did not come out of engine " + plan.from.jar().version() + " in time";
            }
            look();
        }
        return "";
    }

    /** Returns when the mover is done, or it is time to look how far it is. */
    private void look() {
        long nanos = Math.min(LOOK_NANOS, plan.patience.toNanos() / LOOKS);
        long end = System.nanoTime() + nanos;
        try {
            if (done.await(nanos, TimeUnit.NANOSECONDS)) {
                return;
            }
        } catch (InterruptedException e) {
            // A move that is under way cannot be left to an interrupt; the caller sees it afterwards.
            LockSupport.parkNanos(this, end - System.nanoTime());
            Thread.currentThread().interrupt();
        }
    }

    /** Why the attempt was given up. */
    private String outcome() {
        if (!attempt.gathering() || plan.cpus == 0) {
            try {
                if (!over.await(LATE.toMillis(), TimeUnit.MILLISECONDS)) {
                    return "no answer while " + step;
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return "interrupted while " + step;
            }
        }
        return reason.isEmpty() ? late() : reason;
    }

    private void move() {
        StandIn standIn = null;
        try {
            if (!plan.purpose.rehearsal) {
                step = "rehearsing on engine " + plan.to.jar().version();
                int watched = subject.tracking().watchedPages();
                standIn = new StandIn(plan.from, plan.machineSpec, plan.to, plan.spec, plan.recent, watched);
                awaitSpeed(standIn);
                YoungSpace.makeRoom();
                long best = warm(standIn);
                hurry();
                rewarm(standIn, best);
            }
            step = "gathering the vCPUs";
            prepared = true;
            gather();
            if (attempt.claim()) {
                transfer();
            }
            // Tidying up is for later: the vCPUs need the processor now.
            attempt.awaitDeparture(DEPARTURE_NANOS);
        } catch (EngineException | HostException e) {
            reason = e.getMessage();
        } catch (Throwable e) {
            reason = "failed while " + step + ": " + e;
        } finally {
            if (!prepared) {
                attempt.giveUp();
                over.countDown();
            }
            urgency.end();
            done.countDown();
            close(standIn);
        }
    }

    /**
     * Moves the stand-in until that is about as fast as it ever was between these engines: code that the JVM gave up at the
     * last move is compiled again before the guest stops for the next one.
     */
    private void awaitSpeed(StandIn standIn) {
        long end = System.nanoTime() + SPEED_NANOS;
        long best = plan.to.bestFrom(plan.from, plan.machineSpec.cpus());
        int fast = 0;
        do {
            long took = standIn.timed();
            best = Math.min(best, took);
            fast = took <= best * SPEED_FACTOR ? fast + 1 : 0;
        } while (fast < SPEED_MOVES && System.nanoTime() < end);
        plan.to.tookFrom(plan.from, plan.machineSpec.cpus(), best);
    }

    /** Moves the stand-in until the processor's caches hold what that takes; how long the fastest move took, in nanoseconds. */
    private static long warm(StandIn standIn) {
        long end = System.nanoTime() + WARMING_NANOS;
        long best = Long.MAX_VALUE;
        int fast = 0;
        for (int n = 0; n < WARMING_LIMIT && fast < WARMING && (n == 0 || System.nanoTime() < end); n++) {
            long took = standIn.timed();
            // As long as each is faster than the one before, the next one will be, too.
            boolean settled = took > best - best / 8 && took <= best + best / 4;
            best = Math.min(best, took);
            fast = settled ? fast + 1 : 0;
        }
        return best;
    }

    /** From now on the mover goes before others, if there are vCPUs that will wait for it and the host allows it. */
    private void hurry() {
        urgent = plan.cpus > 0 && urgency.begin(Urgency.MOVER, List.of(HostScheduler.thread()));
    }

    /** Makes up for an interruption between {@link #warm} and {@link #hurry}, after which it cannot be interrupted. */
    private void rewarm(StandIn standIn, long best) {
        for (int n = 0; urgent && n < REWARMING_LIMIT && standIn.timed() > best + best / 4; n++) {}
    }

    /** Makes the vCPUs come out, if any are in. */
    private void gather() {
        attempt.expectMover(urgent);
        if (urgent) {
            // Before they are told to come out: the time that this takes would keep a processor from one when
            // another is out already. The mover goes before them, so it can tell them still.
            urgency.begin(Urgency.VCPU, subject.hostThreads());
        }
        subject.begin(attempt);
    }

    private void transfer() {
        try {
            step = "saving on engine " + plan.from.jar().version();
            long start = System.nanoTime();
            LoadedEngine reader = plan.purpose.stays ? plan.from : plan.to;
            byte[] state = plan.machine.save(reader.info().state());
            moved = state;
            long saved = System.nanoTime();
            save = saved - start;
            if (plan.purpose.stays) {
                Optional<Runnable> undo = plan.moment.map(moment -> moment.take(state));
                if (!attempt.stay()) {
                    reason = late();
                    undo.ifPresent(Runnable::run);
                }
                return;
            }
            step = "restoring on engine " + plan.to.jar().version();
            target = plan.to.engine().restore(plan.spec, state, plan.resources);
            step = "telling engine " + plan.to.jar().version() + " which pages are watched";
            EngineTracking.Armed armed = subject.tracking().arm(target);
            restore = System.nanoTime() - saved;
            step = "committing";
            if (!subject.tracking().commit(target, armed, this::commit)) {
                reason = late();
                return;
            }
            attempt.release();
        } catch (EngineException | HostException e) {
            reason = e.getMessage();
        } catch (Throwable e) {
            // Whatever an engine throws, the guest goes on at the source.
            reason = "failed while " + step + ": " + e;
        } finally {
            // In this order, lest whoever sees that it is given up take this thread for one that hangs.
            over.countDown();
            attempt.giveUp();
        }
    }

    private boolean commit() {
        Runnable arrival = subject.arrival(target);
        lock.lock();
        try {
            if (!attempt.decide()) {
                return false;
            }
            arrival.run();
        } finally {
            lock.unlock();
        }
        return true;
    }

    private String late() {
        return "the guest would have stood still for longer than " + plan.patience.toNanos() / 1000 + " µs";
    }

    /** Whether it has what it came for without a move. The state alone is good even when it comes late. */
    private boolean copied() {
        return attempt.stayed() || plan.purpose.stays && plan.moment.isEmpty() && moved.length > 0;
    }

    /** The state that it moved, as the target takes it, or copied, as the source does; empty if it did not come to that. */
    byte[] moved() {
        return moved;
    }

    boolean committed() {
        return attempt.committed();
    }

    /** Closes the machine that is not needed any more, on a thread of its own: nobody waits for an engine. */
    void discard(String name) {
        Thread.ofPlatform().name("vm-" + name + "-mover").daemon(true).start(() -> {
            try {
                // A target that is late may still come.
                if (!attempt.gathering() || plan.cpus == 0) {
                    over.await();
                }
                close(committed() ? plan.machine : target);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            } finally {
                (committed() ? plan.from : plan.to).release();
            }
        });
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

    private HandoverReport report(String problem) {
        HandoverReport.Outcome success = copied() ? HandoverReport.Outcome.POSSIBLE : HandoverReport.Outcome.MOVED;
        return new HandoverReport(
                plan.from.jar().version(),
                plan.to.jar().version(),
                problem.isEmpty() ? success : HandoverReport.Outcome.FAILED,
                problem.isEmpty() ? List.of() : List.of(problem),
                attempt.stoppedNanos(),
                save,
                restore,
                moved.length);
    }
}
