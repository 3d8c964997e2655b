package dev.multivisor.cli;

import dev.multivisor.server.MoveRequest;
import dev.multivisor.server.MoveView;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code multivisor upgrade}. */
@Command(
        name = "upgrade",
        description = {
            "Moves a running machine to another engine, or to the same one with other settings.",
            "The target is asked, rehearses, and then takes over; whatever fails leaves the guest where it was."
        },
        mixinStandardHelpOptions = true,
        sortOptions = false,
        footerHeading = "%nExamples:%n",
        footer = {
            "  multivisor upgrade vm",
            "  multivisor upgrade vm --to 0.2.0 --dry-run",
            "  multivisor upgrade vm --to 0.1.0 --deadline 5ms"
        },
        exitCodeListHeading = "%nExit status:%n",
        exitCodeList = {
            "0:It is on the target, or with --dry-run, it could be.",
            "1:It was refused or failed; each reason is a line on standard error.",
            "2:Bad input: there is no such machine, engine or setting."
        })
final class UpgradeCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Mixin
    private VmOption vm;

    @Option(
            names = "--to",
            paramLabel = "V",
            defaultValue = MoveRequest.NEWEST,
            description = "The engine: a version that \"engine list\" shows. Default: the newest.")
    private String to;

    @Option(
            names = "--param",
            paramLabel = "K=V",
            mapFallbackValue = "",
            description = "A setting of the engine that changes; K alone takes it away. May be repeated.")
    private Map<String, String> parameters = new LinkedHashMap<>();

    @Option(
            names = "--deadline",
            paramLabel = "D",
            description = "Give up when the guest would stand still for longer. Default: 100ms.")
    private Duration deadline;

    @Option(
            names = "--rehearsal",
            paramLabel = "D",
            description = "Let the target rehearse for so long at the most, while the guest runs on. Default: 5s.")
    private Duration rehearsal;

    @Option(names = "--no-rehearsal", description = "Do not rehearse.")
    private boolean noRehearsal;

    @Option(
            names = "--probation",
            paramLabel = "D",
            description = "Go back by itself when the new engine fails or stands still within this time. Default: 10s.")
    private Duration probation;

    @Option(names = "--dry-run", description = "Only ask the target whether it can take the machine.")
    private boolean dryRun;

    @Mixin
    private OutputFormat format;

    @Override
    public Integer call() throws InterruptedException {
        Optional<Long> rehearse = noRehearsal ? Optional.of(0L) : millis(rehearsal);
        MoveRequest request = new MoveRequest(
                Optional.of(to),
                Optional.of(parameters),
                millis(deadline),
                rehearse,
                millis(probation),
                Optional.of(dryRun));
        try (Remote remote = new Remote()) {
            Remote.Target target = remote.find(vm.name());
            MoveView result = remote.client().upgrade(target.socket(), target.name(), request);
            return print(spec, format, target.name(), result);
        }
    }

    private static Optional<Long> millis(Duration time) {
        return Optional.ofNullable(time).map(Duration::toMillis);
    }

    /** Prints what came of a handover; the exit status. */
    static int print(CommandSpec spec, OutputFormat format, String name, MoveView result) {
        PrintWriter out = spec.commandLine().getOut();
        PrintWriter err = spec.commandLine().getErr();
        if (format.json()) {
            format.printJson(out, result);
            return result.good() ? ExitStatus.OK : ExitStatus.PROBLEM;
        }
        String move = "from engine " + result.from() + " to " + result.to();
        switch (result.outcome()) {
            case "moved" -> {
                out.printf("%s: moved %s%n", name, move);
                out.printf(
                        "rehearsed   %s%n",
                        result.rehearsedNanos() == 0 ? "-" : Figures.seconds(result.rehearsedNanos()));
                out.printf("stopped     %s%n", Figures.micros(result.stoppedNanos()));
                out.printf("  save      %s%n", Figures.micros(result.saveNanos()));
                out.printf("  restore   %s%n", Figures.micros(result.restoreNanos()));
                out.printf("state       %s bytes%n", Figures.count(result.stateBytes()));
                return ExitStatus.OK;
            }
            case "possible" -> {
                out.printf("%s: can move %s%n", name, move);
                return ExitStatus.OK;
            }
            default -> {
                for (String reason : result.reasons()) {
                    err.println("multivisor: " + name + ": not moved " + move + ": " + reason);
                }
                return ExitStatus.PROBLEM;
            }
        }
    }
}
