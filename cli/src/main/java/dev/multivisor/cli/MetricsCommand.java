package dev.multivisor.cli;

import dev.multivisor.server.ControlException;
import dev.multivisor.server.RunFolder;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code multivisor metrics}. */
@Command(
        name = "metrics",
        description = "Prints figures of all running machines as Prometheus reads them.",
        mixinStandardHelpOptions = true,
        footerHeading = "%nExamples:%n",
        footer = {
            "  multivisor metrics",
            "  multivisor metrics >/var/lib/node_exporter/multivisor.prom    for its textfile collector"
        })
final class MetricsCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() {
        List<String> texts = new ArrayList<>();
        try (Remote remote = new Remote()) {
            for (RunFolder.Socket socket : remote.sockets()) {
                try {
                    texts.add(remote.client().metrics(socket.path()));
                } catch (ControlException e) {
                    if (!e.unreachable()) {
                        throw e;
                    }
                }
            }
        }
        spec.commandLine().getOut().print(merged(texts));
        spec.commandLine().getOut().flush();
        return ExitStatus.OK;
    }

    /** The format wants all samples of a metric together, under one heading, whichever process they come from. */
    static String merged(List<String> texts) {
        Map<String, StringBuilder> headings = new LinkedHashMap<>();
        Map<String, StringBuilder> samples = new LinkedHashMap<>();
        for (String text : texts) {
            String metric = "";
            boolean first = false;
            for (String line : text.lines().toList()) {
                if (line.startsWith("# HELP ") || line.startsWith("# TYPE ")) {
                    String name = line.split(" ", 4)[2];
                    if (!name.equals(metric)) {
                        metric = name;
                        first = headings.putIfAbsent(name, new StringBuilder()) == null;
                    }
                    if (first) {
                        headings.get(name).append(line).append('\n');
                    }
                } else {
                    samples.computeIfAbsent(metric, unused -> new StringBuilder())
                            .append(line)
                            .append('\n');
                }
            }
        }
        StringBuilder all = new StringBuilder();
        headings.forEach(
                (metric, heading) -> all.append(heading).append(samples.getOrDefault(metric, new StringBuilder())));
        return all.toString();
    }
}
