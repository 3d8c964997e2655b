package dev.multivisor.engine.machine;

import dev.multivisor.api.Exit;
import dev.multivisor.api.Machine;
import dev.multivisor.api.VirtualCpu;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;

/** Runs every vCPU of a machine on a thread until the machine ends or its time is up. */
final class MachineRunner {
    private MachineRunner() {}

    /** Why the machine ended; KICKED when its time was up. */
    static Exit run(Machine machine, Duration limit) throws InterruptedException {
        AtomicReference<Exit> end = new AtomicReference<>();
        CountDownLatch ended = new CountDownLatch(1);
        List<Thread> threads = new ArrayList<>();
        for (VirtualCpu cpu : machine.cpus()) {
            threads.add(Thread.ofPlatform().start(() -> {
                Exit exit;
                try {
                    exit = cpu.run();
                } catch (RuntimeException | Error e) {
                    e.printStackTrace();
                    exit = new Exit(Exit.Reason.FAILED, 0, e.toString());
                }
                if (exit.reason() != Exit.Reason.KICKED) {
                    end.compareAndSet(null, exit);
                    ended.countDown();
                }
            }));
        }
        ended.await(limit.toMillis(), TimeUnit.MILLISECONDS);
        machine.cpus().forEach(VirtualCpu::kick);
        for (Thread thread : threads) {
            thread.join();
        }
        Exit exit = end.get();
        return exit != null ? exit : new Exit(Exit.Reason.KICKED, 0, "time is up");
    }
}
