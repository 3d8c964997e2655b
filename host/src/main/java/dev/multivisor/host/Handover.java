package dev.multivisor.host;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;

/**
 * One attempt to move a machine to another engine, seen by the vCPU threads: each comes out of the engine, arrives here and
 * waits for the outcome. The mover, another thread, saves and restores meanwhile. Whoever is first decides: the mover
 * commits, or a vCPU whose deadline is over gives the attempt up and runs on where it was. So a target engine
 * that hangs holds up the mover, never the guest.
 */
final class Handover {
    private enum Outcome {
        OPEN,
        COMMITTED,
        GIVEN_UP
    }

    /**
     * How long a waiting thread looks again and again before it parks, because a wake-up costs some 50 µs. It yields
     * meanwhile: there may be fewer cores than vCPUs, and the mover needs one.
     */
    private static final long SPIN_NANOS = 1_000_000;

    private final int cpus;
    private final long patienceNanos;
    private final AtomicInteger arrived = new AtomicInteger();
    private final AtomicReference<Outcome> outcome = new AtomicReference<>(Outcome.OPEN);
    private final AtomicReferenceArray<Thread> waiting;
    private final AtomicInteger departed = new AtomicInteger();
    private final AtomicLong firstLeft = new AtomicLong();
    private final AtomicLong lastDeparture = new AtomicLong();

    /**
     * A new attempt.
     *
     * @param cpus how many threads will arrive
     * @param patienceNanos how long the guest may stand still, in nanoseconds
     */
    Handover(int cpus, long patienceNanos) {
        this.cpus = cpus;
        this.patienceNanos = patienceNanos;
        waiting = new AtomicReferenceArray<>(cpus);
    }

    // ---- vCPU threads ----

    /**
     * A vCPU is out of the engine; returns when it is decided where it goes on.
     *
     * @param left when it came out, by {@link System#nanoTime}
     * @return whether it goes on with the target
     */
    boolean arrive(int cpu, long left) {
        waiting.set(cpu, Thread.currentThread());
        firstLeft.accumulateAndGet(left, (one, other) -> one == 0 || other - one < 0 ? other : one);
        arrived.getAndIncrement();
        long deadline = left + patienceNanos;
        while (outcome.get() == Outcome.OPEN) {
            long rest = deadline - System.nanoTime();
            if (rest <= 0) {
                outcome.compareAndSet(Outcome.OPEN, Outcome.GIVEN_UP);
            } else if (patienceNanos - rest < SPIN_NANOS) {
                Thread.yield();
            } else {
                LockSupport.parkNanos(this, rest);
            }
        }
        return outcome.get() == Outcome.COMMITTED;
    }

    /** A vCPU that had arrived is about to enter an engine again. */
    void depart() {
        long now = System.nanoTime();
        lastDeparture.accumulateAndGet(now, (one, other) -> one == 0 || other - one > 0 ? other : one);
        departed.incrementAndGet();
    }

    // ---- The mover ----

    /**
     * Waits until every vCPU has arrived.
     *
     * @param limitNanos how long, in nanoseconds
     * @param running whether the machine still runs, so that they can be expected
     * @return false if one did not come in time, or the attempt was given up
     */
    boolean gathered(long limitNanos, BooleanSupplier running) {
        long start = System.nanoTime();
        while (arrived.get() < cpus) {
            if (outcome.get() != Outcome.OPEN || System.nanoTime() - start > limitNanos || !running.getAsBoolean()) {
                return false;
            }
            Thread.onSpinWait();
        }
        return outcome.get() == Outcome.OPEN;
    }

    /**
     * Decides that the vCPUs go on with the target, unless they have given the attempt up. They do so after
     * {@link #release}.
     */
    boolean decide() {
        return outcome.compareAndSet(Outcome.OPEN, Outcome.COMMITTED);
    }

    /** Whether it was decided that the vCPUs go on with the target. */
    boolean committed() {
        return outcome.get() == Outcome.COMMITTED;
    }

    /** Whether it was decided that the vCPUs go on as they were. */
    boolean givenUp() {
        return outcome.get() == Outcome.GIVEN_UP;
    }

    /** Decides that the vCPUs go on as they were, unless it is decided otherwise, and lets them go. */
    void giveUp() {
        if (outcome.compareAndSet(Outcome.OPEN, Outcome.GIVEN_UP)) {
            release();
        }
    }

    /** Wakes the waiting threads. One that is entered too late for this sees the outcome before it parks. */
    void release() {
        for (int cpu = 0; cpu < cpus; cpu++) {
            LockSupport.unpark(waiting.get(cpu));
        }
    }

    /** Waits until every vCPU that arrived has gone on, so that {@link #stoppedNanos} is final. */
    void awaitDeparture(long limitNanos) {
        long start = System.nanoTime();
        while (departed.get() < arrived.get() && System.nanoTime() - start < limitNanos) {
            Thread.onSpinWait();
        }
    }

    /** How long the guest stood still until now, or until it went on, in nanoseconds. */
    long stoppedNanos() {
        long start = firstLeft.get();
        long end = departed.get() < arrived.get() ? System.nanoTime() : lastDeparture.get();
        return start == 0 ? 0 : end - start;
    }
}
