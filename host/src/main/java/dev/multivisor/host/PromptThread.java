package dev.multivisor.host;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/**
 * A thread that has little to do, but is to do that at once: when it is woken, it goes before threads that compute, such as
 * vCPUs. Where the process may do that (CAP_SYS_NICE) it goes before all others, for a tenth of the time at the most; else,
 * and when it has had that, it takes short turns, which needs no privilege, but Linux 6.12. So whoever gives it more to do
 * than it should have slows down nobody else. For use by that thread.
 *
 * <p>It goes before the others for a millisecond at once: in what the JVM does on its behalf it may wait for another thread
 * without giving up its processor. HotSpot has a method that was compiled again called in a loop until the thread that
 * exchanges its code, which may have lost its processor to this one, has done so. As SCHED_FIFO two such threads have been
 * in that loop for up to 0.95 s.
 */
public final class PromptThread {
    /**
     * Long enough for what there is to do at once: a thread that has had its turn waits until others have had as much. Shorter
     * than the turns of others, which are 0.7 to 3 ms.
     */
    static final long SLICE_NANOS = 300_000;

    private static final HostScheduler.Terms TURNS = HostScheduler.Terms.turns(SLICE_NANOS);
    private static final HostScheduler.Terms BEFORE_ALL = HostScheduler.Terms.share(1_000_000, 2_000_000);

    /** For how long it may go before all others in each second. */
    private static final long MOST_NANOS = 100_000_000, SECOND = 1_000_000_000;

    private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

    private final int thread = HostScheduler.thread();
    private boolean urgent;

    /** When the second began, and how long this thread had had a processor until then. */
    private long since = System.nanoTime();

    private long before = THREADS.getCurrentThreadCpuTime();

    private PromptThread() {
        HostScheduler.begin(thread, TURNS);
        urgent = HostScheduler.begin(thread, BEFORE_ALL);
    }

    /** Makes the calling thread one, for as long as it lives. It has to be a platform thread. */
    public static PromptThread begin() {
        return new PromptThread();
    }

    /** Looks how much it has worked; to be called each time when it has done something, or had nothing to do for a while. */
    public void check() {
        long used = THREADS.getCurrentThreadCpuTime() - before;
        if (urgent && used > MOST_NANOS) {
            urgent = false;
            HostScheduler.usual(thread, TURNS);
        }
        if (System.nanoTime() - since > SECOND) {
            since = System.nanoTime();
            before += used;
            urgent = urgent || HostScheduler.begin(thread, BEFORE_ALL);
        }
    }

    /**
     * Makes all threads of this process such threads, those of the JVM too, and those that they start from now on: for a
     * process that shares the processors with one that it waits for, and is to keep it from nothing. Does nothing where the
     * host knows no time slices.
     */
    public static void beginAll() {
        try (Stream<Path> tasks = Files.list(Path.of("/proc/self/task"))) {
            tasks.forEach(task ->
                    HostScheduler.begin(Integer.parseInt(task.getFileName().toString()), TURNS));
        } catch (IOException | UncheckedIOException e) {
            // They have the turns that others have.
        }
    }
}
