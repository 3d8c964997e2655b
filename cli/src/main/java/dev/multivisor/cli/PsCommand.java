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
import picocli.CommandLine.Spec;

/** {@code multivisor ps}. */
@Command(
        name = "ps",
        description = "Lists this user's running machines, each with the engine that it is on.",
        mixinStandardHelpOptions = true,
        footerHeading = "%nExamples:%n",
        footer = {"  multivisor ps", "  multivisor ps --format json"})
final class PsCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Mixin
    private OutputFormat format;

    @Override
    public Integer call() {
        PrintWriter out = spec.commandLine().getOut();
        try (Remote remote = new Remote()) {
            List<MachineView> machines =
                    remote.machines().stream().map(Remote.Target::machine).toList();
            if (format.json()) {
                format.printJson(out, machines);
            } else if (machines.isEmpty()) {
                out.println("No machine runs. \"multivisor run\" starts one.");
            } else {
                List<Map<String, Object>> rows = new ArrayList<>();
                machines.forEach(machine -> rows.add(row(machine)));
                format.print(out, rows);
            }
        }
        return ExitStatus.OK;
    }

    private static Map<String, Object> row(MachineView machine) {
        Map<String, Object> row = new LinkedHashMap<>();
        row.put("name", machine.name());
        row.put("pid", machine.pid());
        row.put(
                "state",
                machine.phase()
                        + (machine.panic().isPresent() ? ", panicked" : "")
                        + (machine.probation() ? ", probation" : ""));
        row.put("engine", machine.engine());
        row.put("previous", machine.previous().orElse("-"));
        row.put("cpus", machine.cpus().size());
        row.put("memory", Figures.bytes(machine.memoryBytes()));
        row.put("guest time", Figures.seconds(machine.guestNanos()));
        row.put("handovers", machine.handovers());
        return row;
    }
}
