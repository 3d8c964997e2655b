package dev.multivisor.host;

/**
 * Hears of writes to the guest pages that it has added to its {@link PageRegistration}, and of no others. (KVM calls
 * every {@code kvm_page_track_notifier_node} for every write to memory that it emulates, whether the page is tracked or
 * not; tracking only makes writes to a page be emulated.)
 *
 * <p>Methods may block, which holds up the vCPU that wrote, and a handover until its deadline; they may add and remove
 * pages, read and write guest memory, and register others. They may not close a registration or the machine, pause or
 * move the machine. What they throw is logged, and the guest goes on.
 */
public interface PageListener {
    /** Who wrote. */
    sealed interface Writer {
        /**
         * A vCPU.
         *
         * @param number the vCPU's number
         * @param instruction linear address of the instruction that wrote
         */
        record Cpu(int number, long instruction) implements Writer {}

        /** A device, or somebody who used {@link PageTracker#write}. */
        enum Outside implements Writer {
            OUTSIDE
        }
    }

    /**
     * Bytes of a page were written. Called after the write, on the thread that wrote, for several threads at once.
     *
     * <p>Writes of one vCPU are reported in their order, each once. Several vCPUs' reports may come in another order
     * than their writes to one address: who needs the value that stayed reads memory, for the report of the last write
     * comes after it. An instruction that writes more than 8 bytes, or to two pages, is reported in parts, ascending
     * within a page; a locked operation that did not store is no write. KVM reports what its emulator wrote, so not
     * what devices of the host write, nor its own page walk's accessed and dirty flags.
     *
     * @param address guest-physical address of the first byte
     * @param bytes what was written, 1 to 4096 bytes within one page; the listener's own copy. None if nobody wrote
     *     ({@link PageRegistration#practise})
     */
    void onWrite(long address, byte[] bytes, Writer writer);

    /**
     * Whether a write may have to be told at once: the thread that wrote then goes before others while it calls this and the
     * other listeners ({@link PromptThread#perhaps}).
     */
    default boolean mayBeUrgent() {
        return false;
    }

    /**
     * Guest memory with pages of this listener is gone: the machine is closed. Its pages there count as removed. Called
     * once it is certain and before the memory is given back; KVM's older {@code track_flush_slot} was called for
     * removals that could still fail, {@code track_remove_region} no more.
     *
     * @param frame guest-physical address of the region's first page, shifted right by 12
     * @param count how many pages
     */
    default void onRegionRemoved(long frame, long count) {}
}
