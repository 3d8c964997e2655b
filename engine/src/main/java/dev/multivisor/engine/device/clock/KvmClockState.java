package dev.multivisor.engine.device.clock;

/**
 * State of {@link KvmClock}.
 *
 * @param wallClock MSR_KVM_WALL_CLOCK_NEW
 * @param systemTime MSR_KVM_SYSTEM_TIME_NEW of each vCPU
 * @param version the version last written of each vCPU's page
 */
public record KvmClockState(long wallClock, long[] systemTime, int[] version) {}
