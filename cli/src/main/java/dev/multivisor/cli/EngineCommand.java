package dev.multivisor.cli;

import dev.multivisor.api.EngineInfo;
import dev.multivisor.api.EngineParameter;
import dev.multivisor.host.EngineCatalog;
import dev.multivisor.host.EngineJar;
import dev.multivisor.host.LoadedEngine;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
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
            "  multivisor engine show",
            "",
            "Engines are JARs in the installation's folder \"engines\" and in ~/.local/share/multivisor/engines."
        })
final class EngineCommand implements Runnable {
    @Spec
    private CommandSpec spec;

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "a command is missing: list or show");
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

    @Command(
            name = "show",
            description = "Loads an engine and shows what it says about itself, with the settings that --param takes.",
            mixinStandardHelpOptions = true,
            footerHeading = "%nExample:%n",
            footer = "  multivisor engine show 0.1.0")
    int show(
            @Parameters(
                            paramLabel = "V",
                            arity = "0..1",
                            defaultValue = "",
                            description = "A version or a JAR. Default: the newest.")
                    String named,
            @Mixin OutputFormat format) {
        try (LoadedEngine engine = LoadedEngine.load(Installation.engine(named))) {
            EngineInfo info = engine.info();
            List<Map<String, Object>> parameters = new ArrayList<>();
            for (EngineParameter parameter : info.parameters()) {
                Map<String, Object> row = new LinkedHashMap<>();
                row.put("parameter", parameter.name());
                row.put("default", parameter.standard());
                row.put("description", parameter.description());
                parameters.add(row);
            }
            if (format.json()) {
                Map<String, Object> row = new LinkedHashMap<>();
                row.put("name", info.name());
                row.put("version", info.version());
                row.put("contract", info.contract());
                row.put("path", engine.jar().path().toString());
                row.put("parameters", parameters);
                format.print(spec.commandLine().getOut(), List.of(row));
            } else {
                spec.commandLine()
                        .getOut()
                        .printf("%s %s, contract %d%n", info.name(), info.version(), info.contract());
                format.print(spec.commandLine().getOut(), parameters);
            }
        }
        return ExitStatus.OK;
    }
}
