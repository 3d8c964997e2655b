package dev.multivisor.it;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** Runs {@code ./multivisor} as a user does, with the user's caches. */
final class Launcher {
    /** Longer than any guest takes on a busy machine: a run that reaches it hangs. */
    static final Duration PATIENCE = Duration.ofMinutes(15);

    static final Path ROOT =
            Path.of(System.getProperty("multivisor.root")).toAbsolutePath().normalize();

    static {
        markAsBuilt();
    }

    /** What the first command that boots a fetched image says, whichever test's that is. */
    private static final String PREPARATION =
            "multivisor: preparing faster boots, once, this takes half a minute... done.\n";

    private Launcher() {}

    /** How a run ended and what it printed. */
    record Result(int status, String out, String err, Duration time) {
        /** What it printed, for a failed assertion. */
        @Override
        public String toString() {
            return "status " + status + " after " + time.toMillis() + " ms\n--- out\n" + tail(out) + "\n--- err\n"
                    + tail(err);
        }

        private static String tail(String text) {
            return text.length() < 8000 ? text : "..." + text.substring(text.length() - 8000);
        }
    }

    /** A run that goes on. */
    record Running(Process process, Path out, Path err, Instant start) {
        String printed() {
            return read(out);
        }

        Result await() throws InterruptedException {
            boolean ended = process.waitFor(PATIENCE.toSeconds(), TimeUnit.SECONDS);
            process.destroyForcibly().waitFor();
            String problems = read(err).replace(PREPARATION, "");
            Result result =
                    new Result(process.exitValue(), read(out), problems, Duration.between(start, Instant.now()));
            assertTrue(ended, () -> "it hangs: " + result);
            return result;
        }

        /** Waits until something was printed. */
        void awaitOutput(String text) throws InterruptedException {
            while (!printed().contains(text)) {
                assertTrue(
                        process.isAlive()
                                && Duration.between(start, Instant.now()).compareTo(PATIENCE) < 0,
                        () -> "was not printed: " + text + "\n" + printed() + read(err));
                Thread.sleep(100);
            }
        }

        private static String read(Path file) {
            try {
                return new String(Files.readAllBytes(file), StandardCharsets.UTF_8);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }

    /** The build has just made what the launcher would build; sources that changed since are built by the launcher. */
    private static void markAsBuilt() {
        Path mark = ROOT.resolve("dist/target/multivisor/built");
        FileTime start = FileTime.from(Instant.parse(System.getProperty("multivisor.built")));
        try {
            if (!Files.exists(mark)) {
                Files.createFile(mark);
                Files.setLastModifiedTime(mark, start);
            } else if (Files.getLastModifiedTime(mark).compareTo(start) < 0) {
                Files.setLastModifiedTime(mark, start);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static Result run(Path folder, String... arguments) throws IOException, InterruptedException {
        return start(folder, "", arguments).await();
    }

    static Result run(Path folder, List<String> arguments) throws IOException, InterruptedException {
        return run(folder, arguments.toArray(String[]::new));
    }

    /** Starts it with files of a folder as its standard streams. */
    static Running start(Path folder, String input, String... arguments) throws IOException {
        Path in = Files.writeString(Files.createTempFile(folder, "in", ""), input);
        return start(folder, Redirect.from(in.toFile()), Map.of(), command(arguments));
    }

    /** The launcher with arguments. */
    static List<String> command(String... arguments) {
        List<String> command =
                new ArrayList<>(List.of(ROOT.resolve("multivisor").toString()));
        command.addAll(Arrays.asList(arguments));
        return command;
    }

    /** Starts a command with more in its environment. */
    static Running start(Path folder, Redirect in, Map<String, String> environment, List<String> command)
            throws IOException {
        Path out = Files.createTempFile(folder, "out", "");
        Path err = Files.createTempFile(folder, "err", "");
        Instant start = Instant.now();
        ProcessBuilder builder = new ProcessBuilder(command)
                .directory(folder.toFile())
                .redirectInput(in)
                .redirectOutput(out.toFile())
                .redirectError(err.toFile());
        builder.environment().putAll(environment);
        Process process = builder.start();
        return new Running(process, out, err, start);
    }
}
