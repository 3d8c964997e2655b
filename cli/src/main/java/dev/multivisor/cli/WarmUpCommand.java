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

    /** In the same kernel: what ends it, and a loop in its place. */
    private static final String END = "b000e6f4";

    private static final String LOOP = "ebfe9090";

    private final PrintWriter nowhere = new PrintWriter(Writer.nullWriter());

    @Override
    public Integer call() throws IOException, InterruptedException {
        run("--help");
        run("run", "--help");
        run("doctor");
        run("engine", "list", "--format", "json");
        run("image", "list");
        Path kernel = Files.createTempFile("multivisor-", ".elf");
        try {
            String code = KERNEL.replaceAll("\\s", "");
            Files.write(kernel, HexFormat.of().parseHex(code));
            run("run", "--kernel", kernel.toString(), "--memory", "16M", "--timeout", "20s");
            Files.write(kernel, HexFormat.of().parseHex(code.replace(END, LOOP)));
            control(kernel);
        } finally {
            Files.delete(kernel);
        }
        return ExitStatus.OK;
    }

    /** What a second terminal does to a guest that goes on. */
    private void control(Path kernel) throws InterruptedException {
        String name = "warm-up-" + ProcessHandle.current().pid();
        Thread guest = Thread.ofPlatform()
                .start(() -> run(
                        "run", "--name", name, "--kernel", kernel.toString(), "--memory", "16M", "--timeout", "20s"));
        run("info", name);
        run("ps");
        run("upgrade", name, "--dry-run");
        run("upgrade", name, "--rehearsal", "500ms", "--format", "json");
        run("rollback", name);
        run("snapshot", "create", name, "--name", name, "--format", "json");
        run("snapshot", "list");
        run("run", "--from", name, "--timeout", "50ms");
        run("clone", name, "--count", "1", "--timeout", "50ms");
        run("snapshot", "rm", name);
        run("events");
        run("metrics");
        run("stop", name);
        guest.join();
    }

    private void run(String... arguments) {
        Main.execute(nowhere, nowhere, arguments);
    }
}
