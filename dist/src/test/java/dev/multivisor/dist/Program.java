package dev.multivisor.dist;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** Runs programs, above all the installed one, with caches and data in a folder of their own. */
record Program(Path folder) {
    /** How a run ended and what it printed. */
    record Result(int status, String out, String err) {
        /** One line on standard error that has these words, and status 2. */
        void assertBad(String... words) {
            assertEquals(2, status, err);
            assertEquals("", out);
            assertEquals(1, err.lines().count(), err);
            for (String word : words) {
                assertTrue(err.contains(word), err);
            }
        }

        /** All went well. */
        Result assertGood() {
            assertEquals(0, status, err);
            return this;
        }
    }

    /** Where the installed program finds the user's own engines. */
    Path engines() {
        return folder.resolve("data/multivisor/engines");
    }

    /** Runs the installed program. */
    Result multivisor(String input, List<String> arguments) throws IOException, InterruptedException {
        return run(input, command(arguments));
    }

    /** Starts the installed program; what it prints is not kept. */
    Process start(List<String> arguments) throws IOException {
        ProcessBuilder builder = new ProcessBuilder(command(arguments))
                .redirectInput(Path.of("/dev/null").toFile())
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .redirectError(ProcessBuilder.Redirect.DISCARD);
        isolate(builder);
        return builder.start();
    }

    private static List<String> command(List<String> arguments) {
        String home = System.getProperty("multivisor.home");
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=dev.multivisor.host,org.jline.terminal.ffm",
                "-XX:-DontCompileHugeMethods",
                "-Dmultivisor.home=" + home,
                "--module-path",
                home + "/lib:" + home + "/own",
                "-m",
                "dev.multivisor.cli/dev.multivisor.cli.Main"));
        command.addAll(arguments);
        return command;
    }

    private void isolate(ProcessBuilder builder) throws IOException {
        builder.environment().put("XDG_CACHE_HOME", folder.resolve("cache").toString());
        builder.environment().put("XDG_DATA_HOME", folder.resolve("data").toString());
        Path run = Files.createDirectories(folder.resolve("run"));
        builder.environment().put("XDG_RUNTIME_DIR", run.toString());
    }

    /** Runs any program. */
    Result run(String input, List<String> command) throws IOException, InterruptedException {
        Path out = folder.resolve("out");
        Path err = folder.resolve("err");
        Path in = Files.writeString(folder.resolve("in"), input);
        ProcessBuilder builder = new ProcessBuilder(command)
                .redirectInput(in.toFile())
                .redirectOutput(out.toFile())
                .redirectError(err.toFile());
        isolate(builder);
        Process process = builder.start();
        boolean ended = process.waitFor(120, TimeUnit.SECONDS);
        process.destroyForcibly().waitFor();
        assertTrue(ended, "the program hangs");
        return new Result(
                process.exitValue(),
                Files.readString(out, StandardCharsets.UTF_8),
                Files.readString(err, StandardCharsets.UTF_8));
    }
}
