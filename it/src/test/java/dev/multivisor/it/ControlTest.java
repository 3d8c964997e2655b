package dev.multivisor.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.OutputStream;
import java.lang.ProcessBuilder.Redirect;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is done in a second terminal to a guest that runs in the first one. */
class ControlTest {
    @TempDir
    Path folder;

    private final List<Launcher.Running> runs = new ArrayList<>();

    @AfterEach
    void endAll() throws InterruptedException {
        for (Launcher.Running run : runs) {
            run.process().destroyForcibly().waitFor();
        }
    }

    /** These tests' own run folder: machines that others run are none of theirs. */
    private Map<String, String> environment() {
        return Map.of("XDG_RUNTIME_DIR", folder.toString());
    }

    /** A guest with its standard input left open. */
    private Launcher.Running guest(String... options) throws Exception {
        List<String> arguments = new ArrayList<>(List.of("run", "--timeout", "10m"));
        arguments.addAll(List.of(options));
        Launcher.Running run = Launcher.start(
                folder, Redirect.PIPE, environment(), Launcher.command(arguments.toArray(String[]::new)));
        runs.add(run);
        return run;
    }

    private Launcher.Result multivisor(String... arguments) throws Exception {
        return typed("", Launcher.command(arguments));
    }

    private Launcher.Result typed(String input, List<String> command) throws Exception {
        Path in = Files.writeString(Files.createTempFile(folder, "typed", ""), input);
        return Launcher.start(folder, Redirect.from(in.toFile()), environment(), command)
                .await();
    }

    private String good(String... arguments) throws Exception {
        Launcher.Result result = multivisor(arguments);
        assertEquals(0, result.status(), result::toString);
        assertEquals("", result.err());
        return result.out();
    }

    /** Waits until a machine that was just started can be seen. */
    private void awaitMachine(String name) throws Exception {
        long end = System.nanoTime() + Launcher.PATIENCE.toNanos();
        while (good("ps").lines().noneMatch(line -> line.startsWith(name + " "))) {
            assertTrue(System.nanoTime() < end, () -> name + " is never seen");
            Thread.sleep(100);
        }
    }

    private void bad(int status, String message, String... arguments) throws Exception {
        Launcher.Result result = multivisor(arguments);
        assertEquals(status, result.status(), result::toString);
        assertEquals(1, result.err().lines().count(), result::toString);
        assertTrue(result.err().startsWith("multivisor: ") && result.err().contains(message), result::toString);
    }

    private static String column(String table, String name, int column) {
        String row = table.lines()
                .filter(line -> line.startsWith(name + " "))
                .findFirst()
                .orElseThrow(() -> new AssertionError(name + " is not in\n" + table));
        return row.split(" {2,}")[column];
    }

    @Test
    void twoMachines() throws Exception {
        String kernel = Guests.kernel("NEVER").toString();
        assertEquals("No machine runs. \"multivisor run\" starts one.\n", good("ps"));
        Launcher.Running one = guest("--name", "one", "--kernel", kernel);
        Launcher.Running other = guest("--kernel", kernel, "--cpus", "2", "--memory", "64M");
        awaitMachine("one");
        awaitMachine("vm");
        assertTrue(good("info", "one").contains("running"));
        assertTrue(good("info", "vm").contains("64M"));
        String table = good("ps");
        assertEquals("running", column(table, "one", 2));
        assertEquals("2", column(table, "vm", 5));
        String version = column(table, "one", 3);
        String top = good("top", "-d", "500ms");
        assertEquals(version, column(top, "one", 1));
        assertEquals(version, column(top, "vm", 1));
        String look = good("top", "one", "-d", "200ms", "--format", "json");
        assertTrue(look.startsWith("[{\"name\":\"one\"") && look.contains("\"instructions\":"), look);
        bad(2, "machine one: no compiled code holds 0x10", "top", "one", "--explain", "0x10");
        bad(2, "--name: name one: is taken", "run", "--name", "one", "--kernel", kernel);
        bad(2, "machine two: there is none of this name; there is one, vm", "info", "two");

        assertEquals("one: paused\n", good("pause", "one"));
        String then = good("info", "one")
                        .lines()
                        .filter(line -> line.startsWith("guest time"))
                        .toList() + "";
        assertEquals("paused", column(good("ps"), "one", 2));
        String now = good("info", "one")
                        .lines()
                        .filter(line -> line.startsWith("guest time"))
                        .toList() + "";
        assertEquals(then, now);
        assertEquals("one: running\n", good("resume", "one"));

        assertEquals(
                "one: can move from engine " + version + " to " + version + "\n",
                good("upgrade", "one", "--to", version, "--dry-run"));
        assertEquals("0", column(good("ps"), "one", 8));
        bad(2, "engine: there is no version 99 here", "upgrade", "one", "--to", "99");
        bad(1, "has been on no other engine", "rollback", "one");
        String moved = good("upgrade", "one", "--to", version, "--deadline", "10s");
        assertTrue(moved.startsWith("one: moved from engine " + version + " to " + version + "\n"), moved);
        for (String measured : List.of("rehearsed ", "stopped ", "save ", "restore ", "state ")) {
            assertTrue(moved.contains(measured), moved);
        }
        assertEquals(version, column(good("ps"), "one", 4));
        assertTrue(good("rollback", "one", "--deadline", "10s").startsWith("one: moved from"));
        String json = good("ps", "--format", "json");
        assertTrue(json.contains("\"handovers\" : 2") && json.contains("\"name\" : \"vm\""), json);

        String events = good("events");
        for (String kind : List.of("created", "running", "paused", "rehearsing", "moved")) {
            assertTrue(events.contains(" one " + kind), events);
        }
        assertTrue(events.contains(" vm created"), events);
        String metrics = good("metrics");
        assertTrue(metrics.contains("multivisor_machine_running{machine=\"one\"} 1.0\n"), metrics);
        assertTrue(metrics.contains("multivisor_machine_running{machine=\"vm\"} 1.0\n"), metrics);

        assertEquals("one: ended\n", good("stop", "one"));
        Launcher.Result end = one.await();
        assertEquals(130, end.status(), end::toString);
        assertTrue(end.err().contains("stopped by \"multivisor stop\""), end::toString);
        good("stop", "vm");
        assertEquals(130, other.await().status());
        assertEquals("No machine runs. \"multivisor run\" starts one.\n", good("ps"));
        assertEquals(List.of(), sockets());
    }

    private List<String> sockets() throws Exception {
        try (Stream<Path> files = Files.list(folder.resolve("multivisor"))) {
            return files.map(file -> file.getFileName().toString())
                    .filter(name -> name.endsWith(".sock"))
                    .toList();
        }
    }

    @Test
    void whatAKilledRunLeavesBehindIsNoObstacle() throws Exception {
        String kernel = Guests.kernel("NEVER").toString();
        Launcher.Running killed = guest("--name", "web", "--kernel", kernel);
        awaitMachine("web");
        killed.process().destroyForcibly().waitFor();
        assertEquals(1, sockets().size());
        assertEquals("No machine runs. \"multivisor run\" starts one.\n", good("ps"));
        assertEquals(List.of(), sockets());
        guest("--name", "web", "--kernel", kernel);
        awaitMachine("web");
        assertTrue(good("info", "web").contains("running"));
    }

    @Test
    void eventsAreFollowed() throws Exception {
        Launcher.Running follower =
                Launcher.start(folder, Redirect.PIPE, environment(), Launcher.command("events", "-f"));
        runs.add(follower);
        guest("--name", "web", "--kernel", Guests.kernel("NEVER").toString());
        follower.awaitOutput(" web running");
        good("pause", "web");
        follower.awaitOutput(" web paused");
        good("stop", "web");
        follower.awaitOutput(" web ended by \"multivisor stop\"");
        assertTrue(follower.process().isAlive());
    }

    @Test
    void aConsoleIsAttached() throws Exception {
        Guests.require("debian-12", folder);
        List<String> engines = good("engine", "list")
                .lines()
                .skip(1)
                .map(line -> line.split(" +")[0])
                .toList();
        String oldest = engines.getFirst();
        String newest = engines.getLast();
        Launcher.Running run = guest("--name", "web", "--engine", oldest);
        run.awaitOutput("~ # ");
        awaitMachine("web");
        bad(1, "is in use by the terminal of \"run\"", "console", "web");
        Launcher.Result said = typed("echo $((6*7))-words\n", Launcher.command("console", "web", "--force"));
        assertEquals(0, said.status(), said::toString);
        assertTrue(said.out().contains("42-words"), said::toString);
        run.awaitOutput("42-words");
        assertTrue(good("upgrade", "web", "--deadline", "10s")
                .startsWith("web: moved from engine " + oldest + " to " + newest + "\n"));
        said = typed("echo $((6*8))-words\n", Launcher.command("console", "web", "--force"));
        assertTrue(said.out().contains("48-words"), said::toString);

        // The terminal of "run" is heard again.
        OutputStream keys = run.process().getOutputStream();
        keys.write("echo $((6*9))-words\n".getBytes(StandardCharsets.US_ASCII));
        keys.flush();
        run.awaitOutput("54-words");
        attachTerminal();
        explainCompiledCode(keys);
        if (!oldest.equals(newest)) {
            String figures = good("compare", oldest, newest);
            assertTrue(figures.contains("instructions per CPU second"), figures);
        }
        good("stop", "web");
        assertEquals(130, run.await().status());
    }

    /** A loop of the guest's shell gets compiled after a while. */
    private void explainCompiledCode(OutputStream keys) throws Exception {
        keys.write("while :; do :; done &\n".getBytes(StandardCharsets.US_ASCII));
        keys.flush();
        Launcher.Result list = multivisor("top", "web", "--hot");
        for (int n = 0; n < 100 && list.status() != 0; n++) {
            Thread.sleep(200);
            list = multivisor("top", "web", "--hot");
        }
        assertEquals(0, list.status(), list::toString);
        String address = list.out().lines().skip(2).findFirst().orElseThrow().split(" ")[0];
        String shown = good("top", "web", "--explain", address);
        assertTrue(shown.contains("Region at " + address) && shown.contains("ireturn"), shown);
        String command = String.join(" ", Launcher.command("top", "-d", "200ms"));
        Launcher.Running person = Launcher.start(
                folder,
                Redirect.PIPE,
                environment(),
                List.of("script", "-qfec", "stty cols 120 rows 20; " + command, "/dev/null"));
        runs.add(person);
        person.awaitOutput("JIT%");
        OutputStream quit = person.process().getOutputStream();
        quit.write('q');
        quit.flush();
        Launcher.Result result = person.await();
        assertEquals(0, result.status(), result::toString);
    }

    /** As a person does, with a terminal in raw mode and Ctrl-] q. */
    private void attachTerminal() throws Exception {
        String command = String.join(" ", Launcher.command("console", "web", "--force"));
        Launcher.Running person =
                Launcher.start(folder, Redirect.PIPE, environment(), List.of("script", "-qfec", command, "/dev/null"));
        runs.add(person);
        person.awaitOutput("attached to web");
        OutputStream keys = person.process().getOutputStream();
        keys.write("echo $((7*7))-words\r".getBytes(StandardCharsets.US_ASCII));
        keys.flush();
        person.awaitOutput("49-words");
        keys.write(new byte[] {0x1d, 's'});
        keys.flush();
        person.awaitOutput("web: running on engine");
        keys.write(new byte[] {0x1d, 'q'});
        keys.flush();
        Launcher.Result result = person.await();
        assertEquals(0, result.status(), result::toString);
        assertTrue(result.out().contains("detached."), result::toString);
        assertFalse(result.out().contains("Exception"), result::toString);
    }
}
