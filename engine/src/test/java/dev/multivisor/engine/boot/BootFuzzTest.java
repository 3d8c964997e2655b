package dev.multivisor.engine.boot;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import dev.multivisor.api.Boot;
import dev.multivisor.api.Clock;
import dev.multivisor.api.Console;
import dev.multivisor.api.EngineException;
import dev.multivisor.api.MachineSpec;
import dev.multivisor.api.Resources;
import dev.multivisor.engine.SoftEngine;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/**
 * Spoilt boot images through the engine's own door: each makes a machine or an {@link EngineException} of one line, in
 * bounded time. {@code -Dmultivisor.test.images=N} sets how many of each kind, {@code -Dmultivisor.test.seed=N} which.
 */
class BootFuzzTest {
    private static final int IMAGES = Integer.getInteger("multivisor.test.images", 250);
    private static final long SEED = Long.getLong("multivisor.test.seed", 1);
    private static final long MEMORY = 128L << 20;

    /** Far above what any of them takes. */
    private static final Duration TIME = Duration.ofSeconds(20);

    private static final long[] EDGES = {
        0,
        1,
        -1,
        0x7f,
        0x80,
        0xff,
        0x7fff,
        0x8000,
        0xffff,
        0x10000,
        0x7fffffff,
        0x80000000L,
        0xffffffffL,
        0x100000000L,
        Long.MAX_VALUE,
        Long.MIN_VALUE,
        MEMORY,
        MEMORY - 1,
        MEMORY + 1,
        0x100000,
        0xfffff000L
    };

    private final Resources resources =
            new Resources(new TestMemory(MEMORY), new Stopped(), new Silent(), new Silent(), List.of(), List.of());

    @TestFactory
    Stream<DynamicTest> images() throws IOException {
        Map<String, byte[]> images = new LinkedHashMap<>();
        images.put("ELF with a PVH note", ImageBuilder.elf64(true));
        images.put("bzImage", ImageBuilder.bzImage(ImageBuilder.elf64(false), true));
        images.put("Multiboot", ImageBuilder.multiboot());
        images.put("Multiboot ELF", ImageBuilder.multibootElf());
        String xdg = System.getenv("XDG_CACHE_HOME");
        Path cache = xdg == null ? Path.of(System.getProperty("user.home"), ".cache") : Path.of(xdg);
        Path kernels = cache.resolve("multivisor/images");
        for (String name : List.of("debian-12", "debian-13")) {
            Path kernel = kernels.resolve(name).resolve("vmlinuz");
            if (Files.exists(kernel)) {
                images.put(name, Files.readAllBytes(kernel));
            }
        }
        return images.entrySet().stream().map(e -> dynamicTest(e.getKey(), () -> spoil(e.getValue())));
    }

    private void spoil(byte[] good) {
        assertTimeoutPreemptively(TIME, () -> assertTrue(create(good, "whole")));
        SplittableRandom random = new SplittableRandom(SEED);
        // Unpacking a real kernel takes a while.
        int count = good.length > 1 << 20 ? IMAGES / 8 : IMAGES;
        for (int n = 0; n < count; n++) {
            byte[] image = n % 4 == 0 ? cut(good, random) : edited(good, random);
            String what = "seed " + SEED + ", image " + n;
            assertTimeoutPreemptively(TIME, () -> create(image, what), what);
        }
    }

    private static byte[] cut(byte[] good, SplittableRandom random) {
        boolean head = random.nextBoolean();
        return Arrays.copyOf(good, random.nextInt(head ? Math.min(good.length, 0x400) : good.length));
    }

    /** Some bits flipped, or some numbers in the headers set to what overflows. */
    private static byte[] edited(byte[] good, SplittableRandom random) {
        byte[] image = good.clone();
        ByteBuffer fields = ByteBuffer.wrap(image).order(ByteOrder.LITTLE_ENDIAN);
        for (int k = random.nextInt(3); k >= 0; k--) {
            int within = Math.min(image.length, random.nextBoolean() ? 0x300 : image.length) - 8;
            int at = random.nextInt(within);
            long value = EDGES[random.nextInt(EDGES.length)];
            switch (random.nextInt(5)) {
                case 0 -> image[at] ^= (byte) (1 << random.nextInt(8));
                case 1 -> image[at] = (byte) value;
                case 2 -> fields.putShort(at & ~1, (short) value);
                case 3 -> fields.putInt(at & ~3, (int) value);
                default -> fields.putLong(at & ~7, value);
            }
        }
        return image;
    }

    /** Whether it made a machine. */
    private boolean create(byte[] image, String what) {
        Boot boot = new Boot(ImageBuilder.image(image), List.of(ImageBuilder.image(new byte[5000])), "console=ttyS0");
        try (var machine = new SoftEngine().create(new MachineSpec(1, "x86-64-v2", Map.of()), boot, resources)) {
            assertEquals(1, machine.cpus().size());
            return true;
        } catch (EngineException e) {
            assertFalse(e.getMessage().contains("\n") || e.getMessage().isEmpty(), what + ": " + e.getMessage());
            return false;
        } catch (RuntimeException | Error e) {
            return fail(what, e);
        }
    }

    private record Stopped() implements Clock {
        @Override
        public long nanoTime() {
            return 0;
        }

        @Override
        public long wallTime() {
            return 0;
        }
    }

    private record Silent() implements Console {
        @Override
        public void write(byte value) {}

        @Override
        public int read() {
            return -1;
        }

        @Override
        public void onInput(Runnable listener) {}
    }
}
