package dev.multivisor.host;

import dev.multivisor.api.EngineException;
import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * Calls into an engine that nobody vouches for: on a thread of their own, with a time limit, whatever they throw
 * turned into one line. A call that never returns leaves its thread behind, and nothing else.
 */
final class Isolated {
    private Isolated() {}

    /**
     * The call's result.
     *
     * @param what is being done, for the error: {@code rehearsing on engine 0.2.0}
     * @throws HostException if it fails or takes too long
     */
    static <T> T call(String what, Duration limit, Callable<T> call) {
        FutureTask<T> task = new FutureTask<>(call);
        Thread.ofPlatform().name(what).daemon(true).start(task);
        try {
            return task.get(limit.toNanos(), TimeUnit.NANOSECONDS);
        } catch (TimeoutException e) {
            task.cancel(true);
            throw new HostException("no answer while " + what, e);
        } catch (InterruptedException e) {
            task.cancel(true);
            Thread.currentThread().interrupt();
            throw new HostException("interrupted while " + what, e);
        } catch (ExecutionException e) {
            throw failure(what, e.getCause());
        }
    }

    private static HostException failure(String what, Throwable cause) {
        return cause instanceof EngineException || cause instanceof HostException
                ? new HostException(cause.getMessage(), cause)
                : new HostException("failed while " + what + ": " + cause, cause);
    }
}
