package dev.multivisor.api;

import java.util.concurrent.atomic.AtomicLongArray;

/**
 * How the base watches a machine's memory for writes. What is watched, who listens and every bit of a page belong to
 * the base and outlive an engine; an engine keeps writes to watched pages out of its fast path, and tells. All methods
 * may be called from any thread and while vCPUs run, also from inside a {@link PageObserver}'s methods.
 *
 * <p>A write is every change of guest memory by a vCPU, whatever its kind: stores of each width, locked operations
 * that store, strings, the flags that the processor sets in paging structures and descriptors; by a device; and by
 * {@link #write}. What a boot image brings is none.
 *
 * <p>{@link #track} and {@link #refresh} wait for vCPUs that run guest code, which takes some microseconds; not for
 * one that is out of {@link VirtualCpu#run}, halted, or inside a {@link PageObserver}'s method: such a vCPU takes the
 * change up before it touches memory again.
 */
public interface PageTracking {
    /**
     * Names who is told, and gives two bits to each page, page n of {@link GuestMemory#bytes} being bit
     * {@code n % 64} of word {@code n / 64}. The base may change bits at any time. Called once, before every other
     * method here.
     *
     * @param dirty when a page whose bit is 0 was written, the engine sets the bit, after the write
     * @param keep before a page whose bit is 1 is written, the engine calls {@link PageObserver#beforeWrite}
     */
    void observe(PageObserver observer, AtomicLongArray dirty, AtomicLongArray keep);

    /**
     * Has writes to pages reported, {@link PageObserver#written}: none is missed that begins after the return. What is
     * tracked already stays so.
     *
     * @param frames guest-physical addresses shifted right by 12, all of them with memory
     */
    void track(long[] frames);

    /** No longer reports writes to pages; one that has happened may still be reported. Ignores what is not tracked. */
    void untrack(long[] frames);

    /**
     * Returns once every write that begins follows the bits as they are now. To be called after bits of {@code dirty}
     * were cleared or bits of {@code keep} were set, but not after the opposite.
     */
    void refresh();

    /**
     * Writes on behalf of somebody outside: counts as a device's write. What is no memory is left out.
     *
     * @param address guest-physical
     */
    void write(long address, byte[] bytes);
}
