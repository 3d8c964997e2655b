package dev.multivisor.host;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.concurrent.locks.LockSupport;

/**
 * One attempt to move a machine to another engine, seen by the vCPU threads: each comes out of the engine, arrives here and
 * waits for the outcome. The mover carries the machine over: a thread with everything it will need in its processor's
 * caches, and where the host allows it, as the vCPUs, a right to its processor ({@link Urgency}). If it has none at that
 * moment, the vCPU that arrived last does it itself, which takes some times as long, but not a time slice of the host's
 * scheduler. Whoever is first decides: the one who carries commits, or somebody whose patience is over gives the attempt
 * up, and everybody goes on where they were. A vCPU thread that does not come back from the target engine even then is
 * abandoned, and another takes its vCPU. So an engine that hangs holds up a thread, never the guest.
 */
final class Handover {
    private enum Outcome {
        OPEN,
        COMMITTED,
        STAYED,
        GIVEN_UP
    }

    /** Who carries the machine over. */
    private enum Carrier {
        NONE,
        MOVER,
        VCPU,
        VCPU_BACK,
        ABANDONED
    }

    /** How long the vCPU that arrived last waits for the mover, which needs a fraction of the time for the rest. */
    private static final long CLAIM_NANOS = 100_000;

    /**
     * How long a waiting thread looks again and again before it parks, because a wake-up costs some 50 µs. It yields
     * meanwhile: there may be fewer processors than vCPUs. Not for longer: an urgent thread keeps its processor from who has
     * something that the handover waits for.
     */
    private static final long SPIN_NANOS = 400_000;

    /**
     * The same while others have to come out yet. What one of these waits for may be a lock that a compiler of the JVM has:
     * Linux leaves that where it is, behind the urgent thread, even while another processor is idle.
     */
    private static final long GATHERING_SPIN_NANOS = 100_000;

    /** How often to look whether the vCPUs have gone on, which need the processors meanwhile. */
    private static final long DEPARTURE_LOOK_NANOS = 500_000;

    private final int cpus;
    /** Whether there is a processor for the mover beside the vCPUs' ones. */
    private final boolean spare;

    private final long patienceNanos;
    private final Runnable transfer;
    private final AtomicInteger arrived = new AtomicInteger();
    private final AtomicInteger departed = new AtomicInteger();
    private final AtomicReference<Outcome> outcome = new AtomicReference<>(Outcome.OPEN);
    private final AtomicReference<Carrier> carrier = new AtomicReference<>(Carrier.NONE);
    private final AtomicReferenceArray<Thread> waiting;
    private final AtomicLong firstLeft = new AtomicLong();
    private final AtomicLong lastDeparture = new AtomicLong();
    private volatile int carryingCpu;

    /** Who waits in {@link #claim}. */
    private volatile Thread mover;

    private volatile boolean moverExpected;

    /** When the last vCPU arrived, by {@link System#nanoTime}; 0 until then. */
    private volatile long gathered;

    /** Set when it is decided and the lock that the vCPUs take next is free: who waits for a lock is put to sleep. */
    private volatile boolean released;

    /**
     * A new attempt.
     *
     * @param cpus how many threads will arrive
     * @param patienceNanos how long the guest may stand still, in nanoseconds
     * @param transfer carries the machine over and calls {@link #decide}
     */
    Handover(int cpus, long patienceNanos, Runnable transfer) {
        this.cpus = cpus;
        spare = cpus < Runtime.getRuntime().availableProcessors();
        this.patienceNanos = patienceNanos;
        this.transfer = transfer;
        waiting = new AtomicReferenceArray<>(cpus);
    }

    // ---- vCPU threads ----

    /**
     * A vCPU is out of the engine; returns when it is decided where it goes on.
     *
     * @param left when it came out, by {@link System#nanoTime}
     * @return false if the calling thread was abandoned, so that it must not go on at all
     */
    boolean arrive(int cpu, long left) {
        waiting.set(cpu, Thread.currentThread());
        firstLeft.accumulateAndGet(left, (one, other) -> one == 0 || other - one < 0 ? other : one);
        if (arrived.incrementAndGet() == cpus) {
            LockSupport.unpark(mover);
            gathered = System.nanoTime();
            // Awake again before it is decided.
            for (int other = 0; other < cpus; other++) {
                LockSupport.unpark(other == cpu ? null : waiting.get(other));
            }
            if (claimed(cpu)) {
                transfer.run();
                giveUp();
                return carrier.compareAndSet(Carrier.VCPU, Carrier.VCPU_BACK);
            }
        }
        long deadline = left + patienceNanos;
        while (!released) {
            long rest = deadline - System.nanoTime();
            if (rest <= 0) {
                giveUp();
            } else if (awake(left)) {
                Thread.yield();
            } else {
                LockSupport.parkNanos(this, rest);
            }
        }
        return true;
    }

    /** Whether a vCPU that came out at a time should not sleep. */
    private boolean awake(long left) {
        long all = gathered;
        long now = System.nanoTime();
        return all == 0 ? now - left < GATHERING_SPIN_NANOS : now - all < SPIN_NANOS;
    }

    /** Whether the last vCPU is to carry the machine over. */
    private boolean claimed(int cpu) {
        long start = System.nanoTime();
        long wait = moverExpected ? CLAIM_NANOS : 0;
        while (System.nanoTime() - start < wait) {
            if (carrier.get() != Carrier.NONE || outcome.get() != Outcome.OPEN) {
                return false;
            }
            Thread.onSpinWait();
        }
        carryingCpu = cpu;
        return outcome.get() == Outcome.OPEN && carrier.compareAndSet(Carrier.NONE, Carrier.VCPU);
    }

    /** A vCPU that had arrived is about to enter an engine again. */
    void depart() {
        long now = System.nanoTime();
        lastDeparture.accumulateAndGet(now, (one, other) -> one == 0 || other - one > 0 ? other : one);
        departed.incrementAndGet();
    }

    // ---- Whoever carries the machine over ----

    /**
     * The calling thread, the mover, is going to {@link #claim}. Without a processor to spare it can only do so if it gets
     * one at once when it is woken; else it would take one from a vCPU that has to come out.
     */
    void expectMover(boolean urgent) {
        moverExpected = spare || urgent;
        mover = Thread.currentThread();
    }

    /** Waits until every vCPU has arrived; whether the caller, the mover, is to carry the machine over then. */
    boolean claim() {
        long start = System.nanoTime();
        while (moverExpected && arrived.get() < cpus) {
            if (outcome.get() != Outcome.OPEN || carrier.get() != Carrier.NONE) {
                return false;
            }
            // A yield lets no thread of lower priority go first: movers of several machines would keep all processors
            // from the vCPUs that have to come out.
            if (spare && System.nanoTime() - start < SPIN_NANOS) {
                Thread.yield();
            } else {
                LockSupport.parkNanos(this, DEPARTURE_LOOK_NANOS);
            }
        }
        return moverExpected && outcome.get() == Outcome.OPEN && carrier.compareAndSet(Carrier.NONE, Carrier.MOVER);
    }

    /** Decides that the vCPUs go on with the target, unless the attempt was given up. */
    boolean decide() {
        return outcome.compareAndSet(Outcome.OPEN, Outcome.COMMITTED);
    }

    /**
     * Decides that the vCPUs go on as they were, because what they stood still for is done, and lets them go; false if the
     * attempt was given up.
     */
    boolean stay() {
        return goOn(Outcome.STAYED);
    }

    private boolean goOn(Outcome decision) {
        boolean first = outcome.compareAndSet(Outcome.OPEN, decision);
        if (first) {
            release();
        }
        return first;
    }

    /** Wakes the waiting threads. One that is entered too late for this sees the outcome before it parks. */
    void release() {
        released = true;
        for (int cpu = 0; cpu < cpus; cpu++) {
            LockSupport.unpark(waiting.get(cpu));
        }
    }

    // ---- Whoever wants the machine moved ----

    /** Decides that the vCPUs go on as they were, unless it is decided otherwise, and lets them go. */
    void giveUp() {
        goOn(Outcome.GIVEN_UP);
    }

    /** Whether the guest has stood still for longer than it may, and nothing is decided. */
    boolean overdue() {
        long start = firstLeft.get();
        return outcome.get() == Outcome.OPEN && start != 0 && System.nanoTime() - start > patienceNanos;
    }

    /**
     * Abandons the vCPU thread that carries the machine over, if one is still at it.
     *
     * @return the vCPU that needs another thread, or -1
     */
    int abandon() {
        return carrier.compareAndSet(Carrier.VCPU, Carrier.ABANDONED) ? carryingCpu : -1;
    }

    /** Whether it is decided. */
    boolean decided() {
        return outcome.get() != Outcome.OPEN;
    }

    /** Whether it was decided that the vCPUs go on with the target. */
    boolean committed() {
        return outcome.get() == Outcome.COMMITTED;
    }

    /** Whether it was decided by {@link #stay}. */
    boolean stayed() {
        return outcome.get() == Outcome.STAYED;
    }

    /** Whether every vCPU has arrived and none may go on yet. */
    boolean standing() {
        return arrived.get() == cpus && outcome.get() == Outcome.OPEN;
    }

    /** Whether nobody has begun to carry the machine over. */
    boolean gathering() {
        return carrier.get() == Carrier.NONE;
    }

    /** Waits until every vCPU that arrived has gone on, so that {@link #stoppedNanos} is final. */
    void awaitDeparture(long limitNanos) {
        long start = System.nanoTime();
        while ((!decided() || departed.get() < arrived.get()) && System.nanoTime() - start < limitNanos) {
            LockSupport.parkNanos(DEPARTURE_LOOK_NANOS);
        }
    }

    /** How long the guest stood still until now, or until it went on, in nanoseconds. */
    long stoppedNanos() {
        long start = firstLeft.get();
        long end = departed.get() < arrived.get() ? System.nanoTime() : lastDeparture.get();
        return start == 0 ? 0 : end - start;
    }
}
