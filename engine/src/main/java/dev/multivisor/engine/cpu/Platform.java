package dev.multivisor.engine.cpu;

/** What a vCPU finds outside itself: ports, time, and the registers of its local APIC and paravirtual clock. */
public interface Platform {
    /** IN: 1, 2 or 4 bytes, zero-extended. */
    int in(int port, int size);

    /** OUT: the low 1, 2 or 4 bytes. */
    void out(int port, int size, int value);

    /** The time-stamp counter of a vCPU now. */
    long tsc(Cpu cpu);

    /** WRMSR to the time-stamp counter. */
    void setTsc(Cpu cpu, long value);

    /**
     * Reads an MSR that the CPU itself does not hold (APIC base, x2APIC, TSC deadline, kvmclock).
     *
     * @throws CpuFault #GP(0) if there is none of this number
     */
    long readMsr(Cpu cpu, int index);

    /**
     * Writes an MSR that the CPU itself does not hold.
     *
     * @throws CpuFault #GP(0) if there is none of this number or the value is reserved
     */
    void writeMsr(Cpu cpu, int index, long value);

    /** What RDRAND and RDSEED give. */
    long random(Cpu cpu);

    /** CR8: the local APIC's task priority, bits 4 to 7 of TPR. */
    int taskPriority(Cpu cpu);

    /** Writes CR8, 0 to 15. */
    void setTaskPriority(Cpu cpu, int priority);
}
