package dev.multivisor.server;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.multivisor.api.Engine;
import dev.multivisor.host.EngineJar;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.jar.Attributes;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import java.util.spi.ToolProvider;
import java.util.stream.Stream;

/** Compiles and packs engines; version 9 refuses every machine. */
final class FakeEngine {
    private FakeEngine() {}

    static EngineJar build(Path folder, String version) throws Exception {
        Path work = Files.createDirectories(folder.resolve("engine-" + version));
        Path classes = Files.createDirectories(work.resolve("classes"));
        String source;
        try (var in = FakeEngine.class.getResourceAsStream("Fake.java.txt")) {
            source = new String(in.readAllBytes(), StandardCharsets.UTF_8).replace("@VERSION@", version);
        }
        Path file = Files.writeString(work.resolve("Fake.java"), source);
        Path module = Files.writeString(
                work.resolve("module-info.java"),
                "module dev.multivisor.engine { requires dev.multivisor.api;"
                        + " provides dev.multivisor.api.Engine with dev.multivisor.engine.Fake; }");
        String api = Path.of(Engine.class
                        .getProtectionDomain()
                        .getCodeSource()
                        .getLocation()
                        .toURI())
                .toString();
        StringWriter messages = new StringWriter();
        PrintWriter out = new PrintWriter(messages);
        int status = ToolProvider.findFirst("javac")
                .orElseThrow()
                .run(out, out, "-d", "" + classes, "--module-path", api, "" + file, "" + module);
        assertEquals(0, status, messages.toString());
        return EngineJar.read(pack(work.resolve("engine.jar"), version, classes));
    }

    private static Path pack(Path jar, String version, Path classes) throws IOException {
        Manifest manifest = new Manifest();
        manifest.getMainAttributes().put(Attributes.Name.MANIFEST_VERSION, "1.0");
        manifest.getMainAttributes().put(new Attributes.Name("Multivisor-Engine"), version);
        manifest.getMainAttributes().put(new Attributes.Name("Multivisor-Contract"), "" + Engine.CONTRACT);
        try (OutputStream file = Files.newOutputStream(jar);
                JarOutputStream out = new JarOutputStream(file, manifest);
                Stream<Path> walk = Files.walk(classes)) {
            for (Path path : walk.filter(Files::isRegularFile).toList()) {
                out.putNextEntry(new JarEntry(classes.relativize(path).toString()));
                out.write(Files.readAllBytes(path));
                out.closeEntry();
            }
        }
        return jar;
    }
}
