package dev.multivisor.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The README's first command: engines are replaced under Debian's kernel, and nothing is lost. */
class DemoTest {
    @TempDir
    Path folder;

    @Test
    void linuxLosesNothingWhileItsEngineIsReplaced() throws Exception {
        Guests.require("debian-12", folder);
        Path svg = folder.resolve("demo.svg");
        Launcher.Result result = Launcher.run(folder, "demo", "--seconds", "3", "--svg", svg.toString());
        assertEquals(0, result.status(), result::toString);
        assertEquals("", result.err());
        List<String> lines = result.out().lines().toList();
        assertTrue(lines.getFirst().startsWith("Debian's kernel 6.1."), result::toString);
        assertEquals(
                3,
                lines.stream()
                        .filter(line -> line.startsWith("  moved: it stood still for "))
                        .count(),
                result::toString);
        assertTrue(lines.contains("moves         3 of 3 made"), result::toString);
        assertLine(lines, "timer beats   [0-9,]+, lost 0, too early 0", result);
        assertLine(lines, "clock         [0-9.]+ s, errors 0", result);
        assertLine(lines, "checksums     (\\d+) of \\1 right, [1-9][0-9,]* rounds", result);
        String chart = Files.readString(svg);
        assertEquals(3, chart.split("class=\"move\"", -1).length - 1, chart);
    }

    private static void assertLine(List<String> lines, String expected, Launcher.Result result) {
        assertEquals(1, lines.stream().filter(line -> line.matches(expected)).count(), () -> expected + "\n" + result);
    }
}
