package dev.multivisor.engine.machine;

import dev.multivisor.engine.device.GuestTime;
import dev.multivisor.engine.device.lapic.TscTime;

/**
 * The vCPUs' time-stamp counters. They count guest nanoseconds, so 1 GHz; each vCPU may have set its own ahead or back.
 */
final class Tsc implements TscTime {
    /** Ticks in a millisecond. */
    static final int KHZ = 1_000_000;

    private final GuestTime time;
    private final long[] offset;

    Tsc(GuestTime time, long[] offset) {
        this.time = time;
        this.offset = offset;
    }

    long read(int cpu) {
        return at(cpu, time.now());
    }

    /** The counter at a guest time. */
    long at(int cpu, long nanos) {
        return nanos + offset[cpu];
    }

    void write(int cpu, long value) {
        offset[cpu] = value - time.now();
    }

    @Override
    public long nanos(int cpu, long tsc) {
        return tsc - offset[cpu];
    }

    long[] offsets() {
        return offset.clone();
    }
}
