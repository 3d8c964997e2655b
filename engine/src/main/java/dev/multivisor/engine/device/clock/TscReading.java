package dev.multivisor.engine.device.clock;

/** What a vCPU's time-stamp counter shows at a guest time. */
@FunctionalInterface
public interface TscReading {
    /** The counter of a vCPU at a guest time in nanoseconds. */
    long tsc(int cpu, long nanos);
}
