package dev.multivisor.cli;

import dev.multivisor.host.PromptThread;
import dev.multivisor.server.WatchView;
import java.io.PrintWriter;
import java.io.Writer;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code multivisor watch}. */
@Command(
        name = "watch",
        description = {
            "Watches the kernel of a running Linux guest, and tells who changes its code, its interrupt table or its"
                    + " tables of system calls, until the machine ends or Ctrl-C.",
            "A kernel changes its own code now and then (text_poke); that is told in short."
        },
        mixinStandardHelpOptions = true,
        footerHeading = "%nExamples:%n",
        footer = {
            "  multivisor watch vm",
            "  multivisor watch vm --all             each change that the kernel makes itself, too",
            "  multivisor watch vm --format json     a line of JSON for each"
        })
final class WatchCommand implements Callable<Integer> {
    /** The first lines that are printed take longer, and the first change is to be told at once. */
    private static final int PRACTICE = 1000;

    @Spec
    private CommandSpec spec;

    @Mixin
    private VmOption vm;

    @Option(
            names = "--all",
            description = "Print each change that the kernel makes itself, and not only how many there were.")
    private boolean all;

    @Mixin
    private OutputFormat format;

    @Override
    public Integer call() throws InterruptedException {
        // The machine's process has the same processors.
        PromptThread.beginAll();
        PrintWriter out = spec.commandLine().getOut();
        try (Remote remote = new Remote()) {
            Remote.Target target = remote.find(vm.name());
            if (format.json()) {
                remote.client().watchLines(target.socket(), target.name(), all, line -> print(line, out));
            } else {
                PrintWriter nowhere = new PrintWriter(Writer.nullWriter());
                for (int n = 0; n < PRACTICE; n++) {
                    print(text(WatchView.example()), nowhere);
                }
                remote.client().watch(target.socket(), target.name(), all, line -> print(text(line), out));
            }
        }
        return ExitStatus.OK;
    }

    private static void print(String line, PrintWriter out) {
        out.println(line);
        out.flush();
    }

    private static String text(WatchView line) {
        return line.change()
                .map(change -> line.time() + " " + text(line, change))
                .orElseGet(() -> (line.time() + " " + line.kind() + " " + line.detail()).strip());
    }

    private static String text(WatchView line, WatchView.Change change) {
        String who = change.instruction()
                .map(at -> "by vCPU " + change.cpu().orElse(-1) + " at " + at
                        + change.code().map(code -> " " + code).orElse(""))
                .orElse("from outside");
        long micros =
                Duration.between(Instant.parse(line.time()), Instant.now()).toNanos() / 1000;
        return change.part() + " " + change.symbol() + " at " + change.linear() + " (physical " + change.physical()
                + "): " + change.before() + " -> " + change.after() + ", " + change.means() + ", " + who
                + ", told after " + micros + " us";
    }
}
