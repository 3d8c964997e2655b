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

/** {@code multivisor info}. */
@Command(
        name = "info",
        description = "Shows a running machine: its vCPUs, its engine, and what it did on each engine.",
        mixinStandardHelpOptions = true,
        footerHeading = "%nExamples:%n",
        footer = {"  multivisor info vm", "  multivisor info vm --format json"})
final class InfoCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Mixin
    private VmOption vm;

    @Mixin
    private OutputFormat format;

    @Override
    public Integer call() throws InterruptedException {
        PrintWriter out = spec.commandLine().getOut();
        try (Remote remote = new Remote()) {
            MachineView machine = remote.find(vm.name()).machine();
            if (format.json()) {
                format.printJson(out, machine);
            } else {
                print(out, machine);
            }
        }
        return ExitStatus.OK;
    }

    private void print(PrintWriter out, MachineView machine) {
        out.printf("name        %s%n", machine.name());
        out.printf("process     %d%n", machine.pid());
        out.printf("state       %s%n", machine.phase());
        machine.panic().ifPresent(said -> out.printf("panic       %s%n", said));
        out.printf("engine      %s%s%n", machine.engine(), machine.probation() ? ", on probation" : "");
        out.printf("previous    %s%n", machine.previous().orElse("-"));
        out.printf(
                "parameters  %s%n",
                machine.parameters().isEmpty()
                        ? "-"
                        : machine.parameters().toString().replaceAll("[{}]", ""));
        out.printf("memory      %s%n", Figures.bytes(machine.memoryBytes()));
        out.printf("guest time  %s%n", Figures.seconds(machine.guestNanos()));
        out.printf("handovers   %d%n%n", machine.handovers());
        List<Map<String, Object>> cpus = new ArrayList<>();
        for (MachineView.Cpu cpu : machine.cpus()) {
            Map<String, Object> row = new LinkedHashMap<>();
            row.put("vcpu", cpus.size());
            row.put("instructions", Figures.count(cpu.instructions()));
            row.put("cpu time", Figures.seconds(cpu.cpuNanos()));
            row.put("state", cpu.waiting() ? "waits" : "runs");
            cpus.add(row);
        }
        format.print(out, cpus);
        out.println();
        List<Map<String, Object>> usage = new ArrayList<>();
        for (MachineView.Usage stay : machine.usage()) {
            Map<String, Object> row = new LinkedHashMap<>();
            row.put("engine", stay.engine());
            row.put("guest time", Figures.seconds(stay.guestNanos()));
            row.put("cpu time", Figures.seconds(stay.cpuNanos()));
            row.put("instructions", Figures.count(stay.instructions()));
            row.put("arrivals", stay.arrivals());
            row.put("failures", stay.failures());
            usage.add(row);
        }
        format.print(out, usage);
        for (MachineView.Usage stay : machine.usage()) {
            out.printf("%ncounters of engine %s%n", stay.engine());
            stay.counters().forEach((name, value) -> {
                if (value != 0) {
                    out.printf("%,20d %s%n", value, name);
                }
            });
        }
    }
}
