package dev.multivisor.api;

/** The guest's time. Belongs to the base, so that it goes on through a handover without a step back. */
public interface Clock {
    /** Nanoseconds since the machine was created, without the time that it was paused. Never goes back. */
    long nanoTime();

    /** Nanoseconds since 1970-01-01 00:00 UTC, as the host knows them. */
    long wallTime();
}
