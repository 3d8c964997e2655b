package dev.multivisor.engine.machine;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.multivisor.api.EngineException;
import dev.multivisor.api.Exit;
import dev.multivisor.engine.cpu.HotRegion;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Hot code as it is passed from one machine to the next: written, read, damaged and made up. */
class HotCodeTest {
    private static final Map<String, String> PARAMETERS = Map.of("time", "instructions", "compile", "some");
    private static final Duration LONG = Duration.ofSeconds(60);

    @TempDir
    Path folder;

    private SystemGuest guest;
    private Path kernel;

    private void build() throws Exception {
        assumeTrue(SystemGuest.buildable(), "no binutils on this host");
        guest = SystemGuest.named("smc");
        kernel = guest.build(folder);
    }

    /** Runs the guest to its end; what was hot. */
    private byte[] run(TestResources lent) {
        try (SoftMachine machine = guest.create(kernel, PARAMETERS, lent.resources)) {
            Exit exit = machine.cpus().getFirst().run();
            assertEquals(guest.expected(), exit.reason(), lent.debug::text);
            return machine.hotCode();
        }
    }

    private byte[] hotCode() {
        try (var lent = new TestResources(SystemGuest.MEMORY)) {
            return run(lent);
        }
    }

    /** Runs the guest with something readied for it, and compares with a run without. */
    private void assertUnharmed(byte[] hotCode) {
        try (var lent = new TestResources(SystemGuest.MEMORY)) {
            SoftMachine.prepare(guest.spec(PARAMETERS), hotCode, lent.resources.memory(), LONG);
            run(lent);
            assertEquals(expectedOutput, lent.debug.text());
        }
    }

    private String expectedOutput = "";

    @Test
    void itIsWrittenAndRead() throws Exception {
        build();
        byte[] bytes = hotCode();
        List<HotRegion> regions = HotCode.parse(bytes).regions();
        assertTrue(regions.size() > 3, () -> regions.size() + " regions");
        for (int n = 1; n < regions.size(); n++) {
            assertTrue(regions.get(n - 1).instructions() >= regions.get(n).instructions());
        }
        byte[] again = HotCode.parse(bytes).toBytes("test");
        assertArrayEquals(bytes, again);
    }

    @Test
    void whatWasKnownIsPassedOnByAMachineThatHasNotRun() throws Exception {
        build();
        byte[] bytes = hotCode();
        try (var lent = new TestResources(SystemGuest.MEMORY)) {
            SoftMachine.prepare(guest.spec(PARAMETERS), bytes, lent.resources.memory(), Duration.ZERO);
            try (SoftMachine machine = guest.create(kernel, PARAMETERS, lent.resources)) {
                assertArrayEquals(bytes, machine.hotCode());
            }
            // It was for that machine.
            try (SoftMachine machine = guest.create(kernel, PARAMETERS, lent.resources)) {
                assertEquals(List.of(), HotCode.parse(machine.hotCode()).regions());
            }
        }
    }

    @Test
    void damageIsFound() throws Exception {
        build();
        byte[] bytes = hotCode();
        try (var lent = new TestResources(SystemGuest.MEMORY)) {
            var spec = guest.spec(PARAMETERS);
            var memory = lent.resources.memory();
            for (int n = 0; n < bytes.length; n += 1 + n / 20) {
                byte[] damaged = bytes.clone();
                damaged[n] ^= 0x10;
                assertThrows(EngineException.class, () -> SoftMachine.prepare(spec, damaged, memory, LONG));
            }
            assertThrows(EngineException.class, () -> SoftMachine.prepare(spec, new byte[0], memory, LONG));
            byte[] newer = StateContainer.of("test", Set.of())
                    .put("hotCode", 99, new HotCode(List.of()))
                    .toBytes();
            EngineException unknown =
                    assertThrows(EngineException.class, () -> SoftMachine.prepare(spec, newer, memory, LONG));
            assertTrue(unknown.getMessage().contains("version 99"), unknown.getMessage());
        }
    }

    @Test
    void whatIsMadeUpDoesNoHarm() throws Exception {
        build();
        byte[] bytes;
        try (var lent = new TestResources(SystemGuest.MEMORY)) {
            bytes = run(lent);
            expectedOutput = lent.debug.text();
        }
        assertUnharmed(bytes);
        List<HotRegion> regions = HotCode.parse(bytes).regions();
        SplittableRandom random = new SplittableRandom(Long.getLong("multivisor.test.seed", 1));
        for (int round = 0; round < 6; round++) {
            List<HotRegion> madeUp = new ArrayList<>();
            for (HotRegion region : regions) {
                madeUp.add(changed(region, random));
            }
            assertUnharmed(new HotCode(madeUp).toBytes("test"));
        }
    }

    private static HotRegion changed(HotRegion region, SplittableRandom random) {
        List<HotRegion.Part> parts = new ArrayList<>();
        for (HotRegion.Part part : region.parts()) {
            long[] targets = part.targets().clone();
            for (int n = 0; n < targets.length; n++) {
                targets[n] = number(targets[n], random);
            }
            parts.add(new HotRegion.Part(
                    number(part.offset(), random),
                    (int) number(part.length(), random),
                    number(part.physical(), random),
                    number(part.second(), random),
                    random.nextInt(8) == 0 ? new long[] {0, part.offset(), random.nextLong()} : targets));
        }
        if (random.nextInt(8) == 0) {
            parts.remove(random.nextInt(parts.size()));
        }
        return new HotRegion(region.instructions(), region.key(), region.digest(), parts);
    }

    private static long number(long value, SplittableRandom random) {
        return switch (random.nextInt(40)) {
            case 0 -> random.nextLong();
            case 1 -> value + random.nextInt(-4, 5);
            case 2 -> -value;
            case 3 -> value ^ 1L << random.nextInt(64);
            default -> value;
        };
    }
}
