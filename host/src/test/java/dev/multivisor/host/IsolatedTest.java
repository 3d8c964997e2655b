package dev.multivisor.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.multivisor.api.EngineException;
import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

final class IsolatedTest {
    private static final Duration LONG = Duration.ofMinutes(1);

    @Test
    void whatDoesNotAnswerIsLeft() {
        assertEquals(
                "no answer while waiting",
                refusal(Duration.ofMillis(20), () -> new CountDownLatch(1).await(1, TimeUnit.MINUTES)));
    }

    @Test
    void anInterruptEndsTheWaitAndIsKept() {
        Thread.currentThread().interrupt();
        assertEquals(
                "interrupted while waiting", refusal(LONG, () -> new CountDownLatch(1).await(1, TimeUnit.MINUTES)));
        assertTrue(Thread.interrupted());
    }

    @Test
    void aFailureIsToldInOneLine() {
        assertEquals("no", refusal(LONG, failing(new EngineException("no"))));
        assertEquals("no", refusal(LONG, failing(new HostException("no"))));
        assertEquals(
                "failed while waiting: java.lang.IllegalStateException: no",
                refusal(LONG, failing(new IllegalStateException("no"))));
    }

    private static Callable<Boolean> failing(RuntimeException failure) {
        return () -> {
            throw failure;
        };
    }

    private static String refusal(Duration limit, Callable<Boolean> call) {
        return assertThrows(HostException.class, () -> Isolated.call("waiting", limit, call))
                .getMessage();
    }
}
