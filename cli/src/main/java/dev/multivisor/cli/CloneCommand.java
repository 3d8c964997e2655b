package dev.multivisor.cli;

import dev.multivisor.api.Exit;
import dev.multivisor.host.EngineJar;
import dev.multivisor.host.EnginePool;
import dev.multivisor.host.MachineEnd;
import dev.multivisor.host.MachineHost;
import dev.multivisor.host.SavedMachine;
import dev.multivisor.host.StreamConsole;
import dev.multivisor.host.VirtualMachine;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code multivisor clone}. */
@Command(
        name = "clone",
        description = {
            "Starts several machines from one snapshot. What they do not change of its memory is there once for all.",
            "Each guest that has a VM generation ID gets another one, and takes new random numbers if its kernel has a"
                    + " driver for it. With \"--count 1\", \"--param vmgenid=GUID\" chooses it.",
            "They run in this process, until all have ended; \"ps\", \"console\", \"upgrade\" and the others find each"
                    + " by its name."
        },
        mixinStandardHelpOptions = true,
        sortOptions = false,
        footerHeading = "%nExamples:%n",
        footer = {
            "  multivisor clone tuesday --count 10",
            "  multivisor clone tuesday --count 3 --name web     web-1, web-2 and web-3",
            "  multivisor console web-2                          in another terminal"
        },
        exitCodeListHeading = "%nExit status:%n",
        exitCodeList = {
            "  0:Every guest switched itself off, reset itself, was stopped, or wrote 0 to the debug-exit port.",
            "  1:A guest ended in another way; a line on standard error says which and how.",
            "  2:Bad input: there is no such snapshot, or it is damaged, or the engine cannot take it.",
            "124:The time-out was reached."
        })
final class CloneCommand implements Callable<Integer> {
    private static final int MOST = 10_000;
    private static final int LONGEST_PREFIX = 26;
    private static final Duration POLL = Duration.ofMillis(100);

    @Spec
    private CommandSpec spec;

    @Parameters(paramLabel = "SNAPSHOT", description = "Its name, or the path of its folder.")
    private String snapshot;

    @Option(
            names = "--count",
            paramLabel = "N",
            defaultValue = "2",
            description = "How many machines (default: ${DEFAULT-VALUE}).")
    private int count;

    @Option(
            names = "--name",
            paramLabel = "NAME",
            defaultValue = "",
            description = "They are called NAME-1, NAME-2 and so on. Default: clone.")
    private String name;

    @Option(
            names = "--engine",
            paramLabel = "V",
            defaultValue = "",
            description = "The engine: a version that \"engine list\" shows, or a JAR. Default: the newest.")
    private String engine;

    @Option(
            names = "--param",
            paramLabel = "K=V",
            mapFallbackValue = "",
            description = "A setting of the engine that changes; K alone takes it away. May be repeated.")
    private Map<String, String> parameters = new LinkedHashMap<>();

    @Option(names = "--check", description = "Read all of the snapshot before, and compare it with its checksums.")
    private boolean check;

    @Option(names = "--logs", paramLabel = "DIR", description = "Keep what each console shows as DIR/NAME-N.log.")
    private Path logs;

    @Option(names = "--timeout", paramLabel = "D", description = "End all machines after so long, such as 30s or 5m.")
    private Duration timeout;

    /** A machine with its console. */
    private record Member(String name, StreamConsole console, PanicWatch panic, VirtualMachine machine) {}

    @Override
    public Integer call() throws InterruptedException {
        if (count < 1 || count > MOST) {
            throw new CliException("--count: " + count + " is not between 1 and " + MOST);
        }
        SnapshotRun.generation(parameters).filter(id -> count > 1).ifPresent(id -> {
            throw new CliException("--param " + SavedMachine.GENERATION + "=" + id + ": " + count
                    + " machines need different ones; without it, each gets its own");
        });
        PrintWriter err = spec.commandLine().getErr();
        String prefix = name.isEmpty() ? "clone" : name;
        if (prefix.length() > LONGEST_PREFIX) {
            throw new CliException("--name: " + prefix + " is longer than " + LONGEST_PREFIX + " characters");
        }
        Control.checkName(prefix);
        EngineJar jar = Installation.engine(engine);
        Map<String, Member> members = new LinkedHashMap<>();
        try (Control control = Control.reserve(prefix, err);
                MachineHost host = new MachineHost(() -> Installation.engines(jar));
                EnginePool.Lease lease = host.lease(jar)) {
            String started = start(host, lease, prefix, members);
            control.openAll(
                    host,
                    machine -> Optional.ofNullable(members.get(machine)).map(Member::console),
                    line -> err.println("multivisor: " + line));
            // Only now: whoever reads it may go on with "console".
            spec.commandLine().getOut().println(started);
            tellCopied(members.values());
            return await(List.copyOf(members.values()), err);
        } finally {
            members.values().forEach(member -> member.console.close());
        }
    }

    /** Starts them; a line with how long that took. */
    private String start(MachineHost host, EnginePool.Lease lease, String prefix, Map<String, Member> members) {
        SnapshotRun source = open();
        List<Long> nanos = new ArrayList<>();
        for (int n = 1; n <= count; n++) {
            long start = System.nanoTime();
            Member member = member(host, lease, source, prefix + "-" + n);
            members.put(member.name, member);
            member.machine.start();
            nanos.add(System.nanoTime() - start);
        }
        String first = Figures.millis(nanos.getFirst());
        nanos.sort(null);
        return count == 1
                ? prefix + "-1 runs after " + first
                : count + " machines run, " + prefix + "-1 to " + prefix + "-" + count + ": the first after " + first
                        + ", the median after " + Figures.millis(nanos.get(count / 2)) + " each";
    }

    /** Says so if machines share less than they should: that takes memory, and a longer start. */
    private void tellCopied(Collection<Member> members) {
        long copied =
                members.stream().filter(member -> member.machine.copiedMemory()).count();
        if (copied > 0) {
            spec.commandLine()
                    .getErr()
                    .println("multivisor: snapshot " + snapshot + ": " + copied + " of " + count
                            + " machines copied some of its memory instead of sharing it: one process can have no more"
                            + " mappings; fewer machines at once, or a snapshot without a parent, share more");
        }
    }

    private SnapshotRun open() {
        return SnapshotRun.open(snapshot, check, parameters, spec.commandLine().getErr());
    }

    private Member member(MachineHost host, EnginePool.Lease lease, SnapshotRun source, String named) {
        PanicWatch panic = new PanicWatch();
        List<OutputStream> sinks = new ArrayList<>(List.of(panic));
        if (logs != null) {
            try {
                Files.createDirectories(logs);
            } catch (IOException e) {
                throw new CliException("--logs: " + logs + ": cannot be made (" + e.getMessage() + ")");
            }
            sinks.add(RunCommand.openLog(logs.resolve(named + ".log")));
        }
        StreamConsole console = new StreamConsole(sinks);
        VirtualMachine.Settings settings = new VirtualMachine.Settings(
                named, source.memory().size(), source.next(), console, new OutputOnly(console));
        return new Member(
                named, console, panic, source.start(host, lease.engine().jar(), settings));
    }

    private int await(List<Member> members, PrintWriter err) throws InterruptedException {
        long deadline = timeout == null ? Long.MAX_VALUE : System.nanoTime() + timeout.toNanos();
        List<Member> running = new ArrayList<>(members);
        int status = ExitStatus.OK;
        while (!running.isEmpty()) {
            Thread.sleep(POLL);
            for (Member member : List.copyOf(running)) {
                String panic = member.panic.message();
                if (!panic.isEmpty() && member.machine.status().panic().isEmpty()) {
                    member.machine.panicked(panic);
                }
                if (member.panic.over()) {
                    member.machine.stop("panic");
                }
                Optional<MachineEnd> end = member.machine.await(Duration.ZERO);
                if (end.isPresent()) {
                    running.remove(member);
                    member.console.flush(1000);
                    String problem =
                            panic.isEmpty() ? problem(end.get().exit()) : "the guest's kernel panicked: " + panic;
                    if (!problem.isEmpty()) {
                        err.println("multivisor: " + member.name + ": " + problem);
                        status = ExitStatus.PROBLEM;
                    }
                }
            }
            if (!running.isEmpty() && System.nanoTime() >= deadline) {
                err.println("multivisor: the time-out was reached; " + running.size() + " machines still ran");
                return ExitStatus.TIMEOUT;
            }
        }
        return status;
    }

    /** How a guest has ended; empty if that is well. */
    private static String problem(Exit exit) {
        String detail = exit.detail().isEmpty() ? "" : ": " + exit.detail();
        return switch (exit.reason()) {
            case POWER_OFF, RESET, KICKED -> "";
            case DEBUG_EXIT -> exit.status() == 1 ? "" : "the guest ended with status " + exit.status();
            case TRIPLE_FAULT -> "triple fault" + detail;
            case HALTED -> "the guest halted for good" + detail;
            case FAILED -> exit.detail();
        };
    }
}
