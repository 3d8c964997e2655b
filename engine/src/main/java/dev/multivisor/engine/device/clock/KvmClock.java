package dev.multivisor.engine.device.clock;

import dev.multivisor.engine.device.GuestTime;
import dev.multivisor.engine.device.InvalidMsrException;
import dev.multivisor.engine.device.StateCheck;
import dev.multivisor.engine.mmu.PhysicalMemory;

/**
 * KVM's paravirtual clock (Linux, Documentation/virt/kvm/x86/msr.rst): the guest names a place in its memory per
 * vCPU, where it finds how to turn the time-stamp counter into nanoseconds. The counter runs at a fixed rate of guest
 * time, so a page is written once and stays true. Used by each vCPU's own thread.
 */
public final class KvmClock {
    private static final int WALL_CLOCK = 0x11;
    private static final int SYSTEM_TIME = 0x12;
    private static final int WALL_CLOCK_NEW = 0x4b564d00;
    private static final int SYSTEM_TIME_NEW = 0x4b564d01;

    private static final int TSC_STABLE = 1;
    private static final long ENABLED = 1;

    private final GuestTime time;
    private final PhysicalMemory memory;
    private final TscReading tsc;
    private final int multiplier;
    private final int shift;
    private volatile long wallClock;
    private final long[] systemTime;
    private final int[] version;

    /**
     * Not enabled yet.
     *
     * @param tscHertz rate of every time-stamp counter
     */
    public KvmClock(int cpus, GuestTime time, PhysicalMemory memory, TscReading tsc, long tscHertz) {
        this(cpus, time, memory, tsc, tscHertz, new KvmClockState(0, new long[cpus], new int[cpus]));
    }

    /** Restores the MSRs; the guest's pages are in its memory and still true. */
    public KvmClock(
            int cpus, GuestTime time, PhysicalMemory memory, TscReading tsc, long tscHertz, KvmClockState state) {
        this.time = time;
        this.memory = memory;
        this.tsc = tsc;
        wallClock = state.wallClock();
        systemTime = StateCheck.copy("kvmClock.systemTime", state.systemTime(), cpus);
        version = StateCheck.copy("kvmClock.version", state.version(), cpus);
        // nanoseconds = (ticks << shift) * multiplier >> 32, with the multiplier's top bit set for precision.
        int exponent = 0;
        double scale = (double) GuestTime.SECOND / tscHertz;
        while (scale >= 1.0) {
            scale /= 2;
            exponent++;
        }
        while (scale < 0.5) {
            scale *= 2;
            exponent--;
        }
        shift = exponent;
        multiplier = (int) (long) (scale * (1L << 32));
    }

    /** The MSRs. */
    public KvmClockState save() {
        return new KvmClockState(wallClock, systemTime.clone(), version.clone());
    }

    /** Whether an MSR is one of these. */
    public static boolean owns(int msr) {
        return msr == WALL_CLOCK || msr == SYSTEM_TIME || msr == WALL_CLOCK_NEW || msr == SYSTEM_TIME_NEW;
    }

    /**
     * Reads an MSR.
     *
     * @throws InvalidMsrException for #GP(0)
     */
    public long readMsr(int cpu, int msr) {
        return switch (msr) {
            case WALL_CLOCK, WALL_CLOCK_NEW -> wallClock;
            case SYSTEM_TIME, SYSTEM_TIME_NEW -> systemTime[cpu];
            default -> throw InvalidMsrException.INSTANCE;
        };
    }

    /**
     * Writes an MSR.
     *
     * @throws InvalidMsrException for #GP(0)
     */
    public void writeMsr(int cpu, int msr, long value) {
        switch (msr) {
            case WALL_CLOCK, WALL_CLOCK_NEW -> {
                wallClock = value;
                writeWallClock(value & ~3L);
            }
            case SYSTEM_TIME, SYSTEM_TIME_NEW -> {
                systemTime[cpu] = value;
                writeSystemTime(cpu);
            }
            default -> throw InvalidMsrException.INSTANCE;
        }
    }

    /** A vCPU's time-stamp counter was written: its page must follow. */
    public void tscChanged(int cpu) {
        writeSystemTime(cpu);
    }

    /** struct pvclock_wall_clock: the wall time at the start of guest time. */
    private void writeWallClock(long address) {
        long start = time.wall() - time.now();
        int next = ((int) memory.load(address, 4) | 1) + 1;
        memory.store(address, 4, next - 1);
        memory.store(address + 4, 4, Math.floorDiv(start, GuestTime.SECOND));
        memory.store(address + 8, 4, Math.floorMod(start, GuestTime.SECOND));
        memory.store(address, 4, next);
    }

    /** struct pvclock_vcpu_time_info. */
    private void writeSystemTime(int cpu) {
        long msr = systemTime[cpu];
        if ((msr & ENABLED) == 0) {
            return;
        }
        long address = msr & ~ENABLED;
        long now = time.now();
        version[cpu] += 2;
        memory.store(address, 4, version[cpu] - 1);
        memory.store(address + 4, 4, 0);
        memory.store(address + 8, 8, tsc.tsc(cpu, now));
        memory.store(address + 16, 8, now);
        memory.store(address + 24, 4, multiplier);
        memory.store(address + 28, 1, shift);
        memory.store(address + 29, 1, TSC_STABLE);
        memory.store(address + 30, 2, 0);
        memory.store(address, 4, version[cpu]);
    }
}
