package dev.multivisor.cli;

import dev.multivisor.api.MachineSpec;
import dev.multivisor.host.EngineJar;
import dev.multivisor.host.MachineHost;
import dev.multivisor.host.MemoryImage;
import dev.multivisor.host.SavedMachine;
import dev.multivisor.host.VirtualMachine;
import dev.multivisor.snapshots.Snapshot;
import dev.multivisor.snapshots.SnapshotStore;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.UUID;

/**
 * Machines from a snapshot.
 *
 * @param machine what was saved
 * @param memory where its memory is
 * @param spec what it is to be on the engine
 * @param renewed whether each machine gets a generation ID of its own, and so is told that it is a copy
 */
record SnapshotRun(SavedMachine machine, MemoryImage memory, MachineSpec spec, boolean renewed) {
    private static final String ANY = "on";

    /** As a generation ID looks; whether it is one, the engine says. */
    private static final String IDENTIFIER = "[0-9A-Fa-f-]{36}";

    /**
     * What is asked for.
     *
     * @param snapshot a name or a folder
     * @param engine version or JAR; empty for the newest
     * @param name what to call the machine; empty for any
     * @param parameters settings of the engine that change; an empty value takes a setting away
     * @param check whether to read all of the snapshot before
     * @param timeout when to give up; null for never
     */
    record Plan(
            String snapshot,
            String engine,
            String name,
            Map<String, String> parameters,
            boolean check,
            Duration timeout,
            Optional<Path> log,
            boolean statistics) {}

    /** Opens a snapshot, and says so if its guest cannot be told that it is a copy. */
    static SnapshotRun open(String named, boolean check, Map<String, String> changes, PrintWriter err) {
        Snapshot snapshot = SnapshotStore.open().find(named);
        if (check) {
            snapshot.check();
        }
        SavedMachine machine = snapshot.machine();
        Optional<String> generation = Optional.ofNullable(changes.get(SavedMachine.GENERATION));
        if (!machine.hasGeneration() && generation.isEmpty()) {
            err.println("multivisor: snapshot " + snapshot.name() + ": its guest has no VM generation ID (run --param "
                    + SavedMachine.GENERATION + "=on), so it does not reseed its random numbers");
        }
        Map<String, String> parameters = new TreeMap<>(machine.spec().parameters());
        changes.forEach((name, value) -> {
            if (value.isEmpty()) {
                parameters.remove(name);
            } else {
                parameters.put(name, value);
            }
        });
        return new SnapshotRun(
                machine,
                snapshot.memory(),
                new MachineSpec(machine.spec().cpus(), machine.spec().cpuModel(), parameters),
                machine.hasGeneration() && generation.orElse(ANY).equals(ANY));
    }

    /** The generation ID that the settings name, which can be one machine's only. */
    static Optional<String> generation(Map<String, String> changes) {
        return Optional.ofNullable(changes.get(SavedMachine.GENERATION)).filter(value -> value.matches(IDENTIFIER));
    }

    /** What one more machine is to be. */
    MachineSpec next() {
        if (!renewed) {
            return spec;
        }
        Map<String, String> parameters = new TreeMap<>(spec.parameters());
        parameters.put(SavedMachine.GENERATION, UUID.randomUUID().toString());
        return new MachineSpec(spec.cpus(), spec.cpuModel(), parameters);
    }

    /** Makes a machine. */
    VirtualMachine start(MachineHost host, EngineJar engine, VirtualMachine.Settings settings) {
        return host.restore(engine, settings, machine, memory);
    }

    /** Runs one machine as {@code run} does; the exit status. */
    static int run(Plan asked, PrintWriter err) throws InterruptedException {
        Control.checkName(asked.name);
        EngineJar jar = Installation.engine(asked.engine);
        SnapshotRun snapshot = open(asked.snapshot, asked.check, asked.parameters, err);
        StartUp.reached("images");
        try (OutputStream copy = asked.log.map(RunCommand::openLog).orElse(null);
                Control control = Control.reserve(asked.name, err);
                MachineHost host = new MachineHost(() -> Installation.engines(jar))) {
            GuestRun.Plan plan = new GuestRun.Plan(
                    control,
                    snapshot.memory.size(),
                    snapshot.next(),
                    snapshot::start,
                    RawTerminal.usable(),
                    false,
                    false,
                    // Its kernel's file is not there.
                    false,
                    asked.timeout,
                    copy,
                    asked.statistics);
            return new GuestRun(plan, jar, host, err).run();
        } catch (IOException e) {
            throw new CliException("--log: cannot be closed (" + e.getMessage() + ")");
        }
    }
}
