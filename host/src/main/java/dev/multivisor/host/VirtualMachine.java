package dev.multivisor.host;

import dev.multivisor.api.Boot;
import dev.multivisor.api.Clock;
import dev.multivisor.api.Console;
import dev.multivisor.api.EngineException;
import dev.multivisor.api.Exit;
import dev.multivisor.api.GuestMemory;
import dev.multivisor.api.Machine;
import dev.multivisor.api.MachineSpec;
import dev.multivisor.api.Resources;
import dev.multivisor.api.VirtualCpu;
import dev.multivisor.host.Execution.Residence;
import dev.multivisor.host.MachineStatus.Phase;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;

/**
 * A virtual machine: guest memory, a clock, endpoints and vCPU threads that belong to the base, and a machine on an
 * engine that they are lent to. Each vCPU has a platform thread that calls {@link VirtualCpu#run} again and again;
 * the first exit that concerns the whole machine ends the run and kicks the other vCPUs out of theirs.
 *
 * <p>Safe for use by several threads.
 */
public final class VirtualMachine implements AutoCloseable {
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

    /** Where a machine was before; the engine is held. */
    record Origin(LoadedEngine engine, MachineSpec spec) {}

    private final Settings settings;
    private final GuestRam memory;
    private final PausableClock clock;
    private final Resources resources;
    /** Held by whoever pauses, saves, moves or closes the machine, so that they take turns. Taken before the lock. */
    private final ReentrantLock control = new ReentrantLock();

    private final Execution execution;

    /** Where a rollback would go; null if it was never elsewhere. Written under control. */
    private volatile Origin origin;

    /** A state such as this machine's, for stand-ins, that the engine where it is takes. */
    private volatile Optional<byte[]> recent = Optional.empty();

    /** What the guest's kernel said in a panic, or null. */
    private volatile String panic;

    private final PageTracker pages;
    private final Accounts accounts;
    private final Capturing capturing;
    private final Upgrade upgrade;
    private final List<Consumer<MachineEvent>> listeners = new CopyOnWriteArrayList<>();

    private VirtualMachine(
            Settings settings,
            LoadedEngine engine,
            Supplier<GuestRam> supply,
            long guestNanos,
            Function<Resources, Machine> builder) {
        this.settings = settings;
        clock = new PausableClock(guestNanos);
        engine.retain();
        GuestRam ram = null;
        try {
            ram = supply.get();
            resources = new Resources(ram, clock, settings.serial, settings.debug, List.of(), List.of());
            Machine machine = builder.apply(resources);
            execution = new Execution(settings.name, clock, Residence.of(engine, settings.spec, machine), this::event);
            accounts = new Accounts(engine.jar().version(), work());
            pages = new PageTracker(settings.name, ram, execution);
            memory = ram;
            upgrade = new Upgrade(this, ram);
        } catch (Throwable e) {
            if (ram != null) {
                ram.close();
            }
            engine.release();
            if (e instanceof EngineException || e instanceof HostException || e instanceof Error) {
                throw e;
            }
            throw new HostException(
                    "engine " + engine.jar().version() + " failed to create a machine: " + Execution.describe(e), e);
        }
        capturing = new Capturing(this, execution, clock, memory, control);
    }

    /**
     * Builds a machine in its power-on state; it runs from {@link #start} on.
     *
     * @throws HostException if the host cannot give what is asked for
     * @throws dev.multivisor.api.EngineException if the engine refuses the specification or an image
     */
    public static VirtualMachine create(LoadedEngine engine, Settings settings, Boot boot) {
        return create(engine, settings, boot, memory -> {});
    }

    /** @param before told which memory it will have before the engine makes it */
    static VirtualMachine create(LoadedEngine engine, Settings settings, Boot boot, Consumer<GuestMemory> before) {
        return new VirtualMachine(settings, engine, () -> GuestRam.allocate(settings.memory), 0, resources -> {
            before.accept(resources.memory());
            return engine.engine().create(settings.spec, boot, resources);
        });
    }

    /** Builds a machine from a saved one; it goes on from {@link #start} on. */
    static VirtualMachine restore(LoadedEngine engine, Settings settings, MemoryImage image, Restoration restoration) {
        return new VirtualMachine(
                settings, engine, () -> GuestRam.map(image), restoration.guestNanos(), restoration::restore);
    }

    /**
     * Builds a machine that goes on, in memory that becomes its own, from a state that the engine takes as it is.
     *
     * @param guestNanos guest time
     */
    static VirtualMachine goOn(LoadedEngine engine, Settings settings, GuestRam memory, long guestNanos, byte[] state) {
        return new VirtualMachine(
                settings,
                engine,
                () -> memory,
                guestNanos,
                resources -> engine.engine().restore(settings.spec, state, resources));
    }

    /**
     * Whether some of the memory that it goes on from was copied instead of shared with other machines, since this process
     * could have no more mappings (Linux, vm.max_map_count).
     */
    public boolean copiedMemory() {
        return memory.copied();
    }

    /** Starts the vCPUs, or goes on after {@link #pause}. Does nothing while the machine runs or once it has ended. */
    public void start() {
        execution.start();
    }

    /**
     * Takes every vCPU out of the engine at an instruction boundary and stops the guest's clock. Does nothing if
     * the machine does not run.
     *
     * @throws HostException if the engine does not let go of a vCPU; the machine then runs on
     */
    public void pause() {
        pages.requireOutside("cannot be paused");
        control.lock();
        try {
            execution.pause();
        } finally {
            control.unlock();
        }
    }

    /** Goes on after {@link #pause}. */
    public void resume() {
        start();
    }

    /** Ends the run from outside, as pulling the plug does. Does nothing if it has ended. */
    public void stop(String why) {
        execution.finish(new Exit(Exit.Reason.KICKED, 0, why), -1, "");
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
        return execution.await(timeout);
    }

    /**
     * The machine's state outside guest memory; the machine is left as it is.
     *
     * @throws HostException unless the machine is paused
     */
    public byte[] save() {
        control.lock();
        try {
            return execution.save();
        } finally {
            control.unlock();
        }
    }

    /**
     * Writes down the machine as it is at a moment, with its memory. It then goes on as before.
     *
     * @throws HostException if it has ended, or cannot be saved, or the file cannot be written
     */
    public Capture capture(CaptureRequest request) {
        pages.requireOutside("cannot be captured");
        control.lock();
        try {
            Capture capture = capturing.run(request, Mover.Purpose.COPY);
            event(MachineEvent.Kind.CAPTURED, "stopped for " + capture.stopped() / 1000 + " µs");
            return capture;
        } finally {
            control.unlock();
        }
    }

    /** Who captures it, and copies it. */
    Capturing capturing() {
        return capturing;
    }

    /** Captures a machine that only stands in for another one. */
    void rehearseCapture(CaptureRequest request) {
        capturing.run(request, Mover.Purpose.REHEARSED_COPY);
    }

    /** Whether {@link CaptureRequest#live} is possible on the engine where the machine is. */
    public boolean capturesLive() {
        return capturing.live();
    }

    /** The engine that the machine is on. */
    public LoadedEngine engine() {
        return home().engine();
    }

    /**
     * Why an engine could not take this machine: a line for each reason, none if it can. The guest notices nothing.
     *
     * @param parameters as for {@link UpgradeRequest#parameters}
     */
    public List<String> preflight(LoadedEngine target, Map<String, String> parameters) {
        forgetCaptures(target);
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
        pages.requireOutside("cannot be moved");
        forgetCaptures(target);
        return upgrade.run(target, request);
    }

    /**
     * Moves the machine back to the engine, and to the parameters, that it had before; unless a probation has done so since
     * the last upgrade, whose report is the answer then: the engine that it had before is one that misbehaves.
     *
     * @param deadline how long the guest may stand still
     * @throws HostException as {@link #upgrade}, or if it was never upgraded
     */
    public HandoverReport rollBack(Duration deadline) {
        pages.requireOutside("cannot be moved");
        return upgrade.back(deadline);
    }

    /** As {@link #rollBack}, for a probation. */
    HandoverReport leave(Duration deadline) {
        return upgrade.leave(deadline);
    }

    /** Moves the machine without asking or rehearsing. */
    HandoverReport handOver(LoadedEngine target, Duration patience) {
        return handOver(target, home().spec(), patience, Duration.ZERO);
    }

    /** Moves a machine that only stands in for another one. */
    HandoverReport rehearseHandover(LoadedEngine target, MachineSpec spec, Duration patience) {
        return handOver(target, spec, patience, Duration.ZERO, Mover.Purpose.REHEARSAL, Optional.empty());
    }

    /**
     * Copies the machine's state, unless there is one from an earlier move: so the stand-in of the first move has the
     * same in it as the machine. Stops the guest as a handover does, without what the target takes of one.
     *
     * @return what came of it, {@link HandoverReport.Outcome#POSSIBLE} if it was copied; empty if it need not be
     */
    Optional<HandoverReport> copyState(LoadedEngine target, MachineSpec spec, Duration patience) {
        return recent.isPresent()
                ? Optional.empty()
                : Optional.of(handOver(target, spec, patience, Duration.ZERO, Mover.Purpose.COPY, Optional.empty()));
    }

    /** Stops the guest as a handover does and saves the machine for the engine where it is and stays. */
    HandoverReport stand(Duration patience, Mover.Purpose purpose, Mover.Moment moment) {
        Residence home = home();
        return handOver(home.engine(), home.spec(), patience, Duration.ZERO, purpose, Optional.of(moment));
    }

    /**
     * Moves the machine, whether it runs or is paused. Whatever fails before the commit leaves it where it was.
     *
     * @param trial how long the target is on probation
     * @throws HostException if the machine is closed or has ended
     */
    HandoverReport handOver(LoadedEngine target, MachineSpec spec, Duration patience, Duration trial) {
        return handOver(target, spec, patience, trial, Mover.Purpose.MOVE, Optional.empty());
    }

    private HandoverReport handOver(
            LoadedEngine target,
            MachineSpec spec,
            Duration patience,
            Duration trial,
            Mover.Purpose purpose,
            Optional<Mover.Moment> moment) {
        control.lock();
        try {
            Phase before = execution.phase();
            if (before != Phase.RUNNING && before != Phase.PAUSED) {
                throw new HostException("machine " + settings.name + ": has ended");
            }
            boolean running = before == Phase.RUNNING;
            Residence source = home();
            source.engine().retain();
            int cpus = running ? source.cpus().size() : 0;
            Mover.Plan plan = new Mover.Plan(
                    source.engine(),
                    source.spec(),
                    source.machine(),
                    target,
                    spec,
                    resources,
                    cpus,
                    patience,
                    recent,
                    purpose,
                    moment);
            Mover mover = new Mover(
                    plan, new HandoverSubject(this, execution, before, target, spec, patience, trial), execution.lock);
            try {
                return mover.run(settings.name);
            } finally {
                execution.endHandover();
                if (mover.committed()) {
                    recent = Optional.of(mover.moved());
                    accounts.moved(
                            target.jar().version(), work(), source.machine().statistics());
                    execution.probation().ifPresent(Probation::start);
                    forgetOrigin();
                    origin = new Origin(source.engine(), source.spec());
                } else {
                    // After a failure the next attempt's stand-in begins otherwise, lest it be that which failed.
                    recent = Optional.of(mover.moved()).filter(state -> purpose.stays && state.length > 0);
                    source.engine().release();
                }
                mover.discard(settings.name);
            }
        } finally {
            control.unlock();
        }
    }

    /** The log for the next capture is no reason for an engine not to take the machine. */
    void forgetCaptures(LoadedEngine target) {
        if (!target.engine().tracksPages()) {
            control.lock();
            try {
                capturing.forget();
            } finally {
                control.unlock();
            }
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
        return execution.home();
    }

    void probationOver(Probation trial) {
        execution.probationOver(trial);
    }

    void misbehaved(String reason) {
        accounts.failed();
        event(MachineEvent.Kind.MISBEHAVED, reason);
    }

    boolean running() {
        return execution.phase() == Phase.RUNNING;
    }

    /** CPU time of a vCPU's thread in nanoseconds. */
    long cpuNanos(int cpu) {
        return execution.cpuNanos(cpu);
    }

    /** Whether a vCPU's thread runs, or would if it had a processor. */
    boolean runnable(int cpu) {
        return execution.runnable(cpu);
    }

    /** Whether its run has ended. */
    public boolean ended() {
        Phase now = execution.phase();
        return now == Phase.ENDED || now == Phase.CLOSED;
    }

    void event(MachineEvent.Kind kind, String detail) {
        event(kind, detail, Optional.empty());
    }

    void event(MachineEvent.Kind kind, String detail, Optional<HandoverReport> handover) {
        MachineEvent event = new MachineEvent(Instant.now(), settings.name, kind, detail, handover);
        listeners.forEach(listener -> listener.accept(event));
    }

    /** Notes that the guest's kernel has panicked: whoever reads its console tells. */
    public void panicked(String message) {
        panic = message;
        event(MachineEvent.Kind.PANICKED, message);
    }

    /** Tells a listener, on whichever thread it happens, of what happens from now on. It must not block. */
    public void onEvent(Consumer<MachineEvent> listener) {
        listeners.add(listener);
    }

    /** Its name. */
    public String name() {
        return settings.name;
    }

    /** Its guest memory in bytes. */
    long memorySize() {
        return settings.memory;
    }

    /** How it is just now. */
    public MachineStatus status() {
        Residence now = home();
        List<MachineStatus.Cpu> cpus = new ArrayList<>();
        for (int n = 0; n < now.cpus().size(); n++) {
            VirtualCpu cpu = now.cpus().get(n);
            cpus.add(new MachineStatus.Cpu(cpu.instructions(), execution.cpuNanos(n), cpu.waiting()));
        }
        return new MachineStatus(
                settings.name,
                execution.phase(),
                now.engine().jar().version(),
                Optional.ofNullable(origin).map(was -> was.engine.jar().version()),
                execution.probation().isPresent(),
                settings.memory,
                now.spec().parameters(),
                Duration.ofNanos(clock.nanoTime()),
                accounts.handovers(),
                cpus,
                Optional.ofNullable(panic),
                execution.end());
    }

    /** What it did on each engine that it has been on, in the order in which it came to them. */
    public List<EngineUsage> usage() {
        return accounts.usage(work(), home().machine().statistics());
    }

    private EngineUsage.Work work() {
        List<VirtualCpu> cpus = home().cpus();
        long cpuNanos = 0;
        long instructions = 0;
        for (int n = 0; n < cpus.size(); n++) {
            cpuNanos += execution.cpuNanos(n);
            instructions += cpus.get(n).instructions();
        }
        return new EngineUsage.Work(clock.nanoTime(), cpuNanos, instructions);
    }

    /** The engine's counters for this machine. */
    public Map<String, Long> statistics() {
        return home().machine().statistics();
    }

    /**
     * A vCPU's system registers by name, such as CR3, LSTAR and IDTR (its base), empty on an engine that does not tell.
     * While the vCPU runs, each may be a moment old; inside a {@link PageListener}'s method, those of the vCPU that wrote
     * are what they were for the write.
     *
     * @throws IndexOutOfBoundsException if there is no vCPU of this number
     */
    public Map<String, Long> systemRegisters(int cpu) {
        return home().cpus().get(cpu).systemRegisters();
    }

    /**
     * What the engine has made of guest code, for people: that which holds a linear address, or without an address, a
     * list of the busiest. Empty if there is nothing.
     *
     * @throws HostException if the machine's engine makes nothing of code
     */
    public Optional<String> explain(OptionalLong linear) {
        Residence now = home();
        try {
            return now.machine().explain(linear);
        } catch (EngineException e) {
            throw new HostException("machine " + settings.name + ": engine "
                    + now.engine().jar().version() + ": " + e.getMessage());
        }
    }

    /** Watches, reads and writes guest memory. */
    public PageTracker pages() {
        return pages;
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
        pages.requireOutside("cannot be closed");
        stop("closed");
        control.lock();
        try {
            if (!execution.close()) {
                return;
            }
        } finally {
            control.unlock();
        }
        pages.close();
        try {
            home().machine().close();
        } finally {
            // A console may outlive the machine, and must not keep its engine.
            settings.serial.onInput(() -> {});
            settings.debug.onInput(() -> {});
            memory.close();
            home().engine().release();
            forgetOrigin();
        }
    }

    /** Waits until no vCPU thread is left, for tests. */
    boolean threadsGone(Duration timeout) throws InterruptedException {
        return execution.threadsGone(timeout);
    }
}
