package dev.multivisor.engine.machine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.multivisor.api.Exit;
import dev.multivisor.api.MachineSpec;
import dev.multivisor.api.VirtualCpu;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a machine tells of itself: counters, progress, and who waits. */
class StatisticsTest {
    private static final Map<String, String> COUNTED = Map.of("time", "instructions");
    private static final Duration LONG = Duration.ofSeconds(60);

    @TempDir
    Path folder;

    private static MachineSpec spec(int cpus) {
        return new MachineSpec(cpus, "x86-64-v2", COUNTED);
    }

    @Test
    void accessesAreCounted() {
        try (var lent = new TestResources(TinyKernel.MEMORY)) {
            // mov $'A', %al; out %al, $0xe9; in $0x61, %al; mov 0xfee00020, %eax; mov %eax, 0xfee00080; out %al, $0xf4
            var boot = TinyKernel.boot(
                    0xb0, 'A', 0xe6, 0xe9, 0xe4, 0x61, 0xa1, 0x20, 0, 0xe0, 0xfe, 0xa3, 0x80, 0, 0xe0, 0xfe, 0xe6,
                    0xf4);
            var machine = SoftMachine.create("test", spec(1), boot, lent.resources);
            assertEquals(Exit.Reason.DEBUG_EXIT, machine.cpus().getFirst().run().reason());
            Map<String, Long> counters = new HashMap<>(machine.statistics());
            assertTrue(counters.remove("tlbMisses") >= 2, counters::toString);
            assertTrue(counters.remove("blocksDecoded") >= 1, counters::toString);
            Map<String, Long> expected = new HashMap<>(
                    Map.of("instructions", 6L, "portReads", 1L, "portWrites", 2L, "mmioReads", 1L, "mmioWrites", 1L));
            for (String none : List.of(
                    "interrupts",
                    "exceptions",
                    "pageFaults",
                    "halts",
                    "codeInvalidations",
                    "compiledInstructions",
                    "compiledRegions",
                    "compileRequests",
                    "compileAnswers",
                    "kicks")) {
                expected.put(none, 0L);
            }
            assertEquals(expected, counters);
            // A machine starts from nothing where it arrives; its vCPU's count goes on.
            byte[] state = machine.save(SoftMachine.stateFormat());
            var restored = SoftMachine.restore("test", spec(1), state, lent.resources);
            restored.statistics().forEach((name, value) -> assertEquals(0, value, name));
            assertEquals(6, restored.cpus().getFirst().instructions());
            assertEquals(counters.keySet().size() + 2, restored.statistics().size());
        }
    }

    @Test
    void guestsAreCounted() throws IOException, InterruptedException {
        assumeTrue(SystemGuest.buildable(), "no binutils on this host");
        assertCounted("exceptions", "exceptions", "pageFaults");
        assertCounted("interrupts", "interrupts", "halts", "mmioWrites");
        assertCounted("smc", "codeInvalidations", "blocksDecoded");
    }

    private void assertCounted(String name, String... counters) throws IOException, InterruptedException {
        SystemGuest guest = SystemGuest.named(name);
        try (var lent = new TestResources(SystemGuest.MEMORY);
                var machine = guest.create(guest.build(folder), COUNTED, lent.resources)) {
            assertEquals(guest.expected(), machine.cpus().getFirst().run().reason());
            for (String counter : counters) {
                assertTrue(
                        machine.statistics().get(counter) > 0,
                        () -> name + ": " + counter + " in " + machine.statistics());
            }
        }
    }

    /** Counted time has slices of ten million instructions. */
    @Test
    void progressIsSeenWithinASlice() {
        try (var lent = new TestResources(TinyKernel.MEMORY)) {
            var machine = SoftMachine.create("test", spec(1), TinyKernel.boot(0xeb, 0xfe), lent.resources);
            VirtualCpu cpu = machine.cpus().getFirst();
            CompletableFuture<Exit> end = CompletableFuture.supplyAsync(cpu::run);
            assertTimeoutPreemptively(LONG, () -> {
                long last = 0;
                int grown = 0;
                while (grown < 1000) {
                    long now = cpu.instructions();
                    assertTrue(now >= last, () -> "went back to " + now);
                    grown += now > last ? 1 : 0;
                    last = now;
                }
                cpu.kick();
                assertEquals(Exit.Reason.KICKED, end.get().reason());
                assertTrue(cpu.instructions() >= last);
            });
            assertEquals(1, machine.statistics().get("kicks"));
            machine.close();
        }
    }

    @Test
    void whoIsHaltedOrNotStartedWaits() {
        try (var lent = new TestResources(TinyKernel.MEMORY)) {
            // sti; hlt; in host's time, without a device that would wake it
            var spec = new MachineSpec(2, "x86-64-v2", Map.of());
            var machine = SoftMachine.create("test", spec, TinyKernel.boot(0xfb, 0xf4), lent.resources);
            VirtualCpu first = machine.cpus().getFirst();
            VirtualCpu second = machine.cpus().getLast();
            assertFalse(first.waiting());
            assertTrue(second.waiting());
            CompletableFuture<Exit> one = CompletableFuture.supplyAsync(first::run);
            CompletableFuture<Exit> other = CompletableFuture.supplyAsync(second::run);
            assertTimeoutPreemptively(LONG, () -> await(first::waiting));
            assertTrue(second.waiting());
            first.kick();
            second.kick();
            assertTimeoutPreemptively(LONG, () -> {
                assertEquals(Exit.Reason.KICKED, one.get().reason());
                assertEquals(Exit.Reason.KICKED, other.get().reason());
            });
            assertTrue(first.waiting() && second.waiting(), "also while nobody runs them");
            byte[] state = machine.save(SoftMachine.stateFormat());
            var restored = SoftMachine.restore("test", spec, state, lent.resources);
            assertTrue(restored.cpus().getFirst().waiting()
                    && restored.cpus().getLast().waiting());
        }
    }

    private static void await(BooleanSupplier condition) throws InterruptedException {
        while (!condition.getAsBoolean()) {
            Thread.sleep(1);
        }
    }
}
