package dev.multivisor.host;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;

/**
 * The engines on this host: the JARs in some folders.
 *
 * @param engines those that can be loaded, ascending by version
 * @param problems one line for each JAR that cannot
 */
public record EngineCatalog(List<EngineJar> engines, List<String> problems) {
    public EngineCatalog {
        engines = List.copyOf(engines);
        problems = List.copyOf(problems);
    }

    /** Looks into folders; one that is absent holds nothing. */
    public static EngineCatalog of(List<Path> folders) {
        List<EngineJar> engines = new ArrayList<>();
        List<String> problems = new ArrayList<>();
        for (Path folder : folders) {
            if (!Files.isDirectory(folder)) {
                continue;
            }
            try (DirectoryStream<Path> jars = Files.newDirectoryStream(folder, "*.jar")) {
                for (Path path : jars) {
                    try {
                        engines.add(EngineJar.read(path));
                    } catch (HostException e) {
                        problems.add(e.getMessage());
                    }
                }
            } catch (IOException e) {
                problems.add("engines folder " + folder + ": cannot be read (" + e.getMessage() + ")");
            }
        }
        engines.sort(EngineJar.BY_VERSION);
        return new EngineCatalog(engines, problems);
    }

    /**
     * The folder for engines that a user added: {@code multivisor/engines} under {@code XDG_DATA_HOME} or
     * {@code ~/.local/share}.
     */
    public static Path userFolder() {
        return UserFolders.data().resolve("engines");
    }

    /** This catalog with one more engine, unless it is in it. */
    public EngineCatalog with(EngineJar engine) {
        if (engines.contains(engine)) {
            return this;
        }
        List<EngineJar> more = new ArrayList<>(engines);
        more.add(engine);
        more.sort(EngineJar.BY_VERSION);
        return new EngineCatalog(more, problems);
    }

    /**
     * The newest engine.
     *
     * @throws HostException if there is none
     */
    public EngineJar newest() {
        if (engines.isEmpty()) {
            throw new HostException("engine: none was found" + problemsInParentheses());
        }
        return engines.getLast();
    }

    /**
     * The engine of a version.
     *
     * @throws HostException if there is none
     */
    public EngineJar version(String version) {
        return engines.reversed().stream()
                .filter(jar -> jar.version().equals(version))
                .findFirst()
                .orElseThrow(() -> new HostException("engine: there is no version " + version + " here; there is "
                        + (engines.isEmpty()
                                ? "none"
                                : engines.stream().map(EngineJar::version).collect(Collectors.joining(", ")))
                        + problemsInParentheses()));
    }

    private String problemsInParentheses() {
        return problems.isEmpty() ? "" : " (" + String.join("; ", problems) + ")";
    }
}
