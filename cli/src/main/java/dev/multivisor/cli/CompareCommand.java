package dev.multivisor.cli;

import dev.multivisor.server.MachineView;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code multivisor compare}. */
@Command(
        name = "compare",
        description = {
            "Shows two engines side by side: what all running machines did on each of them.",
            "Counters are per second of guest time; the ratio is the second engine's figure by the first one's."
        },
        mixinStandardHelpOptions = true,
        footerHeading = "%nExamples:%n",
        footer = {"  multivisor compare 0.1.0 0.2.0", "  multivisor compare 0.1.0 0.2.0 --format json"})
final class CompareCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Parameters(index = "0", paramLabel = "A", description = "An engine's version.")
    private String first;

    @Parameters(index = "1", paramLabel = "B", description = "Another one's.")
    private String second;

    @Mixin
    private OutputFormat format;

    @Override
    public Integer call() {
        PrintWriter out = spec.commandLine().getOut();
        if (first.equals(second)) {
            throw new CliException("engine " + first + ": is compared with itself");
        }
        List<MachineView> machines;
        try (Remote remote = new Remote()) {
            machines = remote.machines().stream().map(Remote.Target::machine).toList();
        }
        List<Map<String, Object>> rows = new ArrayList<>();
        for (Comparison.Row row : Comparison.of(machines, first, second)) {
            Map<String, Object> shown = new LinkedHashMap<>();
            shown.put("figure", row.figure());
            if (format.json()) {
                shown.put("unit", row.unit());
                shown.put(first, row.first());
                shown.put(second, row.second());
            } else {
                shown.put(first, Comparison.Row.text(row.first(), row.unit()));
                shown.put(second, Comparison.Row.text(row.second(), row.unit()));
                shown.put("ratio", row.ratioText());
            }
            rows.add(shown);
        }
        format.print(out, rows);
        return ExitStatus.OK;
    }
}
