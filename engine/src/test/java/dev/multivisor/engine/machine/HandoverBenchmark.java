package dev.multivisor.engine.machine;

import dev.multivisor.api.Exit;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Map;

/**
 * Moves a running guest again and again, and prints how long saving and restoring take: for a profiler.
 * Arguments: the guest's name, how many moves.
 */
final class HandoverBenchmark {
    /** Moves that one figure stands for. */
    private static final int BATCH = 1000;

    private HandoverBenchmark() {}

    /** Times of moves, in nanoseconds. */
    static final class Times {
        private long[] save = new long[64];
        private long[] restore = new long[64];
        private int count;

        void add(long saved, long restored) {
            if (count == save.length) {
                save = Arrays.copyOf(save, 2 * count);
                restore = Arrays.copyOf(restore, 2 * count);
            }
            save[count] = saved;
            restore[count++] = restored;
        }

        int count() {
            return count;
        }

        @Override
        public String toString() {
            return count == 0
                    ? "no moves"
                    : "%d moves: save %s, restore %s"
                            .formatted(count, percentiles(save, count), percentiles(restore, count));
        }

        private static String percentiles(long[] times, int count) {
            long[] sorted = Arrays.copyOf(times, count);
            Arrays.sort(sorted);
            return "median %.1f us, 99 %% %.1f us"
                    .formatted(sorted[count / 2] / 1000.0, sorted[(int) (count * 0.99)] / 1000.0);
        }
    }

    public static void main(String[] arguments) throws IOException, InterruptedException {
        SystemGuest guest = SystemGuest.named(arguments.length > 0 ? arguments[0] : "smp_memory");
        int moves = arguments.length > 1 ? Integer.parseInt(arguments[1]) : 10_000;
        Path folder = Files.createTempDirectory("handover");
        Path kernel = guest.build(folder);
        Times all = new Times();
        Times batch = new Times();
        int size = 0;
        while (all.count() < moves) {
            try (var lent = new TestResources(SystemGuest.MEMORY)) {
                SoftMachine machine = guest.create(kernel, Map.of(), lent.resources);
                Exit exit = MachineRunner.run(machine, Duration.ofMillis(1));
                while (exit.reason() == Exit.Reason.KICKED && all.count() < moves) {
                    long start = System.nanoTime();
                    byte[] state = machine.save(SoftMachine.stateFormat());
                    long saved = System.nanoTime();
                    SoftMachine target = SoftMachine.restore("test", guest.spec(Map.of()), state, lent.resources);
                    long restored = System.nanoTime();
                    machine.close();
                    machine = target;
                    size = state.length;
                    all.add(saved - start, restored - saved);
                    batch.add(saved - start, restored - saved);
                    if (batch.count() == BATCH) {
                        System.out.println(batch);
                        batch = new Times();
                    }
                    exit = MachineRunner.run(machine, Duration.ofMillis(1));
                }
                machine.close();
            }
        }
        System.out.println(size + " bytes, " + all);
    }
}
