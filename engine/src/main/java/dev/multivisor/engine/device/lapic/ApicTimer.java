package dev.multivisor.engine.device.lapic;

import dev.multivisor.engine.device.GuestTime;
import dev.multivisor.engine.device.Timers;

/**
 * The timer of a local APIC (Intel SDM vol. 3, 11.5.4): one tick a nanosecond before the divider. Used by its own
 * vCPU only.
 */
final class ApicTimer {
    private static final int ONE_SHOT = 0;
    private static final int PERIODIC = 1;
    private static final int TSC_DEADLINE = 2;

    private final int cpu;
    private final GuestTime time;
    private final TscTime tsc;
    private final Runnable onEarlier;
    private int mode;
    private int divide;
    private int initialCount;
    private long start;
    private long deadline = Timers.NEVER;
    private long tscDeadline;

    /** A timer as after reset, whose vCPU is told when the deadline has become earlier. */
    ApicTimer(int cpu, GuestTime time, TscTime tsc, Runnable onEarlier) {
        this.cpu = cpu;
        this.time = time;
        this.tsc = tsc;
        this.onEarlier = onEarlier;
    }

    void reset() {
        mode = ONE_SHOT;
        divide = 0;
        stop();
    }

    void restore(int lvt, LocalApicState state) {
        mode = lvt >>> 17 & 3;
        divide = state.divide() & 0xb;
        initialCount = state.initialCount();
        start = state.timerStart();
        deadline = state.deadline();
        tscDeadline = state.tscDeadline();
    }

    private void stop() {
        initialCount = 0;
        tscDeadline = 0;
        deadline = Timers.NEVER;
    }

    /** Takes over bits 17 and 18 of the LVT timer register; a change to or from TSC deadline disarms. */
    void mode(int lvt) {
        int changed = lvt >>> 17 & 3;
        if (changed != mode) {
            if (changed == TSC_DEADLINE || mode == TSC_DEADLINE) {
                stop();
            }
            mode = changed;
            rearm();
        }
    }

    private void arm(long at) {
        boolean earlier = at < deadline;
        deadline = at;
        if (earlier) {
            onEarlier.run();
        }
    }

    private long period() {
        return (initialCount & 0xffffffffL) << shift();
    }

    private int shift() {
        int code = divide & 3 | divide >>> 1 & 4;
        return code + 1 & 7;
    }

    private void rearm() {
        if (mode == ONE_SHOT && initialCount != 0 && start + period() > time.now()
                || mode == PERIODIC && initialCount != 0) {
            arm(start + period());
        } else if (mode != TSC_DEADLINE) {
            deadline = Timers.NEVER;
        }
    }

    int divide() {
        return divide;
    }

    void divide(int value) {
        if ((value & 0xb) != divide) {
            int remaining = currentCount();
            divide = value & 0xb;
            if (remaining != 0) {
                start = time.now() - ((initialCount & 0xffffffffL) - (remaining & 0xffffffffL) << shift());
                rearm();
            }
        }
    }

    int initialCount() {
        return initialCount;
    }

    void initialCount(int value) {
        if (mode == TSC_DEADLINE) {
            return;
        }
        initialCount = value;
        start = time.now();
        arm(value == 0 ? Timers.NEVER : start + period());
    }

    int currentCount() {
        if (initialCount == 0 || mode == TSC_DEADLINE) {
            return 0;
        }
        long period = period();
        long elapsed = time.now() - start;
        if (mode == PERIODIC) {
            elapsed %= period;
        } else if (elapsed >= period) {
            return 0;
        }
        return (int) (period - elapsed >>> shift());
    }

    long tscDeadline() {
        return tscDeadline;
    }

    void tscDeadline(long value) {
        if (mode == TSC_DEADLINE) {
            tscDeadline = value;
            tscChanged();
        }
    }

    void tscChanged() {
        if (mode == TSC_DEADLINE) {
            arm(tscDeadline == 0 ? Timers.NEVER : tsc.nanos(cpu, tscDeadline));
        }
    }

    long deadline() {
        return deadline;
    }

    long start() {
        return start;
    }

    /** Whether it fires now; if so, it is set up for the next time. Periods that were missed are not made up for. */
    boolean fire(long now) {
        if (now < deadline) {
            return false;
        }
        if (mode == PERIODIC && initialCount != 0) {
            long period = period();
            start += (now - start) / period * period;
            deadline = start + period;
        } else {
            tscDeadline = 0;
            deadline = Timers.NEVER;
        }
        return true;
    }
}
