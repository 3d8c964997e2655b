package dev.multivisor.engine.mmu;

/** Hears of writes to watched pages, after they have happened. */
@FunctionalInterface
public interface WriteListener {
    /**
     * Bytes of one watched page were, or may have been, written. Called by the thread that wrote: any vCPU's, in the
     * middle of an instruction, or a device's. It must not access memory through an {@link Mmu}.
     *
     * @param physical guest-physical address of the first byte
     * @param size how many bytes, all in the same page
     */
    void written(long physical, int size);
}
