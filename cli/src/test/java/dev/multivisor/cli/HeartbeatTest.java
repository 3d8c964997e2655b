package dev.multivisor.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The guest's program, its reports, and what it computes. */
class HeartbeatTest {
    @TempDir
    Path folder;

    @Test
    void theProgramIsMadeFromItsSource() throws Exception {
        assumeTrue(onPath("as") && onPath("ld"), "as and ld (binutils) are not installed: cannot build the program");
        Path script = Path.of("..", "guests", "builtin", "build");
        Process build = new ProcessBuilder(script.toString(), folder.toString())
                .redirectErrorStream(true)
                .start();
        String output = new String(build.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(0, build.waitFor(), output);
        assertArrayEquals(
                Files.readAllBytes(folder.resolve("heartbeat")),
                DemoCommand.program(),
                "run " + script + " and copy heartbeat to cli's resources");
    }

    /** The host's processor computes what the host's Java computes, and the program's options are understood. */
    @Test
    @Timeout(60)
    void theProgramRunsOnTheHostAndItsChecksumsAreRight() throws Exception {
        assumeTrue(System.getProperty("os.arch").equals("amd64"), "the host is no x86-64");
        Path program = Files.write(folder.resolve("program"), DemoCommand.program());
        Files.setPosixFilePermissions(program, PosixFilePermissions.fromString("rwx------"));
        Process process = new ProcessBuilder(program.toString(), "seconds=1", "hz=500", "idle").start();
        Heartbeat heartbeat = new Heartbeat();
        process.getInputStream().transferTo(heartbeat);
        assertTrue(process.waitFor(10, TimeUnit.SECONDS));
        assertEquals(0, process.exitValue());
        List<Heartbeat.Seen> seen = heartbeat.seen();
        assertTrue(!seen.isEmpty() && seen.size() <= 10, seen::toString);
        Beat last = seen.getLast().beat();
        assertTrue(last.time() >= 1_000_000_000L, last::toString);
        assertTrue(last.beats() >= 400 && last.beats() <= last.time() / 2_000_000, last::toString);
        assertTrue(last.worst() >= last.gap() && last.gap() > 0, last::toString);
        assertEquals(0, last.lost() + last.extra() + last.clock(), last::toString);
        Workload workload = new Workload(0);
        assertTrue(last.rounds() > 0);
        for (Heartbeat.Seen report : seen) {
            assertEquals(
                    workload.checksum(report.beat().rounds()), report.beat().checksum(), report::toString);
        }
    }

    @Test
    void linesAreReportsOrNothing() {
        Heartbeat heartbeat = new Heartbeat();
        heartbeat.count(() -> 42);
        String text = "[    0.1] Linux version\r\nbeat 0 1 100 20 30 4 0 0 0 5 0000cafe\r\nbeat 0 2 100\nbeat 0 3 x\n"
                + "beat 0 99999999999999999999 1 1 1 1 1 1 1 1 00000000\nbeat 1 2 200 20 30 4 5 6 7 8 ffffffff\nbeat 0";
        heartbeat.write(text.getBytes(StandardCharsets.US_ASCII), 0, text.length());
        assertEquals(
                List.of(
                        new Beat(0, 1, 100, 20, 30, 4, 0, 0, 0, 5, 0xcafe),
                        new Beat(1, 2, 200, 20, 30, 4, 5, 6, 7, 8, -1)),
                heartbeat.seen().stream().map(Heartbeat.Seen::beat).toList());
        assertEquals(42, heartbeat.last().orElseThrow().instructions());
    }

    private static boolean onPath(String tool) {
        return Stream.of(System.getenv("PATH").split(File.pathSeparator))
                .anyMatch(folder -> Files.isExecutable(Path.of(folder, tool)));
    }
}
