package dev.multivisor.host;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/**
 * Has a thread do something at once. {@link #run} is for something short, such as telling what has just happened, on whichever
 * thread that happened: it does not lose its processor to others, such as vCPUs and compilers, in the middle. It goes before
 * all of them where the process may do that (CAP_SYS_NICE), for a tenth of the time at the most; so whoever gives it more to
 * do than it should have slows down nobody else. What may turn out to be for {@link #run} does so too ({@link #perhaps}),
 * for another tenth, so that it takes nothing from what did turn out to be.
 *
 * <p>It goes before the others for two milliseconds at once, and not for as long as it likes: in what the JVM does on its
 * behalf it may wait for another thread without giving up its processor. HotSpot has a method that was compiled again
 * called in a loop until the thread that exchanges its code, which may have lost its processor to this one, has done so.
 * As SCHED_FIFO two such threads have been in that loop for up to 0.95 s.
 */
public final class PromptThread {
    /**
     * Long enough for what there is to do at once: a thread that has had its turn waits until others have had as much. Shorter
     * than the turns of others, which are 0.7 to 3 ms.
     */
    private static final long SLICE_NANOS = 300_000;

    private static final HostScheduler.Terms TURNS = HostScheduler.Terms.turns(SLICE_NANOS);

    /**
     * Linux lets all threads together have 95 % of the processors, so this is for three at once, of two. What one has had
     * it does not have again before the period is over: less would not do for some changes that are told one after the other.
     */
    private static final HostScheduler.Terms BEFORE_ALL = HostScheduler.Terms.share(2_000_000, 4_000_000);

    private static final long SECOND = 1_000_000_000;

    /** For how long a thread may go before all others in each second. */
    private static final class Account {
        private static final long MOST_NANOS = SECOND / 10;

        private long since = System.nanoTime();
        private long spent;

        boolean has(long now) {
            if (now - since > SECOND) {
                since = now;
                spent = 0;
            }
            return spent < MOST_NANOS;
        }
    }

    private static final ThreadLocal<PromptThread> OWN = ThreadLocal.withInitial(PromptThread::new);

    private final int thread = HostScheduler.thread();

    /** Unless its owner chose another policy; and not what carries a virtual one for the moment. */
    private final boolean usual = !Thread.currentThread().isVirtual() && HostScheduler.isUsual(thread);

    private final Account certain = new Account();
    private final Account uncertain = new Account();

    private boolean first;

    private PromptThread() {}

    /** Has the calling thread find out now what {@link #run} takes longer for the first time. */
    static void ready() {
        OWN.get();
    }

    /** Has the calling thread do something. A virtual thread does it as anything else. */
    public static void run(Runnable task) {
        PromptThread own = OWN.get();
        own.perform(task, own.certain);
    }

    /** The same for what finds out only in the middle whether it is to be done at once, and then uses {@link #run} for that. */
    public static void perhaps(Runnable task) {
        PromptThread own = OWN.get();
        own.perform(task, own.uncertain);
    }

    private void perform(Runnable task, Account account) {
        if (first) {
            task.run();
            return;
        }
        long start = System.nanoTime();
        first = usual && account.has(start) && HostScheduler.first(thread, BEFORE_ALL);
        try {
            task.run();
        } finally {
            if (first) {
                HostScheduler.usual(thread);
                first = false;
                account.spent += System.nanoTime() - start;
            }
        }
    }

    /**
     * Has all threads of this process take short turns, those of the JVM too, and those that they start from now on: for a
     * process that shares the processors with one that it waits for, and is to keep it from nothing. It needs no privilege;
     * nothing happens where the host knows no time slices (Linux 6.12).
     */
    public static void beginAll() {
        try (Stream<Path> tasks = Files.list(Path.of("/proc/self/task"))) {
            tasks.map(task -> Integer.parseInt(task.getFileName().toString()))
                    .filter(HostScheduler::isUsual)
                    .forEach(TURNS::set);
        } catch (IOException | UncheckedIOException e) {
            // They have the turns that others have.
        }
    }
}
