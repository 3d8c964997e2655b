package dev.multivisor.api;

/**
 * The base, as it hears of writes to guest memory from {@link PageTracking}. Called on the thread that writes, in the
 * middle of an instruction if that is a vCPU's; by several threads at once. Methods may block, which holds up that
 * vCPU, and call {@link PageTracking}. They throw nothing.
 */
public interface PageObserver {
    /**
     * A tracked page was written. Reports of one vCPU come in the order of its writes, each once. An instruction that
     * writes more than 8 bytes, or to two pages, makes a report for each part; a device, for each page.
     *
     * @param cpu the vCPU whose instruction wrote, or -1: a device or {@link PageTracking#write}
     * @param instruction linear address of that instruction; 0 if there is none
     * @param address guest-physical address of the first byte
     * @param bytes what was written, all in one page; the callee's from now on
     */
    void written(int cpu, long instruction, long address, byte[] bytes);

    /**
     * A page is about to be written whose {@code keep} bit is 1. Clears the bit when the old content is not needed any
     * more. May be called several times for a page, also at once, until then.
     *
     * @param page the offset in {@link GuestMemory#bytes} shifted right by 12
     */
    void beforeWrite(long page);
}
