package dev.multivisor.dist;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.multivisor.host.EngineCatalog;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.spi.ToolProvider;

/** The working tree's engine under another version. */
final class EngineVariant {
    private EngineVariant() {}

    /** The working tree's engine. */
    static Path original() {
        Path folder = Path.of(System.getProperty("multivisor.home"), "engines");
        return EngineCatalog.of(List.of(folder)).engines().stream()
                .filter(engine -> engine.commit().isEmpty())
                .findFirst()
                .orElseThrow()
                .path();
    }

    /** A copy whose module and manifest have this version. */
    static Path of(Path folder, String version) throws IOException {
        Path jar = Files.copy(
                original(), Files.createTempDirectory(folder, "variant").resolve("engine.jar"));
        jar("--update", "--file", jar.toString(), "--module-version", version);
        return manifest(jar, Map.of("Multivisor-Engine", version));
    }

    /** Changes entries of a JAR's manifest. */
    static Path manifest(Path jar, Map<String, String> entries) throws IOException {
        List<String> lines = new ArrayList<>();
        entries.forEach((name, value) -> lines.add(name + ": " + value));
        Path manifest = Files.write(jar.resolveSibling("manifest"), lines);
        // The tool warns of entries that it replaces.
        jar("--update", "--file", jar.toString(), "--manifest", manifest.toString());
        Files.delete(manifest);
        return jar;
    }

    /** Adds a file to a JAR. */
    static Path add(Path jar, String name, String content) throws IOException {
        Path file = Files.writeString(jar.resolveSibling(name), content);
        jar("--update", "--file", jar.toString(), "-C", jar.getParent().toString(), name);
        Files.delete(file);
        return jar;
    }

    private static void jar(String... arguments) {
        StringWriter messages = new StringWriter();
        PrintWriter out = new PrintWriter(messages);
        assertEquals(
                0,
                ToolProvider.findFirst("jar").orElseThrow().run(out, out, arguments),
                () -> Arrays.toString(arguments) + messages);
    }
}
