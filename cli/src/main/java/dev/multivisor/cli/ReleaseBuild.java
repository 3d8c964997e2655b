package dev.multivisor.cli;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** Builds released engines from the commits that they were released at, by the source tree's own program for that. */
final class ReleaseBuild {
    private static final String PREFIX = "engines/build: ";

    private final Path program;

    private ReleaseBuild(Path program) {
        this.program = program;
    }

    /**
     * The build of the source tree that this program runs from.
     *
     * @throws CliException if it does not run from one
     */
    static ReleaseBuild of(String version) {
        return Installation.sources()
                .map(root -> root.resolve("engines/build"))
                .filter(Files::isExecutable)
                .map(ReleaseBuild::new)
                .orElseThrow(() -> new CliException("engine " + version + ": is not here, and can be built only where"
                        + " Multivisor runs from its source tree; name a JAR instead"));
    }

    /**
     * Builds a release, or finds what was built before.
     *
     * @return its JAR
     * @throws CliException with what the build says is wrong
     */
    Path build(String version, PrintWriter err) throws InterruptedException {
        ProcessBuilder builder = new ProcessBuilder(program.toString(), version).redirectInput(new File("/dev/null"));
        Path jdk = Path.of(System.getProperty("java.home"));
        if (Files.isExecutable(jdk.resolve("bin/javac"))) {
            builder.environment().putIfAbsent("JAVA25_HOME", jdk.toString());
        }
        try (PullProgress progress = new PullProgress(err)) {
            Process process = builder.start();
            List<String> said = new ArrayList<>();
            try (BufferedReader lines =
                    new BufferedReader(new InputStreamReader(process.getErrorStream(), StandardCharsets.UTF_8))) {
                for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                    said.add(line.startsWith(PREFIX) ? line.substring(PREFIX.length()) : line);
                    if (line.startsWith(PREFIX + "building")) {
                        progress.update(said.getLast(), 0, 0);
                    }
                }
            }
            List<String> result;
            try (Stream<String> lines =
                    process.inputReader(StandardCharsets.UTF_8).lines()) {
                result = lines.toList();
            }
            if (process.waitFor() != 0 || result.size() != 1) {
                throw new CliException(
                        said.isEmpty() ? "engine " + version + ": " + program + " failed" : said.getLast());
            }
            return Path.of(result.getFirst());
        } catch (IOException e) {
            throw new CliException("engine " + version + ": " + program + " cannot be run (" + e.getMessage() + ")");
        }
    }
}
