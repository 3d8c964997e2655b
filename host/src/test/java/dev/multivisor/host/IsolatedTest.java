package dev.multivisor.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.multivisor.api.EngineException;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

final class IsolatedTest {
    private static final Duration SHORT = Duration.ofMillis(20);
    private static final Duration LONG = Duration.ofMinutes(1);

    @Test
    void whatIsLateIsAwaitedUntilItCanBeLeft() {
        AtomicInteger told = new AtomicInteger();
        CountDownLatch late = new CountDownLatch(1);
        int result = Isolated.complete(
                "waiting",
                SHORT,
                () -> {
                    told.incrementAndGet();
                    late.countDown();
                    return false;
                },
                () -> {
                    late.await();
                    return 7;
                });
        assertEquals(7, result);
        assertTrue(told.get() > 0);
        HostException left = assertThrows(
                HostException.class,
                () -> Isolated.complete(
                        "waiting", SHORT, () -> true, () -> new CountDownLatch(1).await(1, TimeUnit.MINUTES)));
        assertEquals("no answer while waiting", left.getMessage());
    }

    @Test
    void anInterruptIsKeptForLater() {
        CountDownLatch go = new CountDownLatch(1);
        Thread caller = Thread.currentThread();
        int result = Isolated.complete("waiting", LONG, () -> false, () -> {
            caller.interrupt();
            return go.await(100, TimeUnit.MILLISECONDS) ? 0 : 7;
        });
        assertEquals(7, result);
        assertTrue(Thread.interrupted());
    }

    @Test
    void aFailureIsToldInOneLine() {
        assertEquals("no", refusal(new EngineException("no")));
        assertEquals("no", refusal(new HostException("no")));
        assertEquals(
                "failed while waiting: java.lang.IllegalStateException: no", refusal(new IllegalStateException("no")));
    }

    private static String refusal(RuntimeException failure) {
        return assertThrows(
                        HostException.class,
                        () -> Isolated.complete("waiting", LONG, () -> false, () -> {
                            throw failure;
                        }))
                .getMessage();
    }
}
