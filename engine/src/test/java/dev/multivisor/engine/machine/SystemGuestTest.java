package dev.multivisor.engine.machine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.multivisor.api.Boot;
import dev.multivisor.api.Exit;
import dev.multivisor.api.MachineSpec;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/** Guests in assembly that test system behaviour from inside; {@code guest.inc} describes their frame. */
class SystemGuestTest {
    private static final Path SOURCES = Path.of("src/test/guests");

    @TempDir
    Path folder;

    @TestFactory
    Stream<DynamicTest> guests() throws IOException {
        assumeTrue(available("as") && available("ld") && available("objcopy"), "no binutils on this host");
        try (Stream<Path> files = Files.list(SOURCES)) {
            return files.filter(file -> file.toString().endsWith(".S")).sorted().toList().stream()
                    .map(file -> DynamicTest.dynamicTest(file.getFileName().toString(), () -> run(file)));
        }
    }

    private void run(Path source) throws IOException, InterruptedException {
        Path kernel = build(source);
        int cpus = source.getFileName().toString().startsWith("smp") ? 2 : 1;
        try (var lent = new TestResources(64 << 20);
                var machine = SoftMachine.create(
                        "test",
                        new MachineSpec(cpus, "x86-64-v2", Map.of()),
                        new Boot(TestResources.image(kernel), List.of(), ""),
                        lent.resources)) {
            Exit exit = MachineRunner.run(machine, Duration.ofSeconds(60));
            assertEquals(new Exit(Exit.Reason.DEBUG_EXIT, 1, ""), exit, lent.debug::text);
        }
    }

    private Path build(Path source) throws IOException, InterruptedException {
        Path object = folder.resolve("guest.o");
        Path elf = folder.resolve("guest.elf");
        Path kernel = folder.resolve("guest.bin");
        tool("as", "--64", "-I", SOURCES.toString(), "-o", object.toString(), source.toString());
        tool("ld", "-m", "elf_x86_64", "-N", "--no-warn-rwx-segments", "-Ttext=0x101000",
                "--section-start=.multiboot=0x100000", "-o", elf.toString(), object.toString());
        tool("objcopy", "-O", "elf32-i386", elf.toString(), kernel.toString());
        return kernel;
    }

    private static void tool(String... command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes());
        assertEquals(0, process.waitFor(), output);
    }

    private static boolean available(String tool) {
        return Stream.of(System.getenv("PATH").split(File.pathSeparator))
                .anyMatch(folder -> Files.isExecutable(Path.of(folder, tool)));
    }
}
