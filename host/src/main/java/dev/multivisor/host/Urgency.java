package dev.multivisor.host;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;

/**
 * For the time of a handover's pause its threads go before all others, so that the guest does not wait while the JVM's
 * compilers, or another process, have the processors. It is taken back whatever happens: a thread that hangs in an engine
 * must not keep a processor for itself.
 */
final class Urgency {
    /** Priorities: a mover that is woken goes before the vCPUs, which wait for it then. */
    static final int VCPU = 2;

    static final int MOVER = 3;

    /** What all others wait for goes first. */
    static final int SAFEPOINTS = 4;

    private static final AtomicBoolean ASKED = new AtomicBoolean();

    private static final class Safepoints {
        static final boolean URGENT = safepointsUrgent();
    }

    private final List<Integer> threads = new ArrayList<>();
    private boolean over;

    /** For these threads, from now on until {@link #end}; whether the system lets them all, which needs a privilege. */
    synchronized boolean begin(int priority, List<Integer> wanted) {
        // With one processor, one that hangs would leave none to whoever has to find that out.
        boolean possible = !over && Runtime.getRuntime().availableProcessors() > 1;
        for (int thread : wanted) {
            possible = possible && HostScheduler.urgent(thread, priority);
            if (possible) {
                threads.add(thread);
            }
        }
        return possible;
    }

    /**
     * From now on the thread of HotSpot that stops all others, such as for a collection, and lets them go on again, goes before
     * them where the process may have that (CAP_SYS_NICE): else the first that it wakes take its processor, and the last ones
     * wait until those have had their turns, for up to 15 ms.
     *
     * @return whether it is so
     */
    static boolean safepoints() {
        return Safepoints.URGENT;
    }

    /** The same, but nobody waits for it: in a JVM that has just started it takes 20 ms. */
    static void safepointsSoon() {
        if (ASKED.compareAndSet(false, true)) {
            Thread.ofPlatform().name("urgency").daemon(true).start(Urgency::safepoints);
        }
    }

    private static boolean safepointsUrgent() {
        try (Stream<Path> tasks = Files.list(Path.of("/proc/self/task"))) {
            return tasks.filter(task -> name(task).equals("VM Thread"))
                    .anyMatch(task -> HostScheduler.urgent(
                            Integer.parseInt(task.getFileName().toString()), SAFEPOINTS));
        } catch (IOException | UncheckedIOException e) {
            return false;
        }
    }

    /** Empty if it has ended. */
    private static String name(Path task) {
        try {
            return Files.readString(task.resolve("comm")).strip();
        } catch (IOException e) {
            return "";
        }
    }

    /** Never again. */
    synchronized void end() {
        over = true;
        // Last what was first, which may be the caller: no longer urgent it would not get a processor from those that
        // still are.
        threads.reversed().forEach(HostScheduler::usual);
        threads.clear();
    }
}
