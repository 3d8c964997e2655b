package dev.multivisor.host;

import dev.multivisor.api.Boot;
import dev.multivisor.api.Clock;
import dev.multivisor.api.Console;
import dev.multivisor.api.EngineException;
import dev.multivisor.api.Exit;
import dev.multivisor.api.Machine;
import dev.multivisor.api.MachineSpec;
import dev.multivisor.api.Resources;
import dev.multivisor.api.VirtualCpu;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * A virtual machine: guest memory, a clock, endpoints and vCPU threads that belong to the base, and a machine on an
 * engine that they are lent to. Each vCPU has a platform thread that calls {@link VirtualCpu#run} again and again;
 * the first exit that concerns the whole machine ends the run and kicks the other vCPUs out of theirs.
 *
 * <p>Safe for use by several threads.
 */
public final class VirtualMachine implements AutoCloseable {
    /** How long a kicked vCPU may take to come out before it counts as lost. */
    private static final Duration KICK_DEADLINE = Duration.ofSeconds(10);

    /**
     * What a machine is to be.
     *
     * @param name what its threads are called after
     * @param memory guest memory in bytes
     * @param spec what the engine is told
     * @param serial the far end of its serial port
     * @param debug the far end of its debug console
     */
    public record Settings(String name, long memory, MachineSpec spec, Console serial, Console debug) {}

    private enum Phase {
        PAUSED,
        RUNNING,
        ENDED,
        CLOSED
    }

    private final Settings settings;
    private final LoadedEngine engine;
    private final GuestRam memory;
    private final PausableClock clock = new PausableClock();
    private final Machine machine;
    private final List<VirtualCpu> cpus;
    private final List<Thread> threads = new ArrayList<>();

    private final ReentrantLock lock = new ReentrantLock();
    /** Signalled when the phase changes or a vCPU comes out of the engine. */
    private final Condition changed = lock.newCondition();

    // Guarded by the lock:
    private Phase phase = Phase.PAUSED;
    private int inside;
    private int alive;
    private MachineEnd end;

    private VirtualMachine(Settings settings, LoadedEngine engine, Boot boot) {
        this.settings = settings;
        this.engine = engine;
        engine.retain();
        GuestRam ram = null;
        try {
            ram = GuestRam.allocate(settings.memory);
            Resources resources = new Resources(ram, clock, settings.serial, settings.debug, List.of(), List.of());
            machine = engine.engine().create(settings.spec, boot, resources);
            cpus = List.copyOf(machine.cpus());
            memory = ram;
        } catch (Throwable e) {
            if (ram != null) {
                ram.close();
            }
            engine.release();
            if (e instanceof EngineException || e instanceof HostException || e instanceof Error) {
                throw e;
            }
            throw new HostException("engine " + engine.jar().version() + " failed to create a machine: " + describe(e), e);
        }
    }

    /**
     * Builds a machine in its power-on state; it runs from {@link #start} on.
     *
     * @throws HostException if the host cannot give what is asked for
     * @throws dev.multivisor.api.EngineException if the engine refuses the specification or an image
     */
    public static VirtualMachine create(LoadedEngine engine, Settings settings, Boot boot) {
        return new VirtualMachine(settings, engine, boot);
    }

    /** Starts the vCPUs, or goes on after {@link #pause}. Does nothing while the machine runs or once it has ended. */
    public void start() {
        lock.lock();
        try {
            requireOpen();
            if (phase != Phase.PAUSED) {
                return;
            }
            phase = Phase.RUNNING;
            clock.resume();
            changed.signalAll();
            if (threads.isEmpty()) {
                for (int n = 0; n < cpus.size(); n++) {
                    int number = n;
                    threads.add(Thread.ofPlatform()
                            .name("vm-" + settings.name + "-cpu-" + n)
                            .daemon(true)
                            .unstarted(() -> cpuThread(number)));
                }
                alive = threads.size();
                threads.forEach(Thread::start);
            }
        } finally {
            lock.unlock();
        }
    }

    /**
     * Takes every vCPU out of the engine at an instruction boundary and stops the guest's clock. Does nothing if
     * the machine does not run.
     *
     * @throws HostException if the engine does not let go of a vCPU; the machine then runs on
     */
    public void pause() {
        lock.lock();
        try {
            requireOpen();
            if (phase != Phase.RUNNING) {
                return;
            }
            phase = Phase.PAUSED;
            kickAll();
            if (!awaitOutside()) {
                if (phase == Phase.PAUSED) {
                    phase = Phase.RUNNING;
                    changed.signalAll();
                }
                throw new HostException("machine " + settings.name + ": " + inside + " of " + cpus.size()
                        + " vCPUs did not pause within " + KICK_DEADLINE.toSeconds() + " s");
            }
            if (phase == Phase.PAUSED) {
                clock.pause();
            }
        } finally {
            lock.unlock();
        }
    }

    /** Goes on after {@link #pause}. */
    public void resume() {
        start();
    }

    /** Ends the run from outside, as pulling the plug does. Does nothing if it has ended. */
    public void stop(String why) {
        finish(new Exit(Exit.Reason.KICKED, 0, why), -1, "");
    }

    /** Waits until the run has ended and every vCPU thread is done with the engine. */
    public MachineEnd await() throws InterruptedException {
        while (true) {
            Optional<MachineEnd> result = await(Duration.ofDays(1));
            if (result.isPresent()) {
                return result.get();
            }
        }
    }

    /** As {@link #await()}, but gives up, with an empty result, after the time-out. */
    public Optional<MachineEnd> await(Duration timeout) throws InterruptedException {
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

    /**
     * The machine's state outside guest memory; the machine is left as it is.
     *
     * @throws HostException unless the machine is paused
     */
    public byte[] save() {
        lock.lock();
        try {
            requireOpen();
            if (phase == Phase.RUNNING || inside > 0) {
                throw new HostException("machine " + settings.name + ": cannot be saved while it runs");
            }
            return machine.save();
        } finally {
            lock.unlock();
        }
    }

    /** The engine's counters for this machine. */
    public Map<String, Long> statistics() {
        return machine.statistics();
    }

    /** The guest's time. */
    public Clock clock() {
        return clock;
    }

    /**
     * Ends the run if need be and gives everything back.
     *
     * @throws HostException if the engine does not let go of a vCPU; its memory then stays mapped
     */
    @Override
    public void close() {
        stop("closed");
        lock.lock();
        try {
            if (phase == Phase.CLOSED) {
                return;
            }
            if (!awaitThreads()) {
                throw new HostException("machine " + settings.name + ": " + alive + " of " + cpus.size()
                        + " vCPUs did not stop within " + KICK_DEADLINE.toSeconds() + " s");
            }
            phase = Phase.CLOSED;
        } finally {
            lock.unlock();
        }
        try {
            machine.close();
        } finally {
            memory.close();
            engine.release();
        }
    }

    private void requireOpen() {
        if (phase == Phase.CLOSED) {
            throw new HostException("machine " + settings.name + ": is closed");
        }
    }

    private void kickAll() {
        cpus.forEach(VirtualCpu::kick);
    }

    private boolean awaitOutside() {
        long nanos = KICK_DEADLINE.toNanos();
        while (inside > 0 && nanos > 0) {
            nanos = awaitNanosUninterruptibly(nanos);
        }
        return inside == 0;
    }

    private boolean awaitThreads() {
        long nanos = KICK_DEADLINE.toNanos();
        while (alive > 0 && nanos > 0) {
            nanos = awaitNanosUninterruptibly(nanos);
        }
        return alive == 0;
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

    private void cpuThread(int number) {
        VirtualCpu cpu = cpus.get(number);
        try {
            while (enter()) {
                Exit exit;
                String trace = "";
                try {
                    exit = cpu.run();
                    if (exit == null) {
                        exit = failure("vCPU " + number + ": run returned no exit");
                    }
                } catch (Throwable e) {
                    exit = failure("vCPU " + number + ": " + describe(e));
                    trace = stackTrace(e);
                } finally {
                    leave();
                }
                if (exit.reason() != Exit.Reason.KICKED) {
                    finish(exit, number, trace);
                }
            }
        } finally {
            lock.lock();
            alive--;
            changed.signalAll();
            lock.unlock();
        }
    }

    private Exit failure(String detail) {
        return new Exit(
                Exit.Reason.FAILED, 0, "engine " + engine.jar().version() + " failed on " + detail);
    }

    private static String describe(Throwable e) {
        String message = e.getMessage();
        String name = e.getClass().getName();
        return message == null ? name : name + ": " + message.lines().findFirst().orElse("");
    }

    private static String stackTrace(Throwable e) {
        StringWriter text = new StringWriter();
        e.printStackTrace(new PrintWriter(text));
        return text.toString();
    }

    /** Waits while the machine is paused; false once the run has ended. */
    private boolean enter() {
        lock.lock();
        try {
            while (phase == Phase.PAUSED) {
                changed.awaitUninterruptibly();
            }
            if (phase != Phase.RUNNING) {
                return false;
            }
            inside++;
            return true;
        } finally {
            lock.unlock();
        }
    }

    private void leave() {
        lock.lock();
        inside--;
        changed.signalAll();
        lock.unlock();
    }

    private void finish(Exit exit, int cpu, String trace) {
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
        } finally {
            lock.unlock();
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
