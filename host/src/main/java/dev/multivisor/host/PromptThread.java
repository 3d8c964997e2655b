package dev.multivisor.host;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/**
 * A thread that has little to do, but is to do that at once: when it is woken, it goes before threads that compute, such as
 * vCPUs. It takes short turns instead, so that whoever gives it more to do than it should have slows down nobody else. This
 * needs no privilege, but Linux 6.12; where the host knows no time slices it is a thread like others.
 */
public final class PromptThread {
    /**
     * Long enough for what there is to do at once: a thread that has had its turn waits until others have had as much. Shorter
     * than the turns of others, which are 0.7 to 3 ms.
     */
    static final long SLICE_NANOS = 300_000;

    private PromptThread() {}

    /**
     * Makes the calling thread one, for as long as it lives. It has to be a platform thread.
     *
     * @return whether the host does as described
     */
    public static boolean begin() {
        return HostScheduler.slice(HostScheduler.thread(), SLICE_NANOS);
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
