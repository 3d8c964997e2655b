package dev.multivisor.engine.machine;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.multivisor.api.Boot;
import dev.multivisor.api.Exit;
import dev.multivisor.api.MachineSpec;
import dev.multivisor.api.Resources;
import dev.multivisor.engine.cpu.TestCompiler;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * A guest in assembly ({@code guest.inc} describes their frame). Comments in its source say what differs from the usual:
 * {@code # expect: TRIPLE_FAULT}, {@code # command line: ...} and, any number of times, {@code # module: ...}.
 * Guests whose name begins with {@code smp} get two vCPUs.
 */
record SystemGuest(String name, Path source, int cpus, Exit.Reason expected, String commandLine, List<String> modules) {
    static final Path SOURCES = Path.of("src/test/guests");
    static final int MEMORY = 64 << 20;

    static boolean buildable() {
        return available("as") && available("ld") && available("objcopy");
    }

    static List<SystemGuest> all() throws IOException {
        try (Stream<Path> files = Files.list(SOURCES)) {
            return files.filter(file -> file.toString().endsWith(".S"))
                    .sorted()
                    .map(SystemGuest::of)
                    .toList();
        }
    }

    static SystemGuest named(String name) {
        return of(SOURCES.resolve(name + ".S"));
    }

    private static SystemGuest of(Path source) {
        String name = source.getFileName().toString().replace(".S", "");
        List<String> lines;
        try {
            lines = Files.readAllLines(source);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        String expected = values(lines, "expect").findFirst().orElse("DEBUG_EXIT");
        return new SystemGuest(
                name,
                source,
                name.startsWith("smp") ? 2 : 1,
                Exit.Reason.valueOf(expected),
                values(lines, "command line").findFirst().orElse(""),
                values(lines, "module").toList());
    }

    private static Stream<String> values(List<String> lines, String key) {
        String prefix = "# " + key + ": ";
        return lines.stream().filter(line -> line.startsWith(prefix)).map(line -> line.substring(prefix.length()));
    }

    SoftMachine create(Path kernel, Map<String, String> parameters, Resources resources) {
        List<Boot.Image> images = modules.stream()
                .map(text -> new Boot.Image(text, MemorySegment.ofArray(text.getBytes(StandardCharsets.UTF_8))))
                .toList();
        return SoftMachine.create(
                "test", spec(parameters), new Boot(TestResources.image(kernel), images, commandLine), resources);
    }

    MachineSpec spec(Map<String, String> parameters) {
        return new MachineSpec(cpus, "x86-64-v2", TestCompiler.parameters(parameters));
    }

    /** Assembles and links it into a folder. */
    Path build(Path folder) throws IOException, InterruptedException {
        Path object = folder.resolve(name + ".o");
        Path elf = folder.resolve(name + ".elf");
        Path kernel = folder.resolve(name + ".bin");
        tool("as", "--64", "-I", SOURCES.toString(), "-o", object.toString(), source.toString());
        tool(
                "ld",
                "-m",
                "elf_x86_64",
                "-N",
                "--no-warn-rwx-segments",
                "-Ttext=0x101000",
                "--section-start=.multiboot=0x100000",
                "-o",
                elf.toString(),
                object.toString());
        tool("objcopy", "-O", "elf32-i386", elf.toString(), kernel.toString());
        return kernel;
    }

    private static void tool(String... command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(0, process.waitFor(), output);
    }

    private static boolean available(String tool) {
        return Stream.of(System.getenv("PATH").split(File.pathSeparator))
                .anyMatch(folder -> Files.isExecutable(Path.of(folder, tool)));
    }
}
