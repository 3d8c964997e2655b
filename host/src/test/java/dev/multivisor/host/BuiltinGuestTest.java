package dev.multivisor.host;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.multivisor.api.Boot;
import java.io.File;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BuiltinGuestTest {
    @Test
    void isMadeFromItsSource(@TempDir Path folder) throws Exception {
        assumeTrue(onPath("as") && onPath("ld"), "as and ld (binutils) are not installed: cannot build the guest");
        Path script = Path.of("..", "guests", "builtin", "build");
        Process build = new ProcessBuilder(script.toString(), folder.toString())
                .redirectErrorStream(true)
                .start();
        String output = new String(build.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(0, build.waitFor(), output);
        assertArrayEquals(
                Files.readAllBytes(folder.resolve("builtin.bin")),
                BuiltinGuest.image(),
                "run " + script + " and copy builtin.bin to host's resources");
    }

    @Test
    void bootsByItsMultibootHeader() {
        Boot boot = BuiltinGuest.boot("seconds=1 quiet");
        assertEquals("seconds=1 quiet", boot.commandLine());
        assertEquals(0x1badb002, boot.kernel().bytes().get(ValueLayout.JAVA_INT_UNALIGNED, 0));
        int end = boot.kernel().bytes().get(ValueLayout.JAVA_INT_UNALIGNED, 24);
        assertTrue(end > 0x100000 && end <= BuiltinGuest.MEMORY, "ends at " + end);
    }

    private static boolean onPath(String tool) {
        return Stream.of(System.getenv("PATH").split(File.pathSeparator))
                .anyMatch(folder -> Files.isExecutable(Path.of(folder, tool)));
    }
}
