package dev.multivisor.cli;

import dev.multivisor.server.ControlClient;
import dev.multivisor.server.MachineView;
import dev.multivisor.server.MoveRequest;
import dev.multivisor.server.MoveView;
import dev.multivisor.server.RollbackRequest;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code multivisor upgrade}. */
@Command(
        name = "upgrade",
        description = {
            "Moves a running machine to another engine, or to the same one with other settings.",
            "The target is asked, rehearses, and then takes over; whatever fails leaves the guest where it was.",
            "With --all, every machine of this user: all are asked first, canaries move and are watched, then the others."
        },
        mixinStandardHelpOptions = true,
        sortOptions = false,
        footerHeading = "%nExamples:%n",
        footer = {
            "  multivisor upgrade vm",
            "  multivisor upgrade vm --to 0.2.0 --dry-run",
            "  multivisor upgrade vm --to 0.1.0 --deadline 5ms",
            "  multivisor upgrade --all --canary 1 --soak 1m"
        },
        exitCodeListHeading = "%nExit status:%n",
        exitCodeList = {
            "0:It is on the target, or with --dry-run, it could be; with --all, every machine.",
            "1:It was refused or failed; each reason is a line on standard error. With --all, a machine was refused or",
            "  failed, or a canary misbehaved, and those that had moved went back.",
            "2:Bad input: there is no such machine, engine or setting."
        })
final class UpgradeCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Parameters(
            paramLabel = "VM",
            arity = "0..1",
            description = "A machine, as \"multivisor ps\" shows it; NAME@PID where a name is not enough.")
    private String vm;

    @Option(names = "--all", description = "Move every machine.")
    private boolean all;

    @Option(
            names = "--max-parallel",
            paramLabel = "N",
            defaultValue = "2",
            description = "With --all, how many move at a time. Default: ${DEFAULT-VALUE}.")
    private int parallel;

    @Option(
            names = "--canary",
            paramLabel = "N",
            defaultValue = "1",
            description = "With --all, how many move first and are watched. Default: ${DEFAULT-VALUE}.")
    private int canaries;

    @Option(
            names = "--soak",
            paramLabel = "D",
            defaultValue = "10s",
            description =
                    "With --all, how long canaries are watched: a panic, a vCPU that stands still, or lost speed takes"
                            + " all of them back. Default: ${DEFAULT-VALUE}.")
    private Duration soak;

    @Option(
            names = "--min-speed",
            paramLabel = "PERCENT",
            defaultValue = "50",
            description = "With --all, what a canary must keep of its speed. Default: ${DEFAULT-VALUE}.")
    private int speed;

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
            description =
                    "Let the target rehearse for so long at the most, while the guest runs on, and then a copy of the"
                            + " guest work there for as long. Default: 10s.")
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
        check();
        try (Remote remote = new Remote()) {
            if (all) {
                return everywhere(remote, request);
            }
            Remote.Target target = remote.find(vm);
            MoveView result = remote.client().upgrade(target.socket(), target.name(), request);
            return print(spec, format, target.name(), result);
        }
    }

    private void check() {
        if (all == (vm != null)) {
            throw new CliException(
                    "upgrade: " + (all ? "VM and --all exclude each other" : "VM: is missing, or --all"));
        }
        if (parallel < 1 || parallel > 1000) {
            throw new CliException("--max-parallel: " + parallel + " is not between 1 and 1000");
        }
        if (canaries < 0) {
            throw new CliException("--canary: " + canaries + " is less than 0");
        }
        if (speed < 0 || speed > 100) {
            throw new CliException("--min-speed: " + speed + " is not between 0 and 100");
        }
    }

    private int everywhere(Remote remote, MoveRequest request) throws InterruptedException {
        PrintWriter out = spec.commandLine().getOut();
        PrintWriter err = spec.commandLine().getErr();
        List<Rollout.Member> members = new ArrayList<>();
        List<Remote.Target> targets = remote.machines();
        for (Remote.Target target : targets) {
            String phase = target.machine().phase();
            if (phase.equals("running") || phase.equals("paused")) {
                boolean unique = targets.stream()
                                .filter(other -> other.name().equals(target.name()))
                                .count()
                        == 1;
                String name =
                        target.name() + (unique ? "" : "@" + target.machine().pid());
                members.add(new RemoteMember(name, remote.client(), target, request));
            }
        }
        Rollout rollout = new Rollout(
                new Rollout.Plan(parallel, canaries, soak, speed), line -> (format.json() ? err : out).println(line));
        List<Rollout.Result> results = dryRun ? rollout.ask(members) : rollout.run(members);
        if (format.json()) {
            format.printJson(out, results);
        } else {
            out.println(Rollout.summary(results));
        }
        for (Rollout.Result result : results) {
            if (!result.detail().isEmpty()) {
                err.println("multivisor: " + result.machine() + ": " + result.outcome() + ": " + result.detail());
            }
        }
        return Rollout.good(results) ? ExitStatus.OK : ExitStatus.PROBLEM;
    }

    /** A machine behind a socket. */
    private record RemoteMember(String name, ControlClient client, Remote.Target target, MoveRequest request)
            implements Rollout.Member {
        @Override
        public MachineView look() {
            return client.machine(target.socket(), target.name());
        }

        @Override
        public MoveView ask() {
            MoveRequest question = new MoveRequest(
                    request.to(),
                    request.parameters(),
                    request.deadlineMillis(),
                    request.rehearsalMillis(),
                    request.probationMillis(),
                    Optional.of(true));
            return client.upgrade(target.socket(), target.name(), question);
        }

        @Override
        public MoveView move() {
            return client.upgrade(target.socket(), target.name(), request);
        }

        @Override
        public MoveView back() {
            return client.rollBack(target.socket(), target.name(), new RollbackRequest(Optional.empty()));
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
