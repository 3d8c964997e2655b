package dev.multivisor.engine.device;

/** Where devices appear in guest-physical memory; changes while the guest runs. */
public interface MmioBus {
    /** Gives a range to a device. */
    void map(long base, long size, MmioHandler handler);

    /** Takes back a range that was given with the same arguments. */
    void unmap(long base, long size, MmioHandler handler);
}
