package dev.multivisor.cli;

import dev.multivisor.host.HostException;
import dev.multivisor.server.SnapshotAsked;
import dev.multivisor.server.SnapshotView;
import dev.multivisor.snapshots.Snapshot;
import dev.multivisor.snapshots.SnapshotStore;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code multivisor snapshot}. */
@Command(
        name = "snapshot",
        description = {
            "Writes running machines down, and has them go on from there, any number of times.",
            "Snapshots are folders in ~/.local/share/multivisor/snapshots."
        },
        mixinStandardHelpOptions = true,
        footerHeading = "%nExamples:%n",
        footer = {
            "  multivisor snapshot create vm",
            "  multivisor snapshot create vm --name tuesday --parent monday",
            "  multivisor snapshot list --check",
            "  multivisor snapshot restore tuesday",
            "  multivisor snapshot rm tuesday",
            "  multivisor clone tuesday --count 10"
        })
final class SnapshotCommand implements Runnable {
    @Spec
    private CommandSpec spec;

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "a command is missing: create, list, restore or rm");
    }

    /** Whether the guest stands still meanwhile. */
    static final class Mode {
        @Option(
                names = "--live",
                description =
                        "Let the guest run on while its memory is written: it stands still for about as long as in"
                                + " an upgrade. This is what happens where the machine's engine can.")
        private boolean live;

        @Option(names = "--stop", description = "Have the guest, and its clock, stand still until all is written.")
        private boolean stop;
    }

    @Command(
            name = "create",
            description = "Makes a snapshot of a running machine, which then goes on.",
            mixinStandardHelpOptions = true,
            sortOptions = false,
            footerHeading = "%nExamples:%n",
            footer = {
                "  multivisor snapshot create vm",
                "  multivisor snapshot create vm --name monday --stop",
                "  multivisor snapshot create vm --name tuesday --parent monday   writes what has changed since"
            })
    int create(
            @Mixin VmOption vm,
            @Option(
                            names = "--name",
                            paramLabel = "NAME",
                            description = "What to call it. Default: the machine's name with a number.")
                    String name,
            @Option(
                            names = "--parent",
                            paramLabel = "SNAPSHOT",
                            description = "Write only what differs from this one, which has to be kept then.")
                    String parent,
            @ArgGroup Mode mode,
            @Mixin OutputFormat format)
            throws InterruptedException {
        Optional<Boolean> live = mode == null ? Optional.empty() : Optional.of(mode.live && !mode.stop);
        SnapshotAsked asked = new SnapshotAsked(Optional.ofNullable(name), Optional.ofNullable(parent), live);
        try (Remote remote = new Remote()) {
            Remote.Target target = remote.find(vm.name());
            SnapshotView view = remote.client().snapshot(target.socket(), target.name(), asked);
            PrintWriter out = spec.commandLine().getOut();
            if (format.json()) {
                format.printJson(out, view);
            } else {
                out.printf("%s: %s%n", view.name(), view.path());
                out.printf("memory      %s, %s of it written%n", Figures.bytes(view.memoryBytes()), mebi(view));
                out.printf("stopped     %s%s%n", Figures.micros(view.stoppedNanos()), view.live() ? ", live" : "");
            }
        }
        return ExitStatus.OK;
    }

    private static String mebi(SnapshotView view) {
        return String.format(java.util.Locale.ROOT, "%.1f MiB", view.storedBytes() / (double) (1 << 20));
    }

    @Command(
            name = "list",
            description = "Lists the snapshots.",
            mixinStandardHelpOptions = true,
            footerHeading = "%nExamples:%n",
            footer = {"  multivisor snapshot list", "  multivisor snapshot list --check --format json"},
            exitCodeListHeading = "%nExit status:%n",
            exitCodeList = {"0:Well.", "1:A snapshot is damaged; a line on standard error says which and where."})
    int list(
            @Option(names = "--check", description = "Read all of each one and compare it with its checksums.")
                    boolean check,
            @Mixin OutputFormat format) {
        PrintWriter out = spec.commandLine().getOut();
        SnapshotStore.Listing listing = SnapshotStore.open().list();
        List<String> problems = new ArrayList<>(listing.problems());
        List<SnapshotView> views = new ArrayList<>();
        for (Snapshot snapshot : listing.snapshots()) {
            try {
                if (check) {
                    snapshot.check();
                }
                views.add(SnapshotView.of(snapshot));
            } catch (HostException e) {
                problems.add(e.getMessage());
            }
        }
        if (format.json()) {
            format.printJson(out, views);
        } else if (views.isEmpty()) {
            out.println("There is no snapshot. \"multivisor snapshot create VM\" makes one of a running machine.");
        } else {
            format.print(out, views.stream().map(SnapshotCommand::row).toList());
        }
        problems.forEach(problem -> spec.commandLine().getErr().println("multivisor: " + problem));
        return problems.isEmpty() ? ExitStatus.OK : ExitStatus.PROBLEM;
    }

    private static Map<String, Object> row(SnapshotView view) {
        Map<String, Object> row = new LinkedHashMap<>();
        row.put("name", view.name());
        row.put("parent", view.parent().orElse("-"));
        row.put("machine", view.machine());
        row.put("engine", view.engine());
        row.put("cpus", view.cpus());
        row.put("memory", Figures.bytes(view.memoryBytes()));
        row.put("written", mebi(view));
        row.put("guest time", Figures.seconds(view.guestNanos()));
        row.put("created", view.created().replaceFirst("\\.\\d+Z$", "Z"));
        return row;
    }

    @Command(
            name = "restore",
            description = {
                "Has a machine go on from a snapshot, with its console here, as \"run --from\" does.",
                "Its clock goes on where it was; the time of day is the host's. Any number may run from one snapshot."
            },
            mixinStandardHelpOptions = true,
            sortOptions = false,
            footerHeading = "%nExamples:%n",
            footer = {
                "  multivisor snapshot restore tuesday",
                "  multivisor snapshot restore tuesday --engine 0.1.0 --name web"
            })
    int restore(
            @Parameters(paramLabel = "SNAPSHOT", description = "Its name, or the path of its folder.") String snapshot,
            @Option(
                            names = "--engine",
                            paramLabel = "V",
                            defaultValue = "",
                            description = "The engine: a version that \"engine list\" shows, or a JAR. Default: the"
                                    + " newest.")
                    String engine,
            @Option(
                            names = "--name",
                            paramLabel = "NAME",
                            defaultValue = "",
                            description = "What to call the machine. Default: vm, or the next that is free.")
                    String name,
            @Option(
                            names = "--param",
                            paramLabel = "K=V",
                            mapFallbackValue = "",
                            description =
                                    "A setting of the engine that changes; K alone takes it away. May be repeated.")
                    Map<String, String> parameters,
            @Option(names = "--check", description = "Read all of it before, and compare it with its checksums.")
                    boolean check,
            @Option(names = "--timeout", paramLabel = "D", description = "Give up after so long, such as 30s or 5m.")
                    Duration timeout,
            @Option(names = "--log", paramLabel = "F", description = "Keep a copy of the console's output in a file.")
                    Path log,
            @Option(names = "--statistics", description = "Print the engine's counters at the end, to standard error.")
                    boolean statistics)
            throws InterruptedException {
        return SnapshotRun.run(
                new SnapshotRun.Plan(
                        snapshot,
                        engine,
                        name,
                        parameters == null ? Map.of() : parameters,
                        check,
                        timeout,
                        Optional.ofNullable(log),
                        statistics),
                spec.commandLine().getErr());
    }

    @Command(
            name = "rm",
            description = "Removes snapshots, unless others lie over them. Machines that were started from them go on.",
            mixinStandardHelpOptions = true,
            footerHeading = "%nExample:%n",
            footer = "  multivisor snapshot rm monday")
    int remove(@Parameters(paramLabel = "SNAPSHOT", arity = "1..*", description = "Its name.") List<String> names) {
        SnapshotStore store = SnapshotStore.open();
        names.forEach(store::remove);
        return ExitStatus.OK;
    }
}
