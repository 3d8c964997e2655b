package dev.multivisor.engine.machine;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.multivisor.api.Boot;
import dev.multivisor.api.Exit;
import dev.multivisor.api.MachineSpec;
import dev.multivisor.engine.cpu.TestCompiler;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/**
 * A guest is saved at random instructions and goes on, on this machine and on a fresh one with a copy of the memory: the
 * states are the same bytes there and at the end. Time is the count of instructions, so nothing else may differ either.
 * {@code -Dmultivisor.test.saves=N} sets how often each guest is saved, {@code -Dmultivisor.test.seed=N} where.
 */
class SaveAnywhereTest {
    private static final Map<String, String> COUNTED = Map.of("time", "instructions");
    private static final int SAVES = Integer.getInteger("multivisor.test.saves", 6);
    private static final long SEED = Long.getLong("multivisor.test.seed", 1);

    /** How far Linux is followed, in instructions. */
    private static final long LINUX = 300_000_000;

    /** A run that is longer than this, in instructions, has hung. */
    private static final long LIMIT = 100_000_000;

    /** Guests with devices and timers, with each mode, with code that changes, with each way to end. */
    private static final List<String> GUESTS = List.of(
            "interrupts",
            "timers",
            "ioapic",
            "x2apic",
            "clocks",
            "smc",
            "smc_pages",
            "strings",
            "paging",
            "paging32",
            "exceptions",
            "debug",
            "tasks",
            "vm86",
            "realmode",
            "gates64",
            "syscall",
            "multiboot",
            "end_halted",
            "end_power_off",
            "end_triple_fault");

    @TempDir
    Path folder;

    @TestFactory
    Stream<DynamicTest> guests() {
        assumeTrue(SystemGuest.buildable(), "no binutils on this host");
        return GUESTS.stream()
                .map(SystemGuest::named)
                .map(guest -> DynamicTest.dynamicTest(guest.name(), () -> run(guest)));
    }

    private void run(SystemGuest guest) throws IOException, InterruptedException {
        Path kernel = guest.build(folder);
        try (var lent = new TestResources(SystemGuest.MEMORY);
                var machine = guest.create(kernel, COUNTED, lent.resources)) {
            End plain = end(machine, lent);
            SplittableRandom random = new SplittableRandom(SEED);
            for (int n = 0; n < SAVES; n++) {
                saveAt(guest, kernel, random.nextLong(plain.instructions), plain);
            }
        }
    }

    /** Debian's kernel, without a root to mount, a while into its start-up; only in a long run, and if it is cached. */
    @Test
    void linux() {
        String xdg = System.getenv("XDG_CACHE_HOME");
        Path cache = xdg == null ? Path.of(System.getProperty("user.home"), ".cache") : Path.of(xdg);
        Path kernel = cache.resolve("multivisor/images/debian-12/vmlinuz");
        assumeTrue(SAVES > 20 && Files.exists(kernel), "no long run, or no kernel in the image cache");
        long bytes = 192 << 20;
        SplittableRandom random = new SplittableRandom(SEED);
        long[] points = random.longs(SAVES / 4, 0, LINUX).sorted().toArray();
        MachineSpec spec = new MachineSpec(1, "x86-64-v2", TestCompiler.parameters(COUNTED));
        Boot boot = new Boot(TestResources.image(kernel), List.of(), "console=ttyS0");
        TestResources lent = new TestResources(bytes);
        SoftMachine machine = SoftMachine.create("test", spec, boot, lent.resources);
        long done = 0;
        for (long point : points) {
            ((Vcpu) machine.cpus().getFirst()).runFor(point - done);
            done = point;
            byte[] state = machine.save(SoftMachine.stateFormat());
            machine.close();
            TestResources copy = new TestResources(bytes);
            MemorySegment.copy(lent.memory, 0, copy.memory, 0, bytes);
            lent.close();
            lent = copy;
            machine = SoftMachine.restore("test", spec, state, lent.resources);
            assertArrayEquals(state, machine.save(SoftMachine.stateFormat()), "at " + point);
        }
        ((Vcpu) machine.cpus().getFirst()).runFor(LINUX - done);
        try (var straight = new TestResources(bytes);
                var whole = SoftMachine.create("test", spec, boot, straight.resources)) {
            ((Vcpu) whole.cpus().getFirst()).runFor(LINUX);
            assertArrayEquals(whole.save(SoftMachine.stateFormat()), machine.save(SoftMachine.stateFormat()));
            assertEquals(-1, straight.memory.mismatch(lent.memory));
        }
        machine.close();
        lent.close();
    }

    /** How a guest's run ended. */
    private record End(Exit exit, long instructions, byte[] state, MemorySegment memory, String console) {}

    private static void saveAt(SystemGuest guest, Path kernel, long point, End plain) {
        try (var lent = new TestResources(SystemGuest.MEMORY);
                var copy = new TestResources(SystemGuest.MEMORY);
                var machine = guest.create(kernel, COUNTED, lent.resources)) {
            Vcpu cpu = (Vcpu) machine.cpus().getFirst();
            assertEquals(Exit.Reason.KICKED, cpu.runFor(point).reason());
            byte[] state = machine.save(SoftMachine.stateFormat());
            String where = guest.name() + " at " + cpu.instructions();
            MemorySegment.copy(lent.memory, 0, copy.memory, 0, SystemGuest.MEMORY);
            copy.debug.write(lent.debug.text());
            try (var restored = SoftMachine.restore("test", guest.spec(COUNTED), state, copy.resources)) {
                assertArrayEquals(state, restored.save(SoftMachine.stateFormat()), where);
                assertSame(plain, end(restored, copy), where + ", restored");
            }
            assertSame(plain, end(machine, lent), where + ", going on");
        }
    }

    private static void assertSame(End expected, End found, String where) {
        assertEquals(expected.exit, found.exit, where);
        assertEquals(expected.console, found.console, where);
        assertEquals(expected.instructions, found.instructions, where);
        assertEquals(-1, expected.memory.mismatch(found.memory), where);
        assertArrayEquals(expected.state, found.state, where);
    }

    private static End end(SoftMachine machine, TestResources lent) {
        Vcpu cpu = (Vcpu) machine.cpus().getFirst();
        Exit exit = cpu.runFor(LIMIT);
        return new End(
                exit, cpu.instructions(), machine.save(SoftMachine.stateFormat()), lent.memory, lent.debug.text());
    }
}
