package dev.multivisor.engine.device;

import java.util.ArrayList;
import java.util.List;
import java.util.function.LongConsumer;

/**
 * The machine's timers. Has no thread: whoever serves it asks for {@link #next} and calls {@link #run} when that time
 * has come. A timer's deadline is part of its device's state, not of this object's.
 */
public final class Timers {
    /** No deadline. */
    public static final long NEVER = Long.MAX_VALUE;

    private final List<Timer> timers = new ArrayList<>();
    private final Runnable onEarlier;
    private volatile long next = NEVER;

    /**
     * Makes an empty set.
     *
     * @param onEarlier called, perhaps with a device's lock held, when {@link #next} has become earlier; must not block
     */
    public Timers(Runnable onEarlier) {
        this.onEarlier = onEarlier;
    }

    /**
     * Adds a timer.
     *
     * @param callback called with the present time, without any lock, when the deadline has come
     */
    public synchronized Timer add(LongConsumer callback) {
        Timer timer = new Timer(callback);
        timers.add(timer);
        return timer;
    }

    /** The earliest deadline, or {@link #NEVER}. */
    public long next() {
        return next;
    }

    /** Fires what is due. A timer that its callback arms for a time already past fires at the next call. */
    public void run(long now) {
        if (now < next) {
            return;
        }
        List<Timer> due = new ArrayList<>();
        synchronized (this) {
            for (Timer timer : timers) {
                if (timer.deadline <= now) {
                    timer.deadline = NEVER;
                    due.add(timer);
                }
            }
            findNext();
        }
        for (Timer timer : due) {
            timer.callback.accept(now);
        }
    }

    private void findNext() {
        long earliest = NEVER;
        for (Timer timer : timers) {
            earliest = Math.min(earliest, timer.deadline);
        }
        next = earliest;
    }

    /** One timer of a device. Its callback may still come once after {@link #cancel} or another {@link #arm}. */
    public final class Timer {
        private final LongConsumer callback;
        private long deadline = NEVER;

        private Timer(LongConsumer callback) {
            this.callback = callback;
        }

        /** Sets the guest time at which to fire, replacing the one before; {@link Timers#NEVER} cancels. */
        public void arm(long at) {
            boolean earlier;
            synchronized (Timers.this) {
                if (at == deadline) {
                    return;
                }
                long before = next;
                deadline = at;
                findNext();
                earlier = next < before;
            }
            if (earlier) {
                onEarlier.run();
            }
        }

        /** The deadline, or {@link Timers#NEVER}. */
        public long deadline() {
            synchronized (Timers.this) {
                return deadline;
            }
        }

        /** Forgets the deadline. */
        public void cancel() {
            arm(NEVER);
        }
    }
}
