package dev.multivisor.engine.device.lapic;

/** Relates a vCPU's time-stamp counter to guest time. */
@FunctionalInterface
public interface TscTime {
    /** The guest time in nanoseconds at which a vCPU's time-stamp counter reaches a value; may lie in the past. */
    long nanos(int cpu, long tsc);
}
