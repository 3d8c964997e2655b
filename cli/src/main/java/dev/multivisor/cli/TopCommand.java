package dev.multivisor.cli;

import dev.multivisor.server.CodeView;
import dev.multivisor.server.ControlClient;
import dev.multivisor.server.MachineView;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code multivisor top}. */
@Command(
        name = "top",
        description = {
            "Shows what the running machines do, per second since the last look: instructions (INSTR/S), shares of them that"
                    + " were interpreted and compiled, host CPU time, and exits by cause. REGIONS are those that wait for"
                    + " the compiler / those that were compiled. \"-\" is what an engine does not count.",
            "With --hot or --explain, what the engine has compiled of a machine's code."
        },
        mixinStandardHelpOptions = true,
        sortOptions = false,
        footerHeading = "%nExamples:%n",
        footer = {
            "  multivisor top                          q leaves it",
            "  multivisor top web -n 1 -d 5s           once, over five seconds",
            "  multivisor top -n 0 --format json       a line of JSON for each look, for ever",
            "  multivisor top web --hot                compiled regions, the busiest first",
            "  multivisor top web --explain 0xffffffff81a01230"
        },
        exitCodeListHeading = "%nExit status:%n",
        exitCodeList = {
            "0:It was shown.",
            "1:With --hot or --explain, the machine's engine compiles nothing.",
            "2:Bad input: there is no such machine, or nothing compiled at the address."
        })
final class TopCommand implements Callable<Integer> {
    private static final Duration LEAST = Duration.ofMillis(100);

    /** What a person waits for the first figures at the most. */
    private static final Duration FIRST = Duration.ofMillis(500);

    @Spec
    private CommandSpec spec;

    @Parameters(
            paramLabel = "VM",
            arity = "0..1",
            description =
                    "A machine, as \"multivisor ps\" shows it; NAME@PID where a name is not enough. Default: all.")
    private String vm;

    @Option(
            names = {"-n", "--count"},
            paramLabel = "COUNT",
            description = "How many looks; 0 for no end. Default: no end on a terminal, else 1.")
    private Integer count;

    @Option(
            names = {"-d", "--delay"},
            paramLabel = "SECONDS",
            defaultValue = "2s",
            description = "Time between two looks, such as 2, 500ms or 1m. Default: ${DEFAULT-VALUE}.")
    private Duration delay;

    @Option(names = "--hot", description = "List the compiled regions of guest code, the busiest first.")
    private boolean hot;

    @Option(
            names = "--explain",
            paramLabel = "ADDRESS",
            description =
                    "Show compiled code that holds this guest-virtual address, in hexadecimal: guest assembly, the"
                            + " bytecode made of it, and how often it ran.")
    private String address;

    @Mixin
    private OutputFormat format;

    @Override
    public Integer call() throws InterruptedException {
        if (count != null && count < 0) {
            throw new CliException("--count: " + count + " is less than 0");
        }
        if (delay.compareTo(LEAST) < 0) {
            throw new CliException("--delay: " + delay.toMillis() + "ms is less than 100ms");
        }
        try (Remote remote = new Remote()) {
            if (hot || address != null) {
                explain(remote);
            } else if (!format.json() && RawTerminal.isTerminal(0) && RawTerminal.isTerminal(1)) {
                watch(remote);
            } else {
                print(remote);
            }
        }
        return ExitStatus.OK;
    }

    private void explain(Remote remote) throws InterruptedException {
        String option = hot ? "--hot" : "--explain";
        if (hot && address != null) {
            throw new CliException("--hot: cannot be given with --explain");
        }
        if (vm == null) {
            throw new CliException("VM: is missing; " + option + " is for one machine");
        }
        OptionalLong linear = OptionalLong.empty();
        if (address != null) {
            try {
                linear = OptionalLong.of(ControlClient.address(address));
            } catch (IllegalArgumentException e) {
                throw new CliException("--explain: " + e.getMessage());
            }
        }
        Remote.Target target = remote.find(vm);
        CodeView code = remote.client().code(target.socket(), target.name(), linear);
        PrintWriter out = spec.commandLine().getOut();
        if (format.json()) {
            format.printJson(out, code);
        } else {
            out.print(code.text());
            out.flush();
        }
    }

    private List<MachineView> look(Remote remote) throws InterruptedException {
        return vm == null
                ? remote.machines().stream().map(Remote.Target::machine).toList()
                : List.of(remote.find(vm).machine());
    }

    /** Prints table after table; a line of JSON for each look. */
    private void print(Remote remote) throws InterruptedException {
        PrintWriter out = spec.commandLine().getOut();
        int looks = Optional.ofNullable(count).orElse(1);
        Rates rates = new Rates();
        rates.since(look(remote), System.nanoTime());
        for (int n = 1; looks == 0 || n <= looks; n++) {
            Thread.sleep(delay);
            List<Rates.Row> rows = rates.since(look(remote), System.nanoTime());
            if (format.json()) {
                out.println(OutputFormat.mapper()
                        .writeValueAsString(rows.stream().map(Rates.Row::fields).toList()));
            } else {
                if (n > 1) {
                    out.println();
                }
                TopTable.lines(rows).forEach(out::println);
            }
            out.flush();
        }
    }

    /** Until the count is reached, or a key or the terminal ends it. */
    private void watch(Remote remote) throws InterruptedException {
        int looks = Optional.ofNullable(count).orElse(0);
        Rates rates = new Rates();
        rates.since(look(remote), System.nanoTime());
        try (TopScreen screen = TopScreen.open()) {
            boolean goesOn = screen.await(FIRST.compareTo(delay) < 0 ? FIRST : delay);
            for (int n = 1; goesOn && (looks == 0 || n <= looks); n++) {
                screen.show(TopTable.lines(rates.since(look(remote), System.nanoTime())));
                goesOn = n != looks && screen.await(delay);
            }
        }
    }
}
