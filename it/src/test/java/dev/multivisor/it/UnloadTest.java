package dev.multivisor.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.multivisor.api.Boot;
import dev.multivisor.api.Exit;
import dev.multivisor.api.MachineSpec;
import dev.multivisor.host.EngineCatalog;
import dev.multivisor.host.EngineJar;
import dev.multivisor.host.EnginePool;
import dev.multivisor.host.LoadedEngine;
import dev.multivisor.host.StreamConsole;
import dev.multivisor.host.UpgradeRequest;
import dev.multivisor.host.VirtualMachine;
import java.lang.foreign.MemorySegment;
import java.lang.ref.PhantomReference;
import java.lang.ref.ReferenceQueue;
import java.lang.reflect.Method;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A real engine disappears from the process when its last machine has left it. */
@Timeout(120)
class UnloadTest {
    private static final EngineJar ENGINE = EngineCatalog.of(List.of(Path.of(System.getProperty("multivisor.engines"))))
            .newest();

    @Test
    void anEngineIsCollectedAfterAGuestHasRunOnIt() throws Exception {
        ReferenceQueue<ClassLoader> queue = new ReferenceQueue<>();
        PhantomReference<ClassLoader> loader = runOnce(queue);
        assertCollected(queue, loader);
    }

    @Test
    void theSourceIsCollectedAfterItsGuestHasMovedOn() throws Exception {
        ReferenceQueue<ClassLoader> queue = new ReferenceQueue<>();
        EnginePool one = new EnginePool();
        EnginePool other = new EnginePool();
        VirtualMachine machine;
        PhantomReference<ClassLoader> loader;
        try (EnginePool.Lease source = one.lease(ENGINE)) {
            loader = new PhantomReference<>(loader(source.engine()), queue);
            machine = VirtualMachine.create(source.engine(), settings(), boot("NEVER"));
        }
        UpgradeRequest request =
                new UpgradeRequest(Map.of(), Duration.ofSeconds(5), Duration.ofMillis(100), Duration.ZERO);
        try (machine) {
            for (int n = 0; n < 2; n++) {
                // The second move takes the way back to the first engine away.
                try (EnginePool.Lease target = other.lease(ENGINE)) {
                    assertTrue(machine.upgrade(target.engine(), request).committed());
                }
            }
            assertCollected(queue, loader);
        }
    }

    // In a frame of its own, so that nothing on the stack holds the engine.
    private static PhantomReference<ClassLoader> runOnce(ReferenceQueue<ClassLoader> queue) throws Exception {
        try (EnginePool.Lease lease = new EnginePool().lease(ENGINE)) {
            LoadedEngine engine = lease.engine();
            try (VirtualMachine machine = VirtualMachine.create(engine, settings(), boot("POWER_OFF"))) {
                machine.start();
                assertEquals(Exit.Reason.POWER_OFF, machine.await().exit().reason());
            }
            return new PhantomReference<>(loader(engine), queue);
        }
    }

    private static void assertCollected(ReferenceQueue<ClassLoader> queue, PhantomReference<ClassLoader> loader)
            throws InterruptedException {
        for (int n = 0; n < 100; n++) {
            System.gc();
            if (queue.remove(100) == loader) {
                return;
            }
        }
        throw new AssertionError("the engine's class loader is still reachable");
    }

    /** The class loader is no business of anybody outside the base, except for this question. */
    static ClassLoader loader(LoadedEngine engine) throws ReflectiveOperationException {
        Method method = LoadedEngine.class.getDeclaredMethod("engine");
        method.setAccessible(true);
        return method.invoke(engine).getClass().getClassLoader();
    }

    private static VirtualMachine.Settings settings() {
        StreamConsole nowhere = new StreamConsole(List.of());
        return new VirtualMachine.Settings(
                "unload", 64 << 20, new MachineSpec(1, "x86-64-v2", Map.of()), nowhere, nowhere);
    }

    private static Boot boot(String end) throws Exception {
        byte[] kernel = Files.readAllBytes(Guests.kernel(end));
        MemorySegment bytes = MemorySegment.ofBuffer(
                ByteBuffer.allocateDirect(kernel.length).put(kernel).flip());
        return new Boot(new Boot.Image("end-" + end, bytes), List.of(), "");
    }
}
