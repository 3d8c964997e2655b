package dev.multivisor.api;

import java.util.List;
import java.util.Map;

/** A virtual machine on one engine. */
public interface Machine extends AutoCloseable {
    /** Its vCPUs, by number; the first is the one that boots. */
    List<VirtualCpu> cpus();

    /**
     * The whole state outside guest memory. Changes nothing, so that the machine can go on.
     *
     * @throws IllegalStateException while a vCPU is in {@link VirtualCpu#run}
     */
    byte[] save();

    /** Counters by name, such as {@code instructions}; each only ever grows. May be called at any time. */
    Map<String, Long> statistics();

    /**
     * Lets go of everything that was lent.
     *
     * @throws IllegalStateException while a vCPU is in {@link VirtualCpu#run}
     */
    @Override
    void close();
}
