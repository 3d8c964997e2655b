package dev.multivisor.engine.machine;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.multivisor.api.Exit;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Guests with two processors, and some that live by the host's clock, change machines every few milliseconds over the same
 * memory and notice nothing. {@code -Dmultivisor.test.seed=N} sets when.
 */
class HandoverTest {
    private static final long SEED = Long.getLong("multivisor.test.seed", 1);

    @TempDir
    Path folder;

    @ParameterizedTest
    @ValueSource(strings = {"smp_start", "smp_memory", "interrupts", "ioapic", "clocks", "timers"})
    void guestsGoOnElsewhere(String name) throws IOException, InterruptedException {
        assumeTrue(SystemGuest.buildable(), "no binutils on this host");
        SystemGuest guest = SystemGuest.named(name);
        Path kernel = guest.build(folder);
        SplittableRandom random = new SplittableRandom(SEED);
        try (var lent = new TestResources(SystemGuest.MEMORY)) {
            SoftMachine machine = guest.create(kernel, Map.of(), lent.resources);
            Exit exit = MachineRunner.run(machine, Duration.ofMillis(random.nextLong(20)));
            HandoverBenchmark.Times times = new HandoverBenchmark.Times();
            while (exit.reason() == Exit.Reason.KICKED && times.count() < 3000) {
                long start = System.nanoTime();
                byte[] state = machine.save(SoftMachine.stateFormat());
                long saved = System.nanoTime();
                if (random.nextBoolean()) {
                    Duration limit = Duration.ofMillis(random.nextBoolean() ? 0 : 1000);
                    SoftMachine.prepare(guest.spec(Map.of()), machine.hotCode(), lent.resources.memory(), limit);
                }
                machine.close();
                machine = SoftMachine.restore("test", guest.spec(Map.of()), state, lent.resources);
                times.add(saved - start, System.nanoTime() - saved);
                assertArrayEquals(state, machine.save(SoftMachine.stateFormat()));
                exit = MachineRunner.run(machine, Duration.ofMillis(1 + random.nextLong(20)));
            }
            machine.close();
            System.out.println(name + ": " + times);
            assertEquals(new Exit(Exit.Reason.DEBUG_EXIT, 1, ""), exit, lent.debug::text);
        }
    }
}
