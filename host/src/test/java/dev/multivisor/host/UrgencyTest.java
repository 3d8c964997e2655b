package dev.multivisor.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

final class UrgencyTest {
    private static final int SCHED_OTHER = 0;
    private static final int SCHED_FIFO = 1;
    private static final int SCHED_DEADLINE = 6;

    @Test
    void aThreadIsUrgentUntilTheEnd() throws IOException {
        int self = HostScheduler.thread();
        assertNotEquals(HostScheduler.NONE, self);
        Urgency urgency = new Urgency();
        try {
            assumeTrue(urgency.begin(Urgency.VCPU, List.of(self)), "needs CAP_SYS_NICE and two processors");
            assertEquals(SCHED_FIFO, policy(self));
        } finally {
            urgency.end();
        }
        assertEquals(SCHED_OTHER, policy(self));
    }

    @Test
    void whoStopsAllOthersGoesBeforeThem() throws IOException {
        assumeTrue(Urgency.safepoints(), "needs CAP_SYS_NICE");
        try (Stream<Path> tasks = Files.list(Path.of("/proc/self/task"))) {
            List<Integer> urgent = new ArrayList<>();
            for (Path task : tasks.toList()) {
                if (Files.readString(task.resolve("comm")).strip().equals("VM Thread")) {
                    urgent.add(policy(Integer.parseInt(task.getFileName().toString())));
                }
            }
            assertEquals(List.of(SCHED_FIFO), urgent);
        }
    }

    /** Who ends it is not urgent any more itself while others still are, and these have all processors. */
    @Test
    void theEndDoesNotWaitForThoseThatWereUrgent() throws InterruptedException {
        AtomicBoolean over = new AtomicBoolean();
        List<Integer> numbers = new CopyOnWriteArrayList<>();
        Urgency urgency = new Urgency();
        try {
            assumeTrue(
                    urgency.begin(Urgency.MOVER, List.of(HostScheduler.thread())),
                    "needs CAP_SYS_NICE and two processors");
            for (int n = 0; n < Runtime.getRuntime().availableProcessors(); n++) {
                Thread.ofPlatform().daemon(true).start(() -> {
                    numbers.add(HostScheduler.thread());
                    while (!over.get()) {
                        Thread.onSpinWait();
                    }
                });
            }
            while (numbers.size() < Runtime.getRuntime().availableProcessors()) {
                Thread.sleep(1);
            }
            assertTrue(urgency.begin(Urgency.VCPU, numbers));
            long start = System.nanoTime();
            urgency.end();
            long took = System.nanoTime() - start;
            // Linux lets other threads go on after 950 ms (sched_rt_runtime_us).
            assertTrue(took < 200_000_000, "took " + took / 1000 + " us");
        } finally {
            over.set(true);
            urgency.end();
        }
    }

    @Test
    void nothingIsUrgentAfterTheEnd() throws IOException {
        int self = HostScheduler.thread();
        Urgency urgency = new Urgency();
        urgency.end();
        assertFalse(urgency.begin(Urgency.VCPU, List.of(self)));
        assertEquals(SCHED_OTHER, policy(self));
    }

    @Test
    void whatIsNoThreadIsNotUrgent() {
        Urgency urgency = new Urgency();
        assertFalse(urgency.begin(Urgency.VCPU, List.of(HostScheduler.NONE)));
        urgency.end();
    }

    @Test
    void whatIsToBeDoneAtOnceGoesBeforeOthersForATenthOfTheTime() throws Exception {
        List<Integer> policies = new ArrayList<>();
        int after;
        try (ExecutorService one = Executors.newSingleThreadExecutor()) {
            after = one.submit(() -> {
                        int self = HostScheduler.thread();
                        Runnable look = () -> policies.add(unchecked(() -> policy(self)));
                        PromptThread.run(() -> {
                            PromptThread.run(() -> {});
                            look.run();
                        });
                        PromptThread.run(() -> unchecked(() -> {
                            Thread.sleep(150);
                            return 0;
                        }));
                        PromptThread.run(look);
                        Thread.sleep(1100);
                        PromptThread.run(look);
                        return policy(self);
                    })
                    .get();
        }
        assertEquals(SCHED_OTHER, after);
        assertEquals(SCHED_OTHER, policies.get(1));
        assumeTrue(policies.getFirst() == SCHED_DEADLINE, "the process may not have such threads");
        assertEquals(SCHED_DEADLINE, policies.getLast());
    }

    @Test
    void whatMayTurnOutToBeUrgentTakesNothingFromWhatIs() throws Exception {
        List<Integer> policies = new ArrayList<>();
        try (ExecutorService one = Executors.newSingleThreadExecutor()) {
            one.submit(() -> {
                        int self = HostScheduler.thread();
                        Runnable look = () -> policies.add(unchecked(() -> policy(self)));
                        PromptThread.perhaps(() -> {
                            look.run();
                            PromptThread.run(look);
                        });
                        PromptThread.perhaps(() -> unchecked(() -> {
                            Thread.sleep(150);
                            return 0;
                        }));
                        PromptThread.perhaps(() -> {
                            look.run();
                            PromptThread.run(look);
                            look.run();
                        });
                        return 0;
                    })
                    .get();
        }
        assumeTrue(policies.getFirst() == SCHED_DEADLINE, "the process may not have such threads");
        assertEquals(List.of(SCHED_DEADLINE, SCHED_DEADLINE, SCHED_OTHER, SCHED_DEADLINE, SCHED_OTHER), policies);
    }

    private static int unchecked(Callable<Integer> task) {
        try {
            return task.call();
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void aFailureOfWhatIsToBeDoneAtOnceIsThrown() throws IOException {
        assertThrows(
                IllegalStateException.class,
                () -> PromptThread.run(() -> {
                    throw new IllegalStateException();
                }));
        assertEquals(SCHED_OTHER, policy(HostScheduler.thread()));
    }

    /** As it is with what HotSpot does: a thread without a processor waits for one that goes before all others. */
    @Test
    void whoWaitsWithoutGivingUpItsProcessorKeepsItFromNobody() throws Exception {
        int threads = Runtime.getRuntime().availableProcessors();
        AtomicBoolean done = new AtomicBoolean();
        CountDownLatch waiting = new CountDownLatch(threads);
        AtomicLong longest = new AtomicLong();
        List<Thread> all = IntStream.range(0, threads)
                .mapToObj(n -> Thread.ofPlatform().start(() -> {
                    PromptThread.run(() -> {
                        waiting.countDown();
                        long start = System.nanoTime();
                        while (!done.get()) {
                            Thread.onSpinWait();
                        }
                        longest.accumulateAndGet(System.nanoTime() - start, Math::max);
                    });
                }))
                .toList();
        waiting.await();
        work(2_000_000);
        done.set(true);
        for (Thread thread : all) {
            thread.join();
        }
        assertTrue(longest.get() < 300_000_000, () -> longest + " ns");
    }

    private static void work(long nanos) {
        ThreadMXBean threads = ManagementFactory.getThreadMXBean();
        long end = threads.getCurrentThreadCpuTime() + nanos;
        while (threads.getCurrentThreadCpuTime() < end) {
            Thread.onSpinWait();
        }
    }

    /** Movers of several machines that are urgent must not keep all processors from the vCPUs that they wait for. */
    @Test
    void aMoverThatWaitsForLongSleeps() throws InterruptedException {
        Handover attempt = new Handover(1, 1_000_000_000, () -> {});
        AtomicLong used = new AtomicLong();
        Thread mover = Thread.ofPlatform().start(() -> {
            attempt.expectMover(true);
            long before = ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime();
            attempt.claim();
            used.set(ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime() - before);
        });
        Thread.sleep(200);
        attempt.giveUp();
        mover.join();
        assertTrue(used.get() < 50_000_000, "of 200 ms it took " + used.get() / 1000 + " us of a processor");
    }

    /** The field "policy" (proc_pid_stat(5)), the 41st; the name before the third one may contain anything. */
    private static int policy(int thread) throws IOException {
        String stat = Files.readString(Path.of("/proc/self/task/" + thread + "/stat"));
        return Integer.parseInt(stat.substring(stat.lastIndexOf(')') + 2).split(" ")[41 - 3]);
    }
}
