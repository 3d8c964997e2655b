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
import dev.multivisor.host.MachineStatus.Phase;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;

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

    /** How long a vCPU whose engine failed waits to be taken back. */
    private static final long RESCUE_NANOS = 10_000_000_000L;

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

    /** A machine on an engine. */
    record Residence(LoadedEngine engine, MachineSpec spec, Machine machine, List<VirtualCpu> cpus) {
        static Residence of(LoadedEngine engine, MachineSpec spec, Machine machine) {
            return new Residence(engine, spec, machine, List.copyOf(machine.cpus()));
        }
    }

    /** Where a machine was before; the engine is held. */
    record Origin(LoadedEngine engine, MachineSpec spec) {}

    private final Settings settings;
    private final GuestRam memory;
    private final PausableClock clock = new PausableClock();
    private final Resources resources;
    private final List<Thread> threads = new ArrayList<>();

    /** Held by whoever pauses, saves, moves or closes the machine, so that they take turns. Taken before the lock. */
    private final ReentrantLock control = new ReentrantLock();

    /** The machine on its present engine. Replaced by the mover while every vCPU thread waits. */
    private volatile Residence home;

    private volatile Handover handover;

    /** Where a rollback would go. Guarded by control. */
    private Origin origin;

    /** Set while the present engine is on probation. */
    private volatile Probation probation;

    private final Accounts accounts;
    private final Upgrade upgrade = new Upgrade(this);
    private final List<Consumer<MachineEvent>> listeners = new CopyOnWriteArrayList<>();

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
        engine.retain();
        GuestRam ram = null;
        try {
            ram = GuestRam.allocate(settings.memory);
            resources = new Resources(ram, clock, settings.serial, settings.debug, List.of(), List.of());
            Machine machine = engine.engine().create(settings.spec, boot, resources);
            home = Residence.of(engine, settings.spec, machine);
            accounts = new Accounts(engine.jar().version());
            memory = ram;
        } catch (Throwable e) {
            if (ram != null) {
                ram.close();
            }
            engine.release();
            if (e instanceof EngineException || e instanceof HostException || e instanceof Error) {
                throw e;
            }
            throw new HostException(
                    "engine " + engine.jar().version() + " failed to create a machine: " + describe(e), e);
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
            event(MachineEvent.Kind.RUNNING, "");
            if (threads.isEmpty()) {
                for (int n = 0; n < cpus().size(); n++) {
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
        control.lock();
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
                throw new HostException("machine " + settings.name + ": " + inside + " of " + cpus().size()
                        + " vCPUs did not pause within " + KICK_DEADLINE.toSeconds() + " s");
            }
            if (phase == Phase.PAUSED) {
                clock.pause();
                event(MachineEvent.Kind.PAUSED, "");
            }
        } finally {
            lock.unlock();
            control.unlock();
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
        control.lock();
        lock.lock();
        try {
            requireOpen();
            if (phase == Phase.RUNNING || inside > 0) {
                throw new HostException("machine " + settings.name + ": cannot be saved while it runs");
            }
            return home.machine.save(home.engine.info().state());
        } finally {
            lock.unlock();
            control.unlock();
        }
    }

    /** The engine that the machine is on. */
    public LoadedEngine engine() {
        return home.engine;
    }

    /**
     * Why an engine could not take this machine: a line for each reason, none if it can. The guest notices nothing.
     *
     * @param parameters as for {@link UpgradeRequest#parameters}
     */
    public List<String> preflight(LoadedEngine target, Map<String, String> parameters) {
        return upgrade.preflight(target, upgrade.changed(parameters));
    }

    /**
     * Moves the machine to another engine: preflight, rehearsal, handover, and then probation, during which a failure
     * of the new engine takes the machine back. Whatever fails before the commit leaves it on the engine where it
     * was, running on if it ran.
     *
     * @param target where it is to go; the same engine with other parameters will do
     * @return what came of it
     * @throws HostException if the machine is closed or has ended, or is being upgraded by somebody else
     */
    public HandoverReport upgrade(LoadedEngine target, UpgradeRequest request) {
        return upgrade.run(target, request);
    }

    /**
     * Moves the machine back to the engine, and to the parameters, that it had before.
     *
     * @param deadline how long the guest may stand still
     * @throws HostException as {@link #upgrade}, or if it was never upgraded
     */
    public HandoverReport rollBack(Duration deadline) {
        return upgrade.back(deadline);
    }

    /** Moves the machine without asking or rehearsing. */
    HandoverReport handOver(LoadedEngine target, Duration patience) {
        return handOver(target, home.spec, patience, Duration.ZERO);
    }

    /**
     * Moves the machine, whether it runs or is paused. Whatever fails before the commit leaves it where it was.
     *
     * @param trial how long the target is on probation
     * @throws HostException if the machine is closed or has ended
     */
    HandoverReport handOver(LoadedEngine target, MachineSpec spec, Duration patience, Duration trial) {
        control.lock();
        try {
            Phase before = phase();
            if (before != Phase.RUNNING && before != Phase.PAUSED) {
                throw new HostException("machine " + settings.name + ": has ended");
            }
            boolean running = before == Phase.RUNNING;
            Residence source = home;
            source.engine.retain();
            Handover attempt = new Handover(running ? source.cpus.size() : 0, patience.toNanos());
            Mover.Subject subject = new Mover.Subject() {
                @Override
                public void kick() {
                    if (running) {
                        kickAll();
                    }
                }

                @Override
                public boolean expected() {
                    return phase() == before;
                }

                @Override
                public void commit(Machine machine) {
                    home = Residence.of(target, spec, machine);
                    // Before a vCPU can fail there.
                    probation = trial.isPositive() ? new Probation(VirtualMachine.this, home, trial, patience) : null;
                }

                @Override
                public void left() {
                    accounts.moved(target.jar().version(), work(), source.machine.statistics());
                }
            };
            Mover.Plan plan = new Mover.Plan(source.engine, source.machine, target, spec, resources, patience);
            Mover mover = new Mover(plan, attempt, subject, lock);
            if (running) {
                handover = attempt;
            }
            try {
                return mover.run(settings.name);
            } finally {
                attempt.giveUp();
                handover = null;
                if (attempt.committed()) {
                    Optional.ofNullable(probation).ifPresent(Probation::start);
                    forgetOrigin();
                    origin = new Origin(source.engine, source.spec);
                } else {
                    source.engine.release();
                }
            }
        } finally {
            control.unlock();
        }
    }

    private void forgetOrigin() {
        if (origin != null) {
            origin.engine.release();
            origin = null;
        }
    }

    /** Where a rollback would go. */
    Optional<Origin> origin() {
        control.lock();
        try {
            return Optional.ofNullable(origin);
        } finally {
            control.unlock();
        }
    }

    /** Where it is. */
    Residence home() {
        return home;
    }

    void probationOver(Probation trial) {
        lock.lock();
        try {
            probation = probation == trial ? null : probation;
        } finally {
            lock.unlock();
        }
    }

    void misbehaved(String reason) {
        accounts.failed();
        event(MachineEvent.Kind.MISBEHAVED, reason);
    }

    boolean running() {
        return phase() == Phase.RUNNING;
    }

    boolean ended() {
        Phase now = phase();
        return now == Phase.ENDED || now == Phase.CLOSED;
    }

    void event(MachineEvent.Kind kind, String detail) {
        MachineEvent event = new MachineEvent(Instant.now(), settings.name, kind, detail);
        listeners.forEach(listener -> listener.accept(event));
    }

    /** Tells a listener, on whichever thread it happens, of what happens from now on. It must not block. */
    public void onEvent(Consumer<MachineEvent> listener) {
        listeners.add(listener);
    }

    /** Its name. */
    public String name() {
        return settings.name;
    }

    /** How it is just now. */
    public MachineStatus status() {
        Residence now = home;
        List<MachineStatus.Cpu> cpus = new ArrayList<>();
        for (int n = 0; n < now.cpus.size(); n++) {
            VirtualCpu cpu = now.cpus.get(n);
            cpus.add(new MachineStatus.Cpu(cpu.instructions(), cpuNanos(n), cpu.waiting()));
        }
        lock.lock();
        try {
            return new MachineStatus(
                    settings.name,
                    phase,
                    now.engine.jar().version(),
                    Optional.ofNullable(origin).map(was -> was.engine.jar().version()),
                    probation != null,
                    settings.memory,
                    now.spec.parameters(),
                    Duration.ofNanos(clock.nanoTime()),
                    accounts.handovers(),
                    cpus,
                    Optional.ofNullable(end));
        } finally {
            lock.unlock();
        }
    }

    /** What it did on each engine that it has been on, in the order in which it came to them. */
    public List<EngineUsage> usage() {
        return accounts.usage(work(), home.machine.statistics());
    }

    private EngineUsage.Work work() {
        long cpuNanos = 0;
        for (int n = 0; n < threads.size(); n++) {
            cpuNanos += cpuNanos(n);
        }
        long instructions =
                home.cpus.stream().mapToLong(VirtualCpu::instructions).sum();
        return new EngineUsage.Work(clock.nanoTime(), cpuNanos, instructions);
    }

    /** CPU time of a vCPU's thread; 0 if it does not run. */
    private long cpuNanos(int cpu) {
        return cpu < threads.size()
                ? Math.max(
                        0,
                        ManagementFactory.getThreadMXBean()
                                .getThreadCpuTime(threads.get(cpu).threadId()))
                : 0;
    }

    private Phase phase() {
        lock.lock();
        try {
            return phase;
        } finally {
            lock.unlock();
        }
    }

    /** The engine's counters for this machine. */
    public Map<String, Long> statistics() {
        return home.machine.statistics();
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
        control.lock();
        lock.lock();
        try {
            if (phase == Phase.CLOSED) {
                return;
            }
            if (!awaitThreads()) {
                throw new HostException("machine " + settings.name + ": " + alive + " of " + cpus().size()
                        + " vCPUs did not stop within " + KICK_DEADLINE.toSeconds() + " s");
            }
            phase = Phase.CLOSED;
        } finally {
            lock.unlock();
            control.unlock();
        }
        try {
            home.machine.close();
        } finally {
            // A console may outlive the machine, and must not keep its engine.
            settings.serial.onInput(() -> {});
            settings.debug.onInput(() -> {});
            memory.close();
            home.engine.release();
            forgetOrigin();
        }
    }

    private List<VirtualCpu> cpus() {
        return home.cpus;
    }

    private void requireOpen() {
        if (phase == Phase.CLOSED) {
            throw new HostException("machine " + settings.name + ": is closed");
        }
    }

    private void kickAll() {
        cpus().forEach(VirtualCpu::kick);
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
        try {
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
                    if (rescued(trial, number, exit)) {
                        continue;
                    }
                    exit = new Exit(exit.reason(), exit.status(), exit.detail() + "; " + trial.problem());
                }
                if (exit.reason() != Exit.Reason.KICKED) {
                    finish(exit, number, trace);
                }
                Handover attempt = handover;
                if (attempt != null) {
                    attempt.arrive(number, left);
                    arrived = attempt;
                }
            }
        } finally {
            lock.lock();
            alive--;
            changed.signalAll();
            lock.unlock();
        }
    }

    /** An engine has failed on probation: the vCPU waits to be taken back to where it came from. */
    private boolean rescued(Probation trial, int number, Exit exit) {
        trial.failed(exit.detail());
        long end = System.nanoTime() + RESCUE_NANOS;
        while (System.nanoTime() < end && phase() == Phase.RUNNING && !trial.lost()) {
            Handover attempt = handover;
            if (attempt != null && attempt.arrive(number, System.nanoTime())) {
                attempt.depart();
                return true;
            }
            LockSupport.parkNanos(this, 100_000);
        }
        return home != trial.subject();
    }

    private static Exit failure(Residence here, String detail) {
        return new Exit(Exit.Reason.FAILED, 0, "engine " + here.engine.jar().version() + " failed on " + detail);
    }

    private static String describe(Throwable e) {
        String message = e.getMessage();
        String name = e.getClass().getName();
        return message == null
                ? name
                : name + ": " + message.lines().findFirst().orElse("");
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
            event(
                    MachineEvent.Kind.ENDED,
                    exit.detail().isEmpty() ? exit.reason().toString() : exit.detail());
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
