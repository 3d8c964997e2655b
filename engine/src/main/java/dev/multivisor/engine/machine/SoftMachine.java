package dev.multivisor.engine.machine;

import dev.multivisor.api.Boot;
import dev.multivisor.api.EngineException;
import dev.multivisor.api.EngineParameter;
import dev.multivisor.api.Exit;
import dev.multivisor.api.GuestMemory;
import dev.multivisor.api.Machine;
import dev.multivisor.api.MachineSpec;
import dev.multivisor.api.PageTracking;
import dev.multivisor.api.Resources;
import dev.multivisor.api.StateFormat;
import dev.multivisor.api.VirtualCpu;
import dev.multivisor.engine.boot.BootLoader;
import dev.multivisor.engine.boot.MemoryMap;
import dev.multivisor.engine.cpu.AheadCode;
import dev.multivisor.engine.cpu.CodeCompiler;
import dev.multivisor.engine.device.MachineControl;
import dev.multivisor.engine.device.acpi.AcpiTables;
import dev.multivisor.engine.mmu.Tracking;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.Function;

/**
 * A machine: vCPUs, memory and board, and what concerns all of them, which is time, the end, and the state as a whole.
 *
 * <p>The engine has no threads of its own. Deadlines of the board's timers are served by vCPU 0, those of a local
 * APIC's timer by its own vCPU: between slices of instructions, or by waking from HLT.
 */
public final class SoftMachine implements Machine {
    private final String producer;
    private final Settings settings;
    private final AheadCode ahead;
    private final Board board;
    private final List<Vcpu> vcpus = new ArrayList<>();
    private final AtomicReference<Exit> exit = new AtomicReference<>();
    private volatile boolean closed;

    private SoftMachine(
            String producer, Settings settings, Resources resources, Function<Board.Wiring, Board> builder) {
        this.producer = producer;
        ahead = HotCode.take(resources.memory());
        this.settings = settings;
        board = builder.apply(new Board.Wiring(new Control(), this::wake));
        board.cpus()
                .forEach(cpu ->
                        vcpus.add(new Vcpu(this, cpu, board.apic(cpu.number), board.codePages, settings, ahead)));
    }

    /**
     * Builds a machine and loads what it starts.
     *
     * @param producer name and version of the engine, for the state
     */
    public static SoftMachine create(String producer, MachineSpec spec, Boot boot, Resources resources) {
        Settings settings = Settings.of(spec);
        MachineTime time = new MachineTime(resources.clock(), settings.countedTime(), 0);
        SoftMachine machine =
                new SoftMachine(producer, settings, resources, wiring -> new Board(settings, resources, time, wiring));
        MemoryMap map = MemoryMap.of(resources.memory());
        byte[] tables = AcpiTables.build(
                MemoryMap.FIRMWARE, spec.cpus(), settings.generation().isPresent());
        machine.board.memory.write(MemoryMap.FIRMWARE, tables, 0, tables.length);
        BootLoader.load(boot, resources.memory(), map, MemoryMap.FIRMWARE, settings.unpackOnHost())
                .applyTo(machine.board.cpus().get(0));
        return machine;
    }

    /** Builds a machine from a state. */
    public static SoftMachine restore(String producer, MachineSpec spec, byte[] bytes, Resources resources) {
        Settings settings = Settings.of(spec);
        BoardState state = BoardState.read(
                BoardState.SCHEMA.read(bytes, settings.features()),
                spec.cpus(),
                settings.generation().isPresent());
        if (state.time().counted() != settings.countedTime()) {
            throw new EngineException("parameter 'time': what drives a machine's clocks is chosen at its creation");
        }
        MachineTime time = new MachineTime(
                resources.clock(), state.time().counted(), state.time().skipped());
        SoftMachine machine = new SoftMachine(
                producer, settings, resources, wiring -> new Board(settings, resources, time, wiring, state));
        state.requireSame(machine.board.save());
        return machine;
    }

    @Override
    public List<VirtualCpu> cpus() {
        return List.copyOf(vcpus);
    }

    /** Why the machine has ended, or null while it goes on. */
    Exit exit() {
        return exit.get();
    }

    /** Ends the machine; the first reason counts. */
    void finish(Exit reason) {
        exit.compareAndSet(null, reason);
        vcpus.forEach(Vcpu::wake);
    }

    private void wake(int cpu) {
        // While the board is being built, nobody sleeps.
        if (cpu < vcpus.size()) {
            vcpus.get(cpu).wake();
        }
    }

    /** Before the first instruction: from now on the guest takes what comes from outside. */
    void connect() {
        board.connect();
    }

    /** Fires what is due for a vCPU. */
    void serveTimers(int cpu) {
        long now = board.time.now();
        board.apic(cpu).poll(now);
        if (cpu == 0) {
            board.timers.run(now);
        }
    }

    /** Whether time passes by instructions. */
    boolean counted() {
        return board.time.counted();
    }

    /** How many instructions may be executed before counted time has reached a vCPU's next deadline; at least one. */
    long instructionsToDeadline(int cpu) {
        long left = nextDeadline(cpu) - board.time.now();
        return Math.max(1, Math.ceilDiv(left, MachineTime.NANOS_PER_INSTRUCTION));
    }

    private long nextDeadline(int cpu) {
        long deadline = board.apic(cpu).nextDeadline();
        return cpu == 0 ? Math.min(deadline, board.timers.next()) : deadline;
    }

    /**
     * Parks the calling vCPU thread until its attention is wanted or its next deadline has come.
     *
     * @param deaf whether no interrupt can wake it, so that only the board's timers count
     */
    void sleepUntilDeadline(int cpu, boolean deaf, BooleanSupplier attention) {
        long deadline = deaf ? cpu == 0 ? board.timers.next() : Long.MAX_VALUE : nextDeadline(cpu);
        if (board.time.counted() && deadline != Long.MAX_VALUE) {
            board.time.skipTo(deadline);
        } else if (attention.getAsBoolean()) {
            return;
        } else if (deadline == Long.MAX_VALUE) {
            LockSupport.park(this);
        } else {
            LockSupport.parkNanos(this, deadline - board.time.now());
        }
    }

    /** Whether no vCPU could ever go on: each waits for a signal that only another vCPU could send. */
    boolean allDead() {
        return vcpus.stream().allMatch(Vcpu::dead);
    }

    /** What {@link MachineSpec#parameters} may hold. */
    public static List<EngineParameter> parameters() {
        return Settings.parameters();
    }

    /** What this engine reads and writes. */
    public static StateFormat stateFormat() {
        return BoardState.SCHEMA.format();
    }

    /** Why this engine cannot take over a machine, a line for each reason. */
    public static List<String> refusals(MachineSpec spec, StateFormat format) {
        List<String> reasons = new ArrayList<>(Settings.problems(spec));
        if (reasons.isEmpty()) {
            reasons.addAll(Settings.of(spec).changes(format.features()));
        }
        reasons.addAll(BoardState.SCHEMA.refusals(format));
        return reasons;
    }

    @Override
    public StateFormat format(StateFormat reader) {
        return BoardState.SCHEMA.formatFor(reader, settings.features());
    }

    @Override
    public byte[] save(StateFormat reader) {
        requireIdle();
        vcpus.forEach(Vcpu::requireWhole);
        return BoardState.SCHEMA.write(producer, board.save().sections(), format(reader));
    }

    @Override
    public Map<String, Long> statistics() {
        Map<String, Long> counters = new LinkedHashMap<>();
        vcpus.forEach(vcpu -> vcpu.addTo(counters));
        return counters;
    }

    @Override
    public Optional<String> explain(OptionalLong linear) {
        if (settings.compiler() == CodeCompiler.NONE) {
            throw new EngineException("compiled code: there is none, for parameter 'compile' is off");
        }
        return Explanation.of(vcpus.stream().map(Vcpu::interpreter).toList(), linear);
    }

    /** Readies code for a machine that is to be made or restored in this memory. */
    public static void prepare(MachineSpec spec, byte[] hotCode, GuestMemory memory, Duration limit) {
        HotCode.prepare(Settings.of(spec), hotCode, memory, limit);
    }

    @Override
    public byte[] hotCode() {
        return HotCode.of(vcpus.stream().map(Vcpu::interpreter).toList(), ahead).toBytes(producer);
    }

    // Made when it is asked for: a base from before there was page tracking has no such type.
    @Override
    public PageTracking tracking() {
        return new Tracking(board.memory);
    }

    @Override
    public void close() {
        requireIdle();
        closed = true;
        settings.compiler()
                .keep(vcpus.stream()
                        .flatMap(vcpu -> vcpu.interpreter().hotCode().stream())
                        .toList());
    }

    private void requireIdle() {
        if (closed) {
            throw new IllegalStateException("the machine is closed");
        }
        for (Vcpu vcpu : vcpus) {
            if (vcpu.running()) {
                throw new IllegalStateException("vCPU " + vcpu.number() + " is running");
            }
        }
    }

    /** What a guest asks of the machine ends it. */
    private final class Control implements MachineControl {
        @Override
        public void powerOff() {
            finish(new Exit(Exit.Reason.POWER_OFF, 0, ""));
        }

        @Override
        public void reset() {
            finish(new Exit(Exit.Reason.RESET, 0, ""));
        }

        @Override
        public void debugExit(int status) {
            finish(new Exit(Exit.Reason.DEBUG_EXIT, status, ""));
        }
    }
}
