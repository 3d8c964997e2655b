package dev.multivisor.engine.boot;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.multivisor.api.Boot;
import dev.multivisor.api.EngineException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Debian's kernels, when the image cache has them: whole, cut and spoilt. */
class RealKernelTest {
    private static final long MEMORY = 128L << 20;

    private final Arena arena = Arena.ofShared();
    private final TestMemory memory =
            new TestMemory(arena.allocate(MEMORY, 4096), List.of(new TestMemory.Region(0, 0, MEMORY)));

    @AfterEach
    void free() {
        arena.close();
    }

    private static byte[] kernel(String name) throws IOException {
        String xdg = System.getenv("XDG_CACHE_HOME");
        Path cache = xdg == null ? Path.of(System.getProperty("user.home"), ".cache") : Path.of(xdg);
        Path file = cache.resolve("multivisor/images").resolve(name).resolve("vmlinuz");
        assumeTrue(Files.exists(file), "no kernel in the image cache");
        return Files.readAllBytes(file);
    }

    private EntryState load(MemorySegment kernel, boolean unpack) {
        var boot = new Boot(new Boot.Image("vmlinuz", kernel), List.of(), "console=ttyS0");
        return BootLoader.load(boot, memory, MemoryMap.of(memory), 0, unpack);
    }

    @ParameterizedTest
    @ValueSource(strings = {"debian-12", "debian-13"})
    void loads(String name) throws IOException {
        byte[] kernel = kernel(name);
        EntryState entry = load(MemorySegment.ofArray(kernel), true);
        assertTrue(entry.rip() >= 0x1000000 && entry.rip() < 0x1010000, entry.toString());
        MemorySegment banner = memory.bytes().asSlice(0x1000000, 0x3000000);
        byte[] text = "Linux version 6.".getBytes(StandardCharsets.US_ASCII);
        assertTrue(contains(banner.toArray(ValueLayout.JAVA_BYTE), text));
        EntryState packed = load(MemorySegment.ofArray(kernel), false);
        assertEquals(0x1000200, packed.rip());
    }

    private static boolean contains(byte[] bytes, byte[] text) {
        for (int i = 0; i < bytes.length - text.length; i++) {
            int n = 0;
            while (n < text.length && bytes[i + n] == text[n]) {
                n++;
            }
            if (n == text.length) {
                return true;
            }
        }
        return false;
    }

    @ParameterizedTest
    @ValueSource(strings = {"debian-12", "debian-13"})
    void refusesCutAndSpoiltImages(String name) throws IOException {
        byte[] bytes = kernel(name);
        MemorySegment kernel = MemorySegment.ofArray(bytes);
        var random = new Random(7);
        for (int i = 0; i < 300; i++) {
            long length = i < 100 ? i * 7 : random.nextLong(bytes.length - 0x1000);
            assertThrows(EngineException.class, () -> load(kernel.asSlice(0, length), true), "cut at " + length);
        }
        for (int at = 0x1f1; at < 0x26c; at++) {
            attempt(bytes, at, (byte) (1 << random.nextInt(8)), false);
        }
        for (int at : new int[] {0x1f1, 0x249, 0x24d, 0x250, 0x25a, 0x262, 0x5000, 0x9000, 0x20000}) {
            attempt(bytes, at, (byte) 0x81, true);
        }
    }

    private void attempt(byte[] bytes, int at, byte flip, boolean unpack) {
        bytes[at] ^= flip;
        try {
            load(MemorySegment.ofArray(bytes), unpack);
        } catch (EngineException e) {
            assertFalse(e.getMessage().contains("\n"), e.getMessage());
        } finally {
            bytes[at] ^= flip;
        }
    }
}
