package dev.multivisor.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A guest's ends become exit statuses, on one processor and on two, of which the second one never starts. */
class EndTest {
    @TempDir
    Path folder;

    @ParameterizedTest
    @CsvSource({
        "TRIPLE_FAULT, 1, 66, triple fault",
        "TRIPLE_FAULT, 2, 66, triple fault",
        "HALT, 1, 68, halted for good",
        "HALT, 2, 68, halted for good",
        "HALT, 5, 68, halted for good",
        "DEBUG_EXIT, 2, 43, ''",
        "POWER_OFF, 1, 0, ''",
        "POWER_OFF, 2, 0, ''",
        "RESET, 2, 0, ''",
        "NEVER, 1, 124, the time-out of 3 s was reached",
        "NEVER, 2, 124, the time-out of 3 s was reached"
    })
    void end(String end, int cpus, int status, String message) throws Exception {
        Launcher.Result result = Launcher.run(
                folder,
                "run",
                "--kernel",
                Guests.kernel(end).toString(),
                "--cpus",
                Integer.toString(cpus),
                "--no-reboot",
                "--timeout",
                end.equals("NEVER") ? "3s" : "2m");
        assertEquals(status, result.status(), result::toString);
        assertEquals(message.isEmpty() ? 0 : 1, result.err().lines().count(), result::toString);
        assertTrue(result.err().contains(message), result::toString);
        assertEquals("", result.out());
    }

    @ParameterizedTest
    @CsvSource({"1", "2"})
    void serial(int cpus) throws Exception {
        Launcher.Result result = Launcher.run(
                folder, "run", "--kernel", Guests.kernel("SERIAL").toString(), "--cpus", Integer.toString(cpus));
        assertEquals("Hello from the serial port.\n", result.out());
        assertEquals(1, result.status());
    }
}
