package dev.multivisor.host;

import dev.multivisor.api.Exit;
import dev.multivisor.api.Machine;
import dev.multivisor.api.MachineSpec;
import dev.multivisor.api.VirtualCpu;
import java.lang.management.CompilationMXBean;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.Arrays;
import java.util.Objects;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * Warms up what a handover will do while the guest runs on undisturbed: a stand-in machine of the same specification, with the
 * built-in guest and memory of its own, runs on the target until it gets no faster; then it is saved on the source and
 * restored on the target again and again, until the time for that no longer falls. So the JVM has compiled all of these paths
 * when the guest arrives. A target that fails at that is found out.
 */
final class Rehearsal {
    /** How many moves are looked at together, because single ones wait for a processor now and then. */
    private static final int BLOCK = 100;

    /** How long the JVM's compilers get after each, and how often to look whether they have compiled anything. */
    private static final long COMPILING_NANOS = 200_000_000L;

    private static final long COMPILING_LOOK_NANOS = 20_000_000L;

    /** How many of these without a new best median say that it no longer falls. */
    private static final int STEADY_BLOCKS = 3;

    /** How often to move it at least: the JVM compiles what was called some hundred times. */
    private static final int ROUNDS = 1000;

    /** The parts of the time that are over when it has run, and when it was moved, in per cent. */
    private static final int RUNNING = 25;

    private static final int MOVING = 85;

    /** How often to look how fast the stand-in runs, and after how many looks without a new best it is fast. */
    private static final long LOOK_MILLIS = 50;

    private static final int STEADY_LOOKS = 20;

    /** How long the target may take to let go of the stand-in, in milliseconds. */
    private static final long KICK_MILLIS = 2000;

    private final LoadedEngine from;
    private final MachineSpec spec;
    private final LoadedEngine to;
    private final MachineSpec toSpec;

    private Rehearsal(LoadedEngine from, MachineSpec spec, LoadedEngine to, MachineSpec toSpec) {
        this.from = from;
        this.spec = spec;
        this.to = to;
        this.toSpec = toSpec;
    }

    /**
     * Runs and moves the stand-in until it is fast or the time is up. It occupies one processor of the host, and at
     * the end, for some tenths of a second, as many as there are vCPUs.
     *
     * @throws HostException if the target cannot take or run such a machine
     */
    static void run(LoadedEngine from, MachineSpec spec, LoadedEngine to, MachineSpec toSpec, Duration limit) {
        new Rehearsal(from, spec, to, toSpec).run(limit.toNanos());
    }

    private void run(long nanos) {
        long start = System.nanoTime();
        StandIn standIn = new StandIn(from, spec, to, toSpec);
        boolean stuck = false;
        try {
            Machine target = standIn.there();
            stuck = !perform(target.cpus().getFirst(), standIn.clock(), start + nanos / 100 * RUNNING);
            if (stuck) {
                throw new HostException("engine " + to.jar().version() + ": did not let go of a vCPU within "
                        + KICK_MILLIS + " ms while rehearsing");
            }
            move(standIn, target, start + nanos / 100 * MOVING);
        } finally {
            if (stuck) {
                standIn.abandon();
            } else {
                standIn.close();
            }
        }
        new DressRehearsal(from, spec, to, toSpec).run(start + nanos);
    }

    /**
     * Moves the stand-in there and back until that is fast or it is the end, but once at least. Back, because a
     * rollback has to be as short.
     */
    private static void move(StandIn standIn, Machine ran, long end) {
        long[] times = new long[BLOCK];
        long best = Long.MAX_VALUE;
        int since = 0;
        int rounds = 0;
        do {
            long start = System.nanoTime();
            Machine there = standIn.there();
            times[rounds % BLOCK] = System.nanoTime() - start;
            standIn.back(there);
            there.close();
            // And one that has run, whose devices are not as they were at power-on.
            standIn.thereAndBack(ran);
            if (++rounds % BLOCK == 0) {
                Arrays.sort(times);
                long median = times[BLOCK / 2];
                // A few per cent less are noise.
                since = median < best - best / 20 ? 0 : since + 1;
                best = Math.min(best, median);
                letCompile(end);
            }
        } while ((rounds < ROUNDS || since < STEADY_BLOCKS) && System.nanoTime() < end);
        ran.close();
    }

    /** Waits until the JVM's compilers have caught up, which get no processor else on a busy host, or have had their time. */
    private static void letCompile(long end) {
        CompilationMXBean jit = ManagementFactory.getCompilationMXBean();
        if (jit == null || !jit.isCompilationTimeMonitoringSupported()) {
            return;
        }
        long limit = Math.min(end, System.nanoTime() + COMPILING_NANOS);
        long before;
        long after = jit.getTotalCompilationTime();
        do {
            before = after;
            LockSupport.parkNanos(COMPILING_LOOK_NANOS);
            after = jit.getTotalCompilationTime();
        } while (after > before && System.nanoTime() < limit);
    }

    /**
     * Runs the first vCPU, which starts no others that would take processors from the guest, until it is fast or it is the end.
     *
     * @return whether the vCPU came out again
     */
    private boolean perform(VirtualCpu cpu, PausableClock clock, long end) {
        Performer performer = new Performer(cpu);
        Thread thread = Thread.ofPlatform().name("rehearsal").daemon(true).unstarted(performer);
        clock.resume();
        thread.start();
        try {
            long before = cpu.instructions();
            long best = 0;
            int since = 0;
            while (since < STEADY_LOOKS && System.nanoTime() < end && !performer.awaitEnd(LOOK_MILLIS)) {
                long now = cpu.instructions();
                // One or two per cent more are noise.
                since = now - before > best + best / 50 ? 0 : since + 1;
                best = Math.max(best, now - before);
                before = now;
            }
            performer.over = true;
            cpu.kick();
            if (!performer.awaitEnd(KICK_MILLIS)) {
                return false;
            }
        } catch (InterruptedException e) {
            performer.over = true;
            cpu.kick();
            Thread.currentThread().interrupt();
            return false;
        } finally {
            clock.pause();
        }
        if (performer.failure != null) {
            throw new HostException(
                    "engine " + to.jar().version() + ": failed while rehearsing: " + performer.failure,
                    performer.failure);
        }
        if (performer.exit.reason() == Exit.Reason.FAILED) {
            throw new HostException(
                    "engine " + to.jar().version() + ": failed while rehearsing: " + performer.exit.detail());
        }
        return true;
    }

    /** The stand-in's vCPU thread. */
    private static final class Performer implements Runnable {
        private final VirtualCpu cpu;
        private final CountDownLatch end = new CountDownLatch(1);
        private volatile boolean over;
        private volatile Exit exit;
        private volatile Throwable failure;

        Performer(VirtualCpu cpu) {
            this.cpu = cpu;
        }

        @Override
        public void run() {
            try {
                do {
                    exit = Objects.requireNonNull(cpu.run(), "no exit");
                } while (!over && exit.reason() == Exit.Reason.KICKED);
            } catch (Throwable e) {
                failure = e;
            } finally {
                end.countDown();
            }
        }

        boolean awaitEnd(long millis) throws InterruptedException {
            return end.await(millis, TimeUnit.MILLISECONDS);
        }
    }
}
