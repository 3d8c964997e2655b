package dev.multivisor.engine.device;

/** A device's registers in guest-physical memory. Called by any vCPU's thread: a device guards its own state. */
public interface MmioHandler {
    /**
     * Reads 1, 2, 4 or 8 bytes.
     *
     * @param cpu number of the vCPU that reads (registers of a local APIC are per vCPU)
     * @param offset from the start of the device's range
     * @return the value, zero-extended
     */
    long read(int cpu, long offset, int size);

    /** Writes the low 1, 2, 4 or 8 bytes of the value. */
    void write(int cpu, long offset, int size, long value);
}
