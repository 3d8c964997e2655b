package dev.multivisor.host;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/**
 * A thread that has little to do, but is to do that at once: when it is woken, it goes before threads that compute, such as
 * vCPUs. Where the process may do that (CAP_SYS_NICE or RLIMIT_RTPRIO) it goes before all others, but those of a handover,
 * for a tenth of the time at the most; else, and when it has had that, it takes short turns, which needs no privilege, but
 * Linux 6.12. So whoever gives it more to do than it should have slows down nobody else. For use by that thread.
 */
public final class PromptThread {
    /**
     * Long enough for what there is to do at once: a thread that has had its turn waits until others have had as much. Shorter
     * than the turns of others, which are 0.7 to 3 ms.
     */
    static final long SLICE_NANOS = 300_000;

    /** For how long it may go before all others in each second. */
    private static final long MOST_NANOS = 100_000_000, SECOND = 1_000_000_000;

    private final int thread = HostScheduler.thread();
    private boolean urgent;
    private long since = System.nanoTime();
    private long used;

    private PromptThread() {
        shortTurns();
        becomeUrgent();
    }

    /** Makes the calling thread one, for as long as it lives. It has to be a platform thread. */
    public static PromptThread begin() {
        return new PromptThread();
    }

    /** Tells how long it took to do something; to be called now and then also when there was nothing to do. */
    public void worked(long nanos) {
        used += nanos;
        if (urgent && used > MOST_NANOS) {
            urgent = false;
            HostScheduler.usual(thread);
            shortTurns();
        }
        if (System.nanoTime() - since > SECOND) {
            since = System.nanoTime();
            used = 0;
            if (!urgent) {
                becomeUrgent();
            }
        }
    }

    private void shortTurns() {
        HostScheduler.slice(thread, SLICE_NANOS);
    }

    private void becomeUrgent() {
        // With one processor, nobody else would get any of it.
        urgent = Runtime.getRuntime().availableProcessors() > 1 && HostScheduler.urgent(thread, Urgency.PROMPT);
    }

    /**
     * Makes all threads of this process such threads, those of the JVM too, and those that they start from now on: for a
     * process that shares the processors with one that it waits for, and is to keep it from nothing. Does nothing where the
     * host knows no time slices.
     */
    public static void beginAll() {
        try (Stream<Path> tasks = Files.list(Path.of("/proc/self/task"))) {
            tasks.forEach(task ->
                    HostScheduler.slice(Integer.parseInt(task.getFileName().toString()), SLICE_NANOS));
        } catch (IOException | UncheckedIOException e) {
            // They have the turns that others have.
        }
    }
}
