package dev.multivisor.dist;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.multivisor.dist.Program.Result;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Runs the built program as a user does: what a guest does becomes an exit status and a line of text. */
class InstallationTest {
    @TempDir
    Path folder;

    @Test
    void theGuestsOwnStatusIsPassedOn() throws Exception {
        assertEquals(11, run(TinyKernel.DEBUG_EXIT).status());
    }

    @Test
    void whatTheGuestPrintsIsStandardOutput() throws Exception {
        String code = TinyKernel.print(0x3f8, "hello, ", TinyKernel.print(0xe9, "world\n", TinyKernel.DEBUG_EXIT));
        Path log = folder.resolve("log");
        Result result = run(code, "--log", log.toString());
        assertEquals(new Result(11, "hello, world\n", ""), result);
        assertEquals("hello, world\n", Files.readString(log));
    }

    @Test
    void standardInputIsTheConsole() throws Exception {
        Result result = runWithInput("some words\nq", TinyKernel.ECHO);
        assertEquals(new Result(11, "some words\nq", ""), result);
    }

    @Test
    void endsHaveStatusesOfTheirOwn() throws Exception {
        assertEnd(66, "triple fault", run(TinyKernel.TRIPLE_FAULT));
        assertEnd(68, "halted for good", run(TinyKernel.HALT));
        assertEnd(0, "", run(TinyKernel.RESET, "--no-reboot"));
        assertEnd(124, "the time-out of 2 s was reached", run(TinyKernel.SPIN, "--timeout", "2s"));
        String panic =
                TinyKernel.print(0x3f8, "[    0.100000] Kernel panic - not syncing: for the test\n", TinyKernel.RESET);
        assertEnd(64, "Kernel panic - not syncing: for the test", run(panic));
    }

    @Test
    void aResetStartsTheMachineAnew() throws Exception {
        Result result = run(TinyKernel.print(0x3f8, "again\n", TinyKernel.RESET), "--timeout", "5s");
        assertEquals(124, result.status(), result.err());
        assertTrue(result.out().startsWith("again\nagain\n"), result.out());
    }

    @Test
    void theEngineMadeHereIsNotUnpackedButUsedAsTheModuleThatItIs() throws Exception {
        Path unpacked = folder.resolve("cache/multivisor/engines");
        assertEquals(11, run(TinyKernel.DEBUG_EXIT).status());
        assertFalse(Files.exists(unpacked));
        assertEquals(11, run(TinyKernel.DEBUG_EXIT, "--engine", "0.2.0").status());
        assertTrue(Files.isDirectory(unpacked));
    }

    @Test
    void badInputIsOneLine() throws Exception {
        byte[] kernel = TinyKernel.of(TinyKernel.DEBUG_EXIT);
        Path cut = Files.write(folder.resolve("cut"), java.util.Arrays.copyOf(kernel, 60));
        Path text = Files.writeString(folder.resolve("text"), "no kernel at all");
        assertBad(text.toString(), "run", "--kernel", text.toString());
        assertBad(cut.toString(), "run", "--kernel", cut.toString());
        Path good = Files.write(folder.resolve("good"), kernel);
        assertBad("is no JAR", "run", "--kernel", good.toString(), "--engine", text.toString());
        assertBad("colour", "run", "--kernel", good.toString(), "--param", "colour=red");
    }

    private void assertBad(String problem, String... arguments) throws Exception {
        Result result = program("", List.of(arguments));
        assertEquals(2, result.status(), result.err());
        assertEquals(1, result.err().lines().count(), result.err());
        assertTrue(result.err().startsWith("multivisor: ") && result.err().contains(problem), result.err());
    }

    private static void assertEnd(int status, String message, Result result) {
        assertEquals(status, result.status(), result.err());
        assertTrue(result.err().contains(message), result.err());
        assertTrue(result.err().lines().count() <= 1, result.err());
    }

    private Result run(String code, String... options) throws Exception {
        return runWithInput("", code, options);
    }

    private Result runWithInput(String input, String code, String... options) throws Exception {
        Path kernel = Files.write(folder.resolve("kernel"), TinyKernel.of(code));
        List<String> arguments =
                new ArrayList<>(List.of("run", "--kernel", kernel.toString(), "--memory", "16M", "--timeout", "60s"));
        if (List.of(options).contains("--timeout")) {
            arguments.subList(arguments.size() - 2, arguments.size()).clear();
        }
        arguments.addAll(List.of(options));
        return program(input, arguments);
    }

    private Result program(String input, List<String> arguments) throws Exception {
        return new Program(folder).multivisor(input, arguments);
    }
}
