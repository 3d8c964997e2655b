package dev.multivisor.engine.device;

import dev.multivisor.api.Clock;

/**
 * The time that devices live by. Never goes back; in tests and replays it is driven by hand or by an instruction
 * count.
 */
public interface GuestTime {
    /** Nanoseconds per second. */
    long SECOND = 1_000_000_000L;

    /** Nanoseconds since the machine was created. */
    long now();

    /** Nanoseconds since 1970-01-01 00:00 UTC. */
    long wall();

    /** The time that the base lends. */
    static GuestTime of(Clock clock) {
        return new GuestTime() {
            @Override
            public long now() {
                return clock.nanoTime();
            }

            @Override
            public long wall() {
                return clock.wallTime();
            }
        };
    }

    /** How often a clock of some hertz ticks in some nanoseconds, rounded down; without overflow for centuries. */
    static long ticks(long nanos, long hertz) {
        return nanos / SECOND * hertz + nanos % SECOND * hertz / SECOND;
    }

    /** The first nanosecond at which {@link #ticks} has reached a number of ticks. */
    static long nanos(long ticks, long hertz) {
        return ticks / hertz * SECOND + (ticks % hertz * SECOND + hertz - 1) / hertz;
    }
}
