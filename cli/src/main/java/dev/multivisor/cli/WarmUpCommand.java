package dev.multivisor.cli;

import dev.multivisor.images.Image;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;
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

    /** What a guest of an image does, so that the JVM learns which of the engine's code is hot, and how it branches. */
    private static final String WORK = """
            #!/bin/sh
            find / -xdev | sort | tee /tmp/files | md5sum
            for n in 1 2 3 4 5 6 7 8; do cat /tmp/files; done | gzip | sha256sum
            awk 'BEGIN { for (n = 0; n < 100000; n++) sum += n % 7 * 1.5; print sum }'
            n=0; while [ $n -lt 3000 ]; do n=$((n + 1)); done
            """;

    private final PrintWriter nowhere = new PrintWriter(Writer.nullWriter());

    @Override
    public Integer call() throws IOException, InterruptedException {
        run("--help");
        run("run", "--help");
        run("doctor");
        run("engine", "list", "--format", "json");
        run("image", "list");
        boot();
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

    /** Boots an image, if one has been pulled. */
    private void boot() throws IOException {
        List<Image> images = ImageCommand.images().list();
        if (images.isEmpty()) {
            return;
        }
        Path script = Files.createTempFile("multivisor-", ".sh");
        try {
            Files.writeString(script, WORK);
            run("run", "--image", images.getFirst().name(), "--script", script.toString(), "--timeout", "120s");
        } finally {
            Files.delete(script);
        }
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
