package dev.multivisor.host;

import dev.multivisor.api.Clock;
import java.time.Instant;

/**
 * A machine's time: the host's monotonic clock without the machine's pauses. It stands still until the first
 * {@link #resume}.
 */
final class PausableClock implements Clock {
    /** Guest time is host time minus the origin, or the fixed time while the clock stands. */
    private record State(boolean running, long origin, long fixed) {}

    /** Stands while the clock is being stopped: who reads it waits for the time at which it stops. */
    private static final State STOPPING = new State(false, 0, 0);

    private volatile State state;

    /** A machine's time from its beginning. */
    PausableClock() {
        this(0);
    }

    /** A machine's time that goes on, in nanoseconds. */
    PausableClock(long start) {
        state = new State(false, 0, start);
    }

    @Override
    public long nanoTime() {
        // A reading counts only if no pause began or ended around it: else time could seem to go back.
        while (true) {
            State now = state;
            long time = now.running ? System.nanoTime() - now.origin : now.fixed;
            if (now != STOPPING && now == state) {
                return time;
            }
            Thread.onSpinWait();
        }
    }

    @Override
    public long wallTime() {
        Instant now = Instant.now();
        return now.getEpochSecond() * 1_000_000_000L + now.getNano();
    }

    synchronized void pause() {
        State before = state;
        if (before.running) {
            // Only after nobody reads the running clock any more is it settled which time was the last.
            state = STOPPING;
            state = new State(false, 0, System.nanoTime() - before.origin);
        }
    }

    synchronized void resume() {
        if (!state.running) {
            state = new State(true, System.nanoTime() - state.fixed, 0);
        }
    }
}
