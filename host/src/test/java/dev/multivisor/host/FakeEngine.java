package dev.multivisor.host;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.multivisor.api.Engine;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.jar.Attributes;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import java.util.spi.ToolProvider;
import java.util.stream.Stream;

/** Compiles and packs an engine whose vCPUs do what the parameter {@code mode} says. */
final class FakeEngine {
    private static final String LIBRARY =
            "package library; public final class Word { public static byte of() { return 'w'; } }";

    /** What differs from a good engine. */
    record Recipe(String version, String contract, String saysVersion, boolean provides, boolean library) {
        static Recipe good(String version) {
            return new Recipe(version, "1", version, true, true);
        }
    }

    private FakeEngine() {}

    static Path build(Path folder, Recipe recipe) throws IOException {
        Path work = Files.createTempDirectory(folder, "build-");
        Path libraryClasses = compile(
                work, "library", List.of(), "module library { exports library; }", "library/Word.java", LIBRARY);
        Path libraryJar = work.resolve("library.jar");
        pack(libraryJar, new Manifest(), libraryClasses, List.of());
        String provides = recipe.provides ? "provides dev.multivisor.api.Engine with dev.multivisor.engine.Fake;" : "";
        String source;
        try (var in = FakeEngine.class.getResourceAsStream("Fake.java.txt")) {
            source = new String(in.readAllBytes()).replace("@VERSION@", recipe.saysVersion);
        }
        Path classes = compile(
                work,
                "engine",
                List.of(libraryJar, apiPath()),
                "module dev.multivisor.engine { requires dev.multivisor.api; requires library; " + provides + " }",
                "dev/multivisor/engine/Fake.java",
                source);
        Manifest manifest = new Manifest();
        if (!recipe.version.isEmpty()) {
            manifest.getMainAttributes().put(new Attributes.Name("Multivisor-Engine"), recipe.version);
            manifest.getMainAttributes().put(new Attributes.Name("Multivisor-Contract"), recipe.contract);
        }
        Path jar = work.resolve("engine-" + recipe.version + ".jar");
        pack(jar, manifest, classes, recipe.library ? List.of(libraryJar) : List.of());
        return jar;
    }

    private static Path apiPath() {
        try {
            return Path.of(Engine.class
                    .getProtectionDomain()
                    .getCodeSource()
                    .getLocation()
                    .toURI());
        } catch (java.net.URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }

    private static Path compile(
            Path work, String name, List<Path> modulePath, String moduleInfo, String file, String source)
            throws IOException {
        Path sources = work.resolve(name + "-src");
        Path classes = Files.createDirectories(work.resolve(name + "-classes"));
        Path sourceFile = sources.resolve(file);
        Files.createDirectories(sourceFile.getParent());
        Files.writeString(sourceFile, source);
        Files.writeString(sources.resolve("module-info.java"), moduleInfo);
        List<String> arguments = new ArrayList<>(List.of("-d", classes.toString()));
        if (!modulePath.isEmpty()) {
            arguments.add("--module-path");
            arguments.add(
                    String.join(":", modulePath.stream().map(Path::toString).toList()));
        }
        arguments.add(sourceFile.toString());
        arguments.add(sources.resolve("module-info.java").toString());
        StringWriter messages = new StringWriter();
        PrintWriter out = new PrintWriter(messages);
        int status = ToolProvider.findFirst("javac").orElseThrow().run(out, out, arguments.toArray(String[]::new));
        assertEquals(0, status, messages.toString());
        return classes;
    }

    private static void pack(Path jar, Manifest manifest, Path classes, List<Path> nested) throws IOException {
        manifest.getMainAttributes().put(Attributes.Name.MANIFEST_VERSION, "1.0");
        try (OutputStream file = Files.newOutputStream(jar);
                JarOutputStream out = new JarOutputStream(file, manifest);
                Stream<Path> walk = Files.walk(classes)) {
            for (Path path : walk.filter(Files::isRegularFile).toList()) {
                put(out, classes.relativize(path).toString(), Files.readAllBytes(path));
            }
            for (Path path : nested) {
                put(out, EngineJar.LIBRARIES + path.getFileName(), Files.readAllBytes(path));
            }
        } catch (UncheckedIOException e) {
            throw e.getCause();
        }
    }

    private static void put(JarOutputStream out, String name, byte[] content) throws IOException {
        out.putNextEntry(new JarEntry(name));
        out.write(content);
        out.closeEntry();
    }

    /** A JAR with no engine in it. */
    static byte[] plainJar() throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        Manifest manifest = new Manifest();
        manifest.getMainAttributes().put(Attributes.Name.MANIFEST_VERSION, "1.0");
        new JarOutputStream(bytes, manifest).close();
        return bytes.toByteArray();
    }
}
