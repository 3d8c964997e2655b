package dev.multivisor.host;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.multivisor.api.Boot;
import dev.multivisor.api.EngineException;
import dev.multivisor.api.Exit;
import dev.multivisor.api.MachineSpec;
import java.io.ByteArrayOutputStream;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class VirtualMachineTest {
    @TempDir
    static Path folder;

    private static LoadedEngine engine;

    @BeforeAll
    static void load() throws Exception {
        Path jar = FakeEngine.build(folder, FakeEngine.Recipe.good("1.0"));
        engine = LoadedEngine.load(EngineJar.read(jar), folder.resolve("cache"));
    }

    @Test
    void endsWithTheFirstExitAndKicksTheOthers() throws Exception {
        try (VirtualMachine machine = machine(3, "power-off")) {
            machine.start();
            MachineEnd end = machine.await();
            assertEquals(Exit.Reason.POWER_OFF, end.exit().reason());
            assertEquals(2, end.cpu());
            assertTrue(machine.threadsGone(Duration.ofSeconds(10)));
        }
    }

    @Test
    void reportsAnEngineThatThrows() throws Exception {
        try (VirtualMachine machine = machine(2, "throw")) {
            machine.start();
            MachineEnd end = machine.await();
            assertEquals(Exit.Reason.FAILED, end.exit().reason());
            assertEquals(
                    "engine 1.0 failed on vCPU 1: java.lang.IllegalStateException: boom",
                    end.exit().detail());
            assertTrue(end.trace().contains("dev.multivisor.engine.Fake"), end.trace());
        }
        try (VirtualMachine machine = machine(1, "null")) {
            machine.start();
            assertEquals(Exit.Reason.FAILED, machine.await().exit().reason());
        }
    }

    @Test
    void refusalsLeaveNothingBehind() {
        EngineException refusal = assertThrows(EngineException.class, () -> machine(1, "refuse"));
        assertEquals("kernel: is too fake", refusal.getMessage());
        HostException bug = assertThrows(HostException.class, () -> machine(1, "bug"));
        assertTrue(bug.getMessage().contains("unforeseen"), bug.getMessage());
    }

    @Test
    void pausesAndResumes() throws Exception {
        try (VirtualMachine machine = machine(2, "idle")) {
            assertEquals(0, machine.clock().nanoTime());
            machine.start();
            for (int n = 0; n < 200; n++) {
                machine.pause();
                long rounds = machine.statistics().get("rounds");
                long time = machine.clock().nanoTime();
                assertArrayEquals(new byte[] {1, 2, 3}, machine.save());
                if (n % 50 == 0) {
                    Thread.sleep(5);
                }
                assertEquals(time, machine.clock().nanoTime());
                assertEquals(rounds, machine.statistics().get("rounds"));
                machine.resume();
                assertTrue(machine.clock().nanoTime() - time < 5_000_000_000L);
            }
            assertThrows(HostException.class, machine::save);
            assertFalse(machine.await(Duration.ofMillis(20)).isPresent());
            machine.stop("enough");
            MachineEnd end = machine.await();
            assertEquals(new Exit(Exit.Reason.KICKED, 0, "enough"), end.exit());
            assertEquals(-1, end.cpu());
        }
    }

    @Test
    void canBeClosedAtAnyTime() throws Exception {
        VirtualMachine never = machine(2, "idle");
        never.close();
        never.close();
        assertThrows(HostException.class, never::start);
        VirtualMachine paused = machine(2, "idle");
        paused.start();
        paused.pause();
        paused.close();
        assertTrue(paused.threadsGone(Duration.ofSeconds(10)));
        VirtualMachine running = machine(2, "idle");
        running.start();
        running.close();
        assertTrue(running.threadsGone(Duration.ofSeconds(10)));
    }

    @Test
    void lendsTheConsole() throws Exception {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (StreamConsole console = new StreamConsole(List.of(out));
                VirtualMachine machine = VirtualMachine.create(
                        engine,
                        new VirtualMachine.Settings(
                                "t", 16 << 20, new MachineSpec(1, "x", Map.of("mode", "print")), console, console),
                        boot())) {
            machine.start();
            assertEquals(
                    new Exit(Exit.Reason.DEBUG_EXIT, 7, ""), machine.await().exit());
        }
        assertEquals("w", out.toString());
    }

    @Test
    void clockNeverGoesBack() throws Exception {
        PausableClock clock = new PausableClock();
        Thread toggler = Thread.ofPlatform().start(() -> {
            for (int n = 0; n < 20_000; n++) {
                clock.resume();
                clock.pause();
            }
        });
        long last = 0;
        while (toggler.isAlive()) {
            long now = clock.nanoTime();
            assertTrue(now >= last);
            last = now;
        }
        toggler.join();
        assertTrue(Math.abs(clock.wallTime() / 1_000_000 - System.currentTimeMillis()) < 10_000);
    }

    private static VirtualMachine machine(int cpus, String mode) {
        return VirtualMachine.create(engine, settings(cpus, Map.of("mode", mode)), boot());
    }

    static VirtualMachine.Settings settings(int cpus, Map<String, String> parameters) {
        StreamConsole console = new StreamConsole(List.of());
        return new VirtualMachine.Settings(
                "test", 32 << 20, new MachineSpec(cpus, "x86-64-v2", parameters), console, console);
    }

    static Boot boot() {
        return new Boot(new Boot.Image("none", MemorySegment.ofArray(new byte[1])), List.of(), "");
    }
}
