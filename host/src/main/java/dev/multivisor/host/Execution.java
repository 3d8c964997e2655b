package dev.multivisor.host;

import dev.multivisor.api.Exit;
import dev.multivisor.api.Machine;
import dev.multivisor.api.MachineSpec;
import dev.multivisor.api.VirtualCpu;
import dev.multivisor.host.MachineStatus.Phase;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BiConsumer;
import java.util.function.IntSupplier;
import java.util.stream.IntStream;

/**
 * The run of a machine: its phase and its vCPU threads. Each thread calls {@link VirtualCpu#run} again and again, on
 * whichever engine the machine is; between two calls it waits while the machine is paused, and at a handover until it
 * is decided where it goes on. The first exit that concerns the whole machine ends the run.
 */
final class Execution {
    /** How long a kicked vCPU may take to come out before it counts as lost. */
    private static final Duration KICK_DEADLINE = Duration.ofSeconds(10);

    /** How long a vCPU whose engine failed waits to be taken back. */
    private static final long RESCUE_NANOS = 10_000_000_000L;

    /**
     * How long who waits for a moment looks again and again before it parks, because a wake-up costs some 50 µs. It
     * yields meanwhile: there may be fewer processors than vCPUs.
     */
    private static final long SPIN_NANOS = 400_000;

    /** The same while other vCPUs have to come out yet, for what they may have to wait for. */
    private static final long GATHERING_SPIN_NANOS = 100_000;

    /** How long vCPUs may take to go on before their stop is reported as it is. */
    private static final long DEPARTURE_NANOS = 1_000_000_000L;

    /** A machine on an engine. */
    record Residence(LoadedEngine engine, MachineSpec spec, Machine machine, List<VirtualCpu> cpus) {
        static Residence of(LoadedEngine engine, MachineSpec spec, Machine machine) {
            return new Residence(engine, spec, machine, List.copyOf(machine.cpus()));
        }
    }

    private final String name;
    private final PausableClock clock;
    private final BiConsumer<MachineEvent.Kind, String> events;
    private final List<Thread> threads = new CopyOnWriteArrayList<>();

    /** The vCPU threads' numbers in {@link HostScheduler}. */
    private final AtomicIntegerArray hostThreads;

    /** Replaced by the mover while every vCPU thread waits. */
    private volatile Residence home;

    /** The attempt at a handover that is under way; null for none. */
    private volatile Handover handover;

    /** Set while the present engine is on probation, else null. */
    private volatile Probation probation;

    /** What a vCPU thread takes before it looks for its engine. */
    final ReentrantLock lock = new ReentrantLock();
    /** Signalled when the phase changes or a vCPU comes out of the engine. */
    private final Condition changed = lock.newCondition();

    /** Written under the lock; read without it by who waits for vCPUs that need the lock. */
    private volatile Phase phase = Phase.PAUSED;

    /** Whether vCPUs are to wait outside for a moment, whatever the phase. Written under the lock. */
    private volatile boolean held;

    /** When the first vCPU came out, or the last one went in, since the hold began; by {@link System#nanoTime}. */
    private volatile long firstOut, lastIn;

    /** How many vCPUs are in the engine. Written under the lock. */
    private volatile int inside;

    // Guarded by the lock:
    private int alive;
    private MachineEnd end;

    Execution(String name, PausableClock clock, Residence home, BiConsumer<MachineEvent.Kind, String> events) {
        this.name = name;
        this.clock = clock;
        this.home = home;
        this.events = events;
        hostThreads = new AtomicIntegerArray(home.cpus.size());
    }

    // ---- What the machine is told ----

    void start() {
        lock.lock();
        try {
            requireOpen();
            if (phase != Phase.PAUSED) {
                return;
            }
            phase = Phase.RUNNING;
            clock.resume();
            changed.signalAll();
            events.accept(MachineEvent.Kind.RUNNING, "");
            if (threads.isEmpty()) {
                for (int n = 0; n < home.cpus.size(); n++) {
                    threads.add(newThread(n));
                }
                alive = threads.size();
                threads.forEach(Thread::start);
            }
        } finally {
            lock.unlock();
        }
    }

    void pause() {
        lock.lock();
        try {
            requireOpen();
            if (phase != Phase.RUNNING) {
                return;
            }
            phase = Phase.PAUSED;
            kickAll();
            if (!awaitZero(() -> inside)) {
                if (phase == Phase.PAUSED) {
                    phase = Phase.RUNNING;
                    changed.signalAll();
                }
                throw new HostException("machine " + name + ": " + inside + " of " + home.cpus.size()
                        + " vCPUs did not pause within " + KICK_DEADLINE.toSeconds() + " s");
            }
            if (phase == Phase.PAUSED) {
                clock.pause();
                events.accept(MachineEvent.Kind.PAUSED, "");
            }
        } finally {
            lock.unlock();
        }
    }

    // ---- Holding still for a moment ----

    /**
     * Takes every vCPU out of the engine and has them wait, whatever the phase. Ended by {@link #release}.
     *
     * @throws HostException if a vCPU does not come out, or the run has ended; nothing is held then
     */
    void hold() {
        lock.lock();
        try {
            requireOpen();
            held = true;
            firstOut = 0;
            kickAll();
        } finally {
            lock.unlock();
        }
        long start = System.nanoTime();
        // Without a processor to spare it would keep one from a vCPU that has to come out.
        boolean spare = home.cpus.size() < Runtime.getRuntime().availableProcessors();
        while (spare && inside > 0 && System.nanoTime() - start < SPIN_NANOS) {
            Thread.yield();
        }
        lock.lock();
        try {
            boolean out = awaitZero(() -> inside);
            if (!out || phase == Phase.ENDED || phase == Phase.CLOSED) {
                held = false;
                changed.signalAll();
                throw new HostException("machine " + name + ": "
                        + (out ? "has ended" : "a vCPU did not come out within " + KICK_DEADLINE.toSeconds() + " s"));
            }
        } finally {
            lock.unlock();
        }
    }

    /** The vCPUs go on as the phase says. */
    void release() {
        lock.lock();
        held = false;
        changed.signalAll();
        lock.unlock();
    }

    /** How long the guest stood still in the last hold, once it has gone on; in nanoseconds. */
    long heldNanos() {
        long out = firstOut;
        if (out == 0) {
            return 0;
        }
        long start = System.nanoTime();
        while (inside < home.cpus.size() && phase == Phase.RUNNING && System.nanoTime() - start < DEPARTURE_NANOS) {
            LockSupport.parkNanos(20_000);
        }
        return Math.max(lastIn, out) - out;
    }

    private Thread newThread(int cpu) {
        return Thread.ofPlatform()
                .name("vm-" + name + "-cpu-" + cpu)
                .daemon(true)
                .unstarted(() -> cpuThread(cpu));
    }

    /** Another thread is to run a vCPU: the present one was abandoned in a {@link Handover}. */
    void replaceThread(int cpu) {
        lock.lock();
        try {
            threads.set(cpu, newThread(cpu));
            threads.get(cpu).start();
        } finally {
            lock.unlock();
        }
    }

    void kickAll() {
        home.cpus.forEach(VirtualCpu::kick);
    }

    void finish(Exit exit, int cpu, String trace) {
        lock.lock();
        try {
            if (end != null) {
                return;
            }
            end = new MachineEnd(exit, cpu, Duration.ofNanos(clock.nanoTime()), trace);
            phase = Phase.ENDED;
            clock.pause();
            kickAll();
            changed.signalAll();
            events.accept(
                    MachineEvent.Kind.ENDED,
                    exit.detail().isEmpty() ? exit.reason().toString() : exit.detail());
        } finally {
            lock.unlock();
        }
    }

    Optional<MachineEnd> await(Duration timeout) throws InterruptedException {
        long nanos = timeout.toNanos();
        lock.lock();
        try {
            while (end == null || alive > 0) {
                if (nanos <= 0) {
                    return Optional.empty();
                }
                nanos = changed.awaitNanos(nanos);
            }
            return Optional.of(end);
        } finally {
            lock.unlock();
        }
    }

    /** Closes a run that has ended, once its threads are gone; false if it was closed before. */
    boolean close() {
        lock.lock();
        try {
            if (phase == Phase.CLOSED) {
                return false;
            }
            if (!awaitZero(() -> alive)) {
                throw new HostException("machine " + name + ": " + alive + " of " + home.cpus.size()
                        + " vCPUs did not stop within " + KICK_DEADLINE.toSeconds() + " s");
            }
            phase = Phase.CLOSED;
            return true;
        } finally {
            lock.unlock();
        }
    }

    // ---- How it is ----

    /** The state of a machine that does not run. */
    byte[] save() {
        lock.lock();
        try {
            requireOpen();
            if (phase == Phase.RUNNING || inside > 0) {
                throw new HostException("machine " + name + ": cannot be saved while it runs");
            }
            return home.machine.save(home.engine.info().state());
        } finally {
            lock.unlock();
        }
    }

    /** @throws HostException while vCPUs run */
    void requireStopped(String what) {
        lock.lock();
        try {
            requireOpen();
            Handover attempt = handover;
            boolean stands = phase != Phase.RUNNING || held || attempt != null && attempt.standing();
            if (!stands || inside > 0) {
                throw new HostException("machine " + name + ": " + what + " only while it is paused");
            }
        } finally {
            lock.unlock();
        }
    }

    Phase phase() {
        return phase;
    }

    Optional<MachineEnd> end() {
        lock.lock();
        try {
            return Optional.ofNullable(end);
        } finally {
            lock.unlock();
        }
    }

    Residence home() {
        return home;
    }

    Optional<Probation> probation() {
        return Optional.ofNullable(probation);
    }

    /** CPU time of a vCPU's thread in nanoseconds; 0 if there is none. */
    long cpuNanos(int cpu) {
        if (cpu >= threads.size()) {
            return 0;
        }
        // It is -1 for a thread that has ended.
        return Math.max(
                0,
                ManagementFactory.getThreadMXBean()
                        .getThreadCpuTime(threads.get(cpu).threadId()));
    }

    /** Whether a vCPU's thread runs, or would if it had a processor. */
    boolean runnable(int cpu) {
        return cpu < threads.size() && threads.get(cpu).getState() == Thread.State.RUNNABLE;
    }

    // ---- Handovers ----

    /** The vCPU threads, as {@link HostScheduler} knows them. */
    List<Integer> hostThreads() {
        return IntStream.range(0, hostThreads.length())
                .mapToObj(hostThreads::get)
                .toList();
    }

    /** From now on vCPUs that come out arrive at the attempt, unless it was given up already; makes them come out. */
    void beginHandover(Handover attempt) {
        lock.lock();
        try {
            if (attempt.decided()) {
                return;
            }
            handover = attempt;
        } finally {
            lock.unlock();
        }
        kickAll();
    }

    /** Nobody arrives any more. */
    void endHandover() {
        lock.lock();
        handover = null;
        lock.unlock();
    }

    /** The vCPUs go on there. Called with the lock held. The trial is null for none. */
    void moveTo(Residence target, Probation trial) {
        home = target;
        // Before a vCPU can fail there.
        probation = trial;
    }

    void probationOver(Probation trial) {
        lock.lock();
        try {
            // If the way back has failed, a vCPU that still fails there is to say so.
            probation = probation == trial && !trial.lost() ? null : probation;
        } finally {
            lock.unlock();
        }
    }

    // ---- vCPU threads ----

    private void cpuThread(int number) {
        hostThreads.set(number, HostScheduler.thread());
        PromptThread.ready();
        Urgency.safepointsSoon();
        if (runCpu(number)) {
            lock.lock();
            alive--;
            changed.signalAll();
            lock.unlock();
        }
    }

    /** Runs a vCPU until the run has ended, or this thread is abandoned: then the result is false. */
    private boolean runCpu(int number) {
        Handover arrived = null;
        while (enter()) {
            if (arrived != null) {
                arrived.depart();
                arrived = null;
            }
            Residence here = home;
            Exit exit;
            String trace = "";
            long left;
            try {
                exit = here.cpus.get(number).run();
                left = System.nanoTime();
                if (exit == null) {
                    exit = failure(here, "vCPU " + number + ": run returned no exit");
                }
            } catch (Throwable e) {
                left = System.nanoTime();
                exit = failure(here, "vCPU " + number + ": " + describe(e));
                trace = stackTrace(e);
            } finally {
                leave();
            }
            Probation trial = exit.reason() == Exit.Reason.FAILED ? probation : null;
            if (trial != null && trial.subject() == here) {
                switch (rescue(trial, number, exit)) {
                    case RESCUED -> {
                        continue;
                    }
                    case ABANDONED -> {
                        return false;
                    }
                    case LOST -> {}
                }
                exit = new Exit(exit.reason(), exit.status(), exit.detail() + "; " + trial.problem());
            }
            if (exit.reason() != Exit.Reason.KICKED) {
                finish(exit, number, trace);
            }
            Handover attempt = handover;
            if (attempt != null) {
                if (!attempt.arrive(number, left)) {
                    return false;
                }
                arrived = attempt;
            }
        }
        return true;
    }

    private enum Rescue {
        RESCUED,
        LOST,
        ABANDONED
    }

    /** Waits while the machine is paused; false once the run has ended. */
    private boolean enter() {
        long start = System.nanoTime();
        while (held && System.nanoTime() - start < (inside > 0 ? GATHERING_SPIN_NANOS : SPIN_NANOS)) {
            Thread.yield();
        }
        lock.lock();
        try {
            while (phase == Phase.PAUSED || held && phase == Phase.RUNNING) {
                changed.awaitUninterruptibly();
            }
            if (phase != Phase.RUNNING) {
                return false;
            }
            inside++;
            lastIn = System.nanoTime();
            return true;
        } finally {
            lock.unlock();
        }
    }

    private void leave() {
        lock.lock();
        inside--;
        if (held && firstOut == 0) {
            firstOut = System.nanoTime();
        }
        // While the machine runs, as in a handover, nobody waits for that; who is woken takes the lock, too.
        if (held || phase != Phase.RUNNING) {
            changed.signalAll();
        }
        lock.unlock();
    }

    /** An engine has failed on probation: the vCPU waits to be taken back to where it came from. */
    private Rescue rescue(Probation trial, int number, Exit exit) {
        trial.failed(exit.detail());
        long deadline = System.nanoTime() + RESCUE_NANOS;
        while (System.nanoTime() < deadline && phase() == Phase.RUNNING && !trial.lost()) {
            Handover attempt = handover;
            // The one that led here may not have ended yet.
            if (attempt != null && !attempt.decided()) {
                if (!attempt.arrive(number, System.nanoTime())) {
                    return Rescue.ABANDONED;
                }
                attempt.depart();
                if (attempt.committed()) {
                    return Rescue.RESCUED;
                }
            }
            LockSupport.parkNanos(this, 100_000);
        }
        return home != trial.subject() ? Rescue.RESCUED : Rescue.LOST;
    }

    private static Exit failure(Residence here, String detail) {
        return new Exit(Exit.Reason.FAILED, 0, "engine " + here.engine.jar().version() + " failed on " + detail);
    }

    static String describe(Throwable e) {
        String message = e.getMessage();
        String type = e.getClass().getName();
        return message == null
                ? type
                : type + ": " + message.lines().findFirst().orElse("");
    }

    private static String stackTrace(Throwable e) {
        StringWriter text = new StringWriter();
        e.printStackTrace(new PrintWriter(text));
        return text.toString();
    }

    // ---- Waiting ----

    private void requireOpen() {
        if (phase == Phase.CLOSED) {
            throw new HostException("machine " + name + ": is closed");
        }
    }

    /** Waits until a count, guarded by the lock, has come down to zero. */
    private boolean awaitZero(IntSupplier count) {
        long nanos = KICK_DEADLINE.toNanos();
        while (count.getAsInt() > 0 && nanos > 0) {
            nanos = awaitNanosUninterruptibly(nanos);
        }
        return count.getAsInt() == 0;
    }

    // A half-done pause or close cannot be left to an interrupt; the caller sees it afterwards.
    private long awaitNanosUninterruptibly(long nanos) {
        long deadline = System.nanoTime() + nanos;
        boolean interrupted = false;
        try {
            while (true) {
                try {
                    return changed.awaitNanos(deadline - System.nanoTime());
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /** Waits until no vCPU thread is left, for tests. */
    boolean threadsGone(Duration timeout) throws InterruptedException {
        long deadline = System.nanoTime() + timeout.toNanos();
        for (Thread thread : List.copyOf(threads)) {
            thread.join(Math.max(1, TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime())));
        }
        return threads.stream().noneMatch(Thread::isAlive);
    }
}
