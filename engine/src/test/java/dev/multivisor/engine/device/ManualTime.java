package dev.multivisor.engine.device;

/** Time that stands still until a test moves it. */
public final class ManualTime implements GuestTime {
    public long now;
    public long wallAtStart = 1_700_000_000L * SECOND;

    @Override
    public long now() {
        return now;
    }

    @Override
    public long wall() {
        return wallAtStart + now;
    }

    /** Moves on, serving timers at their deadlines. */
    public void advance(long nanos, Timers timers) {
        long end = now + nanos;
        while (timers.next() <= end) {
            now = Math.max(now, timers.next());
            timers.run(now);
        }
        now = end;
    }
}
