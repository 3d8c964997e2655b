package dev.multivisor.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;

/** What the launcher runs once, so that the JVM's cache holds what a start needs. */
@Command(name = "warm-up", hidden = true, description = "Goes through what every start goes through.")
final class WarmUpCommand implements Callable<Integer> {
    /** An ELF32 file with a Multiboot header and {@code mov al, 0; out 0xf4, al; jmp $}. */
    private static final String KERNEL = """
            7f454c4601010100000000000000000002000300010000006000100034000000
            0000000000000000340020000100000000000000010000000000000000001000
            0000100066000000660000000700000000100000
            02b0ad1b00000000fe4f52e4
            b000e6f4ebfe
            """;

    @Override
    public Integer call() throws IOException {
        PrintWriter nowhere = new PrintWriter(Writer.nullWriter());
        Main.execute(nowhere, nowhere, "--help");
        Main.execute(nowhere, nowhere, "run", "--help");
        Main.execute(nowhere, nowhere, "doctor");
        Main.execute(nowhere, nowhere, "engine", "list", "--format", "json");
        Main.execute(nowhere, nowhere, "image", "list");
        Path kernel = Files.createTempFile("multivisor-", ".elf");
        try {
            Files.write(kernel, HexFormat.of().parseHex(KERNEL.replaceAll("\\s", "")));
            String[] run = {"run", "--kernel", kernel.toString(), "--memory", "16M", "--timeout", "20s"};
            Main.execute(nowhere, nowhere, run);
        } finally {
            Files.delete(kernel);
        }
        return ExitStatus.OK;
    }
}
