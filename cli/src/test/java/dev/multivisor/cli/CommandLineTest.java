package dev.multivisor.cli;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;
import picocli.CommandLine.TypeConversionException;

class CommandLineTest {
    @TempDir
    Path folder;

    private record Result(int status, String out, String err) {}

    @Test
    void everyCommandHasHelpWithAnExample() {
        List<CommandLine> commands = new ArrayList<>(List.of(Main.commandLine()));
        for (int n = 0; n < commands.size(); n++) {
            CommandLine command = commands.get(n);
            commands.addAll(command.getSubcommands().values());
            if (command.getCommandSpec().usageMessage().hidden()) {
                continue;
            }
            String help = command.getUsageMessage();
            String name = command.getCommandSpec().qualifiedName();
            assertTrue(help.contains("Example"), name);
            assertTrue(help.lines().allMatch(line -> line.length() <= 80), help);
        }
        assertTrue(commands.size() >= 16);
    }

    @Test
    void badInputIsOneLineThatNamesTheOption() throws Exception {
        Path text = Files.writeString(folder.resolve("text"), "not a kernel");
        Path empty = Files.createFile(folder.resolve("empty"));
        assertBad("--memory: \"lots\" is not a size", "run", "--memory", "lots");
        assertBad("--memory: 4T is more than the limit of 1T", "run", "--memory", "4T");
        assertBad("--memory: 1M is less than the minimum of 16M", "run", "--memory", "1M");
        assertBad("--cpus: 0 is not between 1 and 255", "run", "--cpus", "0");
        assertBad("--cpus", "run", "--cpus", "many");
        assertBad("--kernel: /absent: there is no such file", "run", "--kernel", "/absent");
        assertBad("--kernel: " + folder + ": is not a file", "run", "--kernel", folder.toString());
        assertBad("--initrd: /absent: there is no such file", "run", "--kernel", "" + text, "--initrd", "/absent");
        assertBad("--script: /absent: there is no such file", "run", "--script", "/absent");
        assertBad(
                "--script: works with the default guest's",
                "run",
                "--kernel",
                "" + text,
                "--initrd",
                "" + text,
                "--script",
                "" + text);
        assertBad("--file: \"here\" is not HOST:GUEST", "run", "--file", "here");
        assertBad("--file: /absent: there is no such file", "run", "--file", "/absent:/x");
        assertBad("the path in the guest must begin with /", "run", "--file", text + ":x");
        assertBad("--image: there is no debian-1; there is debian-12, debian-13", "run", "--image", "debian-1");
        assertBad("no such image: debian-1", "image", "pull", "debian-1");
        assertBad("a command is missing: list, pull or rm", "image");
        assertBad("--timeout", "run", "--timeout", "soon");
        assertBad("engine: there is no version 99 here", "run", "--engine", "99");
        assertBad("engine " + text.resolve("x.jar") + ": there is no such file", "run", "--engine", text + "/x.jar");
        assertBad("engine " + empty + ": is no JAR", "run", "--engine", empty.toString());
        assertBad("--name: name \"a/b\": is not 1 to 32 letters", "run", "--kernel", "" + text, "--name", "a/b");
        for (String command : List.of("info", "upgrade", "rollback", "pause", "resume", "stop", "console")) {
            assertBad("machine web: there is none of this name; none runs", command, "web");
            assertBad(
                    command.equals("upgrade") ? "VM: is missing, or --all" : "Missing required parameter: 'VM'",
                    command);
        }
        assertBad("engine 1: is compared with itself", "compare", "1", "1");
        assertBad("engine 1: no running machine has been on it; they were on none", "compare", "1", "2");
        assertBad("machine web: there is none of this name; none runs", "top", "web");
        assertBad("machine web: there is none of this name; none runs", "top", "web", "--explain", "0x10");
        assertBad("VM: is missing; --explain is for one machine", "top", "--explain", "0x10");
        assertBad("VM: is missing; --hot is for one machine", "top", "--hot");
        assertBad("--hot: cannot be given with --explain", "top", "web", "--hot", "--explain", "0x10");
        assertBad("--explain: \"main\" is no address", "top", "web", "--explain", "main");
        assertBad("--count: -1 is less than 0", "top", "-n", "-1");
        assertBad("--count", "top", "-n", "many");
        assertBad("--delay: 10ms is less than 100ms", "top", "-d", "10ms");
        assertBad("--delay", "top", "-d", "soon");
        assertBad("--deadline", "upgrade", "web", "--deadline", "soon");
        assertBad("Unknown option: '--colour'", "run", "--colour");
        assertBad("Unmatched argument", "frobnicate");
        assertBad("a command is missing");
        assertBad("a command is missing: list, show, install or remove", "engine");
    }

    @Test
    void tablesAreTextOrJson() {
        Result json = execute("doctor", "--format", "json");
        assertTrue(json.out.startsWith("[") && json.out.contains("\"remedy\""), json.out);
        Result text = execute("doctor");
        assertTrue(text.out.contains("java"), text.out);
        assertEquals(
                "[ ]", execute("engine", "list", "--format", "json").out.strip().replace("[]", "[ ]"));
        assertTrue(execute("--version").out.startsWith("multivisor "));
    }

    @Test
    void withoutMachinesThereIsNothingToShow() {
        assertEquals(
                "No machine runs. \"multivisor run\" starts one.",
                execute("ps").out.strip());
        assertEquals("[ ]", execute("ps", "--format", "json").out.strip().replace("[]", "[ ]"));
        assertEquals(
                "No machine runs. \"multivisor run\" starts one.",
                execute("top", "-n", "1", "-d", "100ms").out.strip());
        assertEquals("[]\n[]\n", execute("top", "-n", "2", "-d", "100ms", "--format", "json").out);
        assertEquals(new Result(0, "", ""), execute("events"));
        assertEquals(new Result(0, "", ""), execute("metrics"));
    }

    @Test
    void metricsOfSeveralProcessesAreOneText() {
        String heading = "# HELP seconds_total Time.\n# TYPE seconds_total counter\n";
        String other = "# HELP up Whether.\n# TYPE up gauge\n";
        assertEquals(
                heading + "seconds_total{machine=\"a\"} 1\nseconds_total{machine=\"b\"} 2\n" + other + "up 1\n",
                MetricsCommand.merged(List.of(
                        heading + "seconds_total{machine=\"a\"} 1\n",
                        heading + "seconds_total{machine=\"b\"} 2\n" + other + "up 1\n")));
    }

    @Test
    void completionNamesTheCommands() {
        for (String shell : List.of("bash", "zsh")) {
            Result result = execute("completion", shell);
            assertEquals(0, result.status);
            assertTrue(result.out.contains("--kernel") && result.out.contains("doctor"));
            for (String command :
                    List.of("ps", "info", "upgrade", "rollback", "events", "console", "metrics", "watch")) {
                assertTrue(result.out.contains("_multivisor_" + command), command);
            }
            assertFalse(result.out.contains("warm-up"), "hidden commands stay hidden");
        }
        assertBad("Invalid value for positional parameter", "completion", "fish");
    }

    @Test
    void readsLengthsOfTime() {
        assertEquals(Duration.ofSeconds(30), Durations.parse("30"));
        assertEquals(Duration.ofSeconds(30), Durations.parse("30s"));
        assertEquals(Duration.ofMinutes(90), Durations.parse("1h30m"));
        assertEquals(Duration.ofMillis(500), Durations.parse("500ms"));
        for (String bad : List.of("", "0s", "s", "5x", "5m5", "-5s")) {
            assertThrows(TypeConversionException.class, () -> Durations.parse(bad), bad);
        }
    }

    @Test
    void escapeKeysAreFoundAndTheRestIsPassedOn() {
        List<String> done = new ArrayList<>();
        EscapeKeys keys = new EscapeKeys(new EscapeKeys.Actions() {
            @Override
            public void quit() {
                done.add("quit");
            }

            @Override
            public void statistics() {
                done.add("statistics");
            }

            @Override
            public void help() {
                done.add("help");
            }
        });
        assertEquals("ab", pass(keys, "ab"));
        assertEquals("a", pass(keys, "a\u001d"));
        assertEquals("b", pass(keys, "sb\u001d?"));
        assertEquals("\u001d", pass(keys, "\u001d\u001d"));
        assertEquals("\u0003\u001a", pass(keys, "\u0003\u001a\u001dq"));
        assertEquals(List.of("statistics", "help", "quit"), done);
    }

    @Test
    void aPanicIsRecognizedAsTheKernelPrintsIt() {
        PanicWatch watch = new PanicWatch();
        feed(watch, "~ # echo Kernel panic - not syncing\r\n");
        feed(watch, "the log said: [    1.0] Kernel panic - not syncing: no\r\n");
        assertEquals("", watch.message());
        feed(watch, "[    0.512345] Kernel panic - not sync");
        feed(watch, "ing: VFS: Unable to mount root fs on unknown-block(0,0)\r\n");
        assertEquals("Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)", watch.message());
        assertFalse(watch.over());
    }

    @Test
    void aPromptOpensTheWayForInput() throws Exception {
        PromptWatch watch = new PromptWatch();
        byte[] bytes = "~ ~~ # ".getBytes(StandardCharsets.US_ASCII);
        Thread waiter = Thread.ofPlatform().start(() -> assertDoesNotThrow(watch::await));
        watch.write(bytes, 0, bytes.length - 1);
        assertTrue(waiter.isAlive());
        watch.write(bytes, bytes.length - 1, 1);
        waiter.join(10_000);
        assertFalse(waiter.isAlive());
    }

    private static void feed(PanicWatch watch, String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        watch.write(bytes, 0, bytes.length);
    }

    private static String pass(EscapeKeys keys, String typed) {
        byte[] bytes = typed.getBytes(StandardCharsets.US_ASCII);
        return new String(keys.filter(bytes, bytes.length), StandardCharsets.US_ASCII);
    }

    private static void assertBad(String problem, String... arguments) {
        Result result = execute(arguments);
        assertEquals(2, result.status, result.err);
        assertEquals("", result.out);
        String first = result.err.lines().findFirst().orElse("");
        assertTrue(first.startsWith("multivisor: ") && first.contains(problem), first);
        assertTrue(result.err.lines().count() <= 2, result.err);
    }

    private static Result execute(String... arguments) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        int status = Main.execute(new PrintWriter(out), new PrintWriter(err), arguments);
        return new Result(status, out.toString(), err.toString());
    }
}
