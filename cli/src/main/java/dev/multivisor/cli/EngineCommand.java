package dev.multivisor.cli;

import dev.multivisor.api.EngineInfo;
import dev.multivisor.cli.EngineStore.Installed;
import dev.multivisor.host.EngineCatalog;
import dev.multivisor.host.EngineJar;
import dev.multivisor.host.HostException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code multivisor engine}. */
@Command(
        name = "engine",
        description = "Shows, adds and removes the engines that guests can run on.",
        mixinStandardHelpOptions = true,
        footerHeading = "%nExamples:%n",
        footer = {
            "  multivisor engine list",
            "  multivisor engine list --format json",
            "  multivisor engine show",
            "  multivisor engine install multivisor-engine-0.3.0.jar",
            "  multivisor engine remove 0.3.0",
            "",
            "Engines are JARs in the installation's folder \"engines\" and in ~/.local/share/multivisor/engines."
        })
final class EngineCommand implements Runnable {
    @Spec
    private CommandSpec spec;

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "a command is missing: list, show, install or remove");
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
        List<String> problems = new ArrayList<>(catalog.problems());
        EngineUses uses = EngineUses.now();
        List<Map<String, Object>> rows = new ArrayList<>();
        for (EngineJar jar : catalog.engines()) {
            try {
                EngineInfo info = jar.info();
                rows.add(format.json() ? EngineRows.full(jar, info, uses) : EngineRows.brief(jar, info, uses));
            } catch (HostException e) {
                problems.add(e.getMessage());
            }
        }
        format.print(out, rows);
        problems.forEach(problem -> spec.commandLine().getErr().println("multivisor: " + problem));
        if (rows.isEmpty() && !format.json()) {
            out.println("There is no engine in " + Installation.engineFolders() + ".");
        }
        return ExitStatus.OK;
    }

    @Command(
            name = "show",
            description = "Shows what an engine says about itself: the settings that --param takes, and its state.",
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
        EngineJar jar = Installation.engine(named);
        EngineInfo info = jar.info();
        PrintWriter out = spec.commandLine().getOut();
        if (format.json()) {
            format.print(out, List.of(EngineRows.full(jar, info, EngineUses.now())));
            return ExitStatus.OK;
        }
        out.printf("%s %s, %s, contract %d%n", info.name(), info.version(), EngineRows.build(jar), info.contract());
        out.printf("%s%n%n", jar.path());
        format.print(out, EngineRows.parameters(info));
        out.println();
        format.print(out, EngineRows.sections(info));
        if (!info.state().features().isEmpty()) {
            out.printf(
                    "%nFeatures: %s%n",
                    String.join(", ", new TreeSet<>(info.state().features())));
        }
        return ExitStatus.OK;
    }

    @Command(
            name = "install",
            description = {
                "Adds an engine: a JAR, or a release, which is built from its commit.",
                "The JAR is copied to ~/.local/share/multivisor/engines; running VMs can be upgraded to it at once."
            },
            mixinStandardHelpOptions = true,
            footerHeading = "%nExamples:%n",
            footer = {"  multivisor engine install multivisor-engine-0.3.0.jar", "  multivisor engine install 0.1.0"})
    int install(@Parameters(paramLabel = "FILE|VERSION", description = "A JAR, or a version.") String named)
            throws InterruptedException {
        EngineStore store = EngineStore.open();
        Installed installed;
        if (named.endsWith(".jar") || named.contains("/") || Files.exists(Path.of(named))) {
            installed = store.install(Path.of(named));
        } else {
            Optional<EngineJar> present = store.find(named);
            installed = present.isPresent()
                    ? new Installed(present.get(), false)
                    : store.install(ReleaseBuild.of(named)
                            .build(named, spec.commandLine().getErr()));
        }
        EngineJar engine = installed.engine();
        spec.commandLine()
                .getOut()
                .printf(
                        "engine %s: %s %s%n",
                        engine.version(), installed.fresh() ? "installed as" : "is here already,", engine.path());
        return ExitStatus.OK;
    }

    @Command(
            name = "remove",
            description = "Removes an engine that was installed, unless VMs need it.",
            mixinStandardHelpOptions = true,
            footerHeading = "%nExample:%n",
            footer = "  multivisor engine remove 0.3.0")
    int remove(@Parameters(paramLabel = "VERSION", description = "Its version.") String version) {
        EngineStore.open().remove(version, needed -> EngineUses.now().needing(needed));
        return ExitStatus.OK;
    }
}
