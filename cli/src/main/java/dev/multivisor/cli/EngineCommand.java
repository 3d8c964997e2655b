package dev.multivisor.cli;

import dev.multivisor.host.EngineCatalog;
import dev.multivisor.host.EngineJar;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code multivisor engine}. */
@Command(
        name = "engine",
        description = "Shows the engines that guests can run on.",
        mixinStandardHelpOptions = true,
        footerHeading = "%nExamples:%n",
        footer = {
            "  multivisor engine list",
            "  multivisor engine list --format json",
            "",
            "Engines are JARs in the installation's folder \"engines\" and in ~/.local/share/multivisor/engines."
        })
final class EngineCommand implements Runnable {
    @Spec
    private CommandSpec spec;

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "a command is missing: list");
    }

    @Command(
            name = "list",
            description = "Lists the engines, oldest first; the last one is used unless another is named.",
            mixinStandardHelpOptions = true,
            footerHeading = "%nExample:%n",
            footer = "  multivisor engine list --format json")
    int list(@Mixin OutputFormat format) {
        PrintWriter out = spec.commandLine().getOut();
        EngineCatalog catalog = EngineCatalog.of(Installation.engineFolders());
        List<Map<String, Object>> rows = new ArrayList<>();
        for (EngineJar jar : catalog.engines()) {
            Map<String, Object> row = new LinkedHashMap<>();
            row.put("version", jar.version());
            row.put("contract", jar.contract());
            row.put("path", jar.path().toString());
            rows.add(row);
        }
        format.print(out, rows);
        catalog.problems().forEach(problem -> spec.commandLine().getErr().println("multivisor: " + problem));
        if (rows.isEmpty() && !format.json()) {
            out.println("There is no engine in " + Installation.engineFolders() + ".");
        }
        return ExitStatus.OK;
    }
}
