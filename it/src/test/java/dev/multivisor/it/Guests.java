package dev.multivisor.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.abort;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** What guests are made of: Debian's images and programs that are compiled here. */
final class Guests {
    private static final Path WORK = Path.of(System.getProperty("it.work"));
    private static final String LINKER = "-Wl,-N,-Ttext=0x100000,--build-id=none,--no-warn-rwx-segments";
    private static final Map<String, String> REASONS = new HashMap<>();

    private Guests() {}

    /** Makes sure that an image is there; aborts the test where its packages cannot be had. */
    static synchronized void require(String image, Path folder) throws IOException, InterruptedException {
        String reason = REASONS.get(image);
        if (reason == null) {
            reason = "";
            String here = Launcher.run(folder, "image", "list").out();
            if (here.lines().noneMatch(line -> line.startsWith(image) && line.contains(" here "))) {
                Launcher.Result pulled = Launcher.run(folder, "image", "pull", image);
                reason = pulled.status() == 0 ? "" : pulled.err();
            }
            REASONS.put(image, reason);
        }
        if (!reason.isEmpty()) {
            abort("SKIPPED: the packages of " + image + " cannot be had here: " + reason);
        }
    }

    /** The folder of an image. The launcher goes by HOME, where the JVM of a test would ask the password file. */
    static Path image(String name) {
        Map<String, String> environment = System.getenv();
        String home = environment.getOrDefault("HOME", "/");
        return Path.of(environment.getOrDefault("XDG_CACHE_HOME", home + "/.cache"))
                .resolve("multivisor/images")
                .resolve(name);
    }

    /** Compiles a program, statically linked, so that it runs on the host and in any guest. */
    static Path program(String name) throws IOException, InterruptedException {
        // The benchmarks' programs serve here too.
        Path ours = source("c", name + ".c");
        return compile(
                name,
                Files.exists(ours) ? ours : Launcher.ROOT.resolve("bench/src/guest/" + name + ".c"),
                "-O2",
                "-mno-red-zone",
                "-static",
                "-pthread",
                "-Wall",
                "-Wextra",
                "-lm");
    }

    /** Assembles the small kernel that ends in a way of its own. */
    static Path kernel(String end) throws IOException, InterruptedException {
        return compile("end-" + end, source("guests", "end.S"), "-m32", "-nostdlib", "-static", LINKER, "-DEND_" + end);
    }

    /** Assembles the kernel that writes as fast as it can. */
    static Path storm() throws IOException, InterruptedException {
        return compile("storm", source("guests", "storm.S"), "-m32", "-nostdlib", "-static", LINKER);
    }

    /** Assembles the kernel that changes a page table as fast as it can. */
    static Path gtt() throws IOException, InterruptedException {
        return compile("gtt", source("guests", "gtt.S"), "-m32", "-nostdlib", "-static", LINKER);
    }

    /** Assembles the kernel that has kvmclock write to it. */
    static Path clock() throws IOException, InterruptedException {
        return compile("clock", source("guests", "clock.S"), "-m32", "-nostdlib", "-static", LINKER);
    }

    private static Path source(String kind, String name) {
        return Launcher.ROOT.resolve("it/src/test/" + kind + "/" + name);
    }

    static synchronized Path compile(String name, Path source, String... options)
            throws IOException, InterruptedException {
        Files.createDirectories(WORK);
        Path target = WORK.resolve(name);
        List<String> command = new ArrayList<>(List.of("cc", "-o", target.toString(), source.toString()));
        command.addAll(Arrays.asList(options));
        assertEquals("", output(command), "the compiler complains");
        return target;
    }

    /** What a program of the host prints, on either stream. */
    static String output(List<String> command) throws IOException, InterruptedException {
        Files.createDirectories(WORK);
        Path file = Files.createTempFile(WORK, "output", "");
        Process process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(file.toFile())
                .start();
        if (!process.waitFor(2, TimeUnit.MINUTES)) {
            process.destroyForcibly();
        }
        assertEquals(0, process.waitFor(), () -> command + " failed: " + file);
        String text = Files.readString(file);
        Files.delete(file);
        return text;
    }
}
