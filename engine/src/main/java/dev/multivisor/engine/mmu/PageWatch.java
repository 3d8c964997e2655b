package dev.multivisor.engine.mmu;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicReferenceArray;

/**
 * Which RAM pages are watched for writes, by whom, and who is told. One mechanism for decoded code, and for outside
 * page tracking and dirty logging.
 *
 * <p><b>Protocol.</b> Each RAM page has a byte of flags. A page with any flag set gets no fast write entry in a TLB, so
 * every write to it is made by the slow path, which writes first, then reads the flags after a full fence, and tells
 * the listeners of the flags that it finds. A watcher sets its flag, and only after that, with a full fence between,
 * reads the page's content. Of the two fenced sides at least one sees the other: either the watcher reads the new bytes
 * or the writer sees the flag.
 *
 * <p>What is left are the vCPUs that hold a fast write entry from before. The watcher asks each of them to drop it:
 * {@link Translations#request} pushes the page on a lock-free list and interrupts the vCPU, which takes the list with
 * {@link Mmu#handleRequests} when it next leaves a block. Nobody waits. A vCPU that does find such an entry cannot say
 * whether it wrote through it since the watcher read the page; so it reports the whole page as written, and what was
 * decoded in between is dropped. Spurious reports are harmless. A vCPU takes its list also before it forgets a fast
 * write entry for any other reason (eviction, a flush), behind a full fence; otherwise it would have nothing
 * left to report by. Setting the flag and posting the requests is one step under a lock, so that a second watcher who
 * finds the flag set knows that the requests are out.
 */
final class PageWatch {
    /** A page with decoded instructions. */
    static final int CODE = 1;

    private static final int CHUNK_BITS = 15;
    private static final VarHandle FLAGS = MethodHandles.arrayElementVarHandle(byte[].class);

    /** Flags by RAM page, allocated as pages are first watched. */
    private final AtomicReferenceArray<byte[]> chunks;

    private volatile WriteListener codeListener = (physical, size) -> {};
    private volatile Translations[] vcpus = {};

    /** @param pages how many pages of RAM there are */
    PageWatch(long pages) {
        chunks = new AtomicReferenceArray<>((int) (pages + (1 << CHUNK_BITS) - 1 >>> CHUNK_BITS));
    }

    synchronized void add(Translations added) {
        Translations[] more = Arrays.copyOf(vcpus, vcpus.length + 1);
        more[vcpus.length] = added;
        vcpus = more;
    }

    void codeListener(WriteListener listener) {
        codeListener = listener;
    }

    /** The flags of the page at a RAM offset; 0 when nobody watches it. */
    int flags(long offset) {
        long page = offset >>> 12;
        byte[] chunk = chunks.get((int) (page >>> CHUNK_BITS));
        return chunk == null ? 0 : (byte) FLAGS.getVolatile(chunk, (int) page & (1 << CHUNK_BITS) - 1);
    }

    /**
     * Sets a flag and posts the requests.
     *
     * @param caller the vCPU on whose thread this runs, which drops its own entries, or null
     * @return whether the flag was clear
     */
    synchronized boolean watch(long physical, long offset, int flag, Translations caller) {
        long page = offset >>> 12;
        int index = (int) (page >>> CHUNK_BITS);
        if (chunks.get(index) == null) {
            chunks.set(index, new byte[1 << CHUNK_BITS]);
        }
        int old = (byte) FLAGS.getAndBitwiseOr(chunks.get(index), (int) page & (1 << CHUNK_BITS) - 1, (byte) flag);
        if ((old & flag) != 0) {
            return false;
        }
        for (Translations vcpu : vcpus) {
            if (vcpu != caller) {
                vcpu.request(physical & -4096L);
            }
        }
        VarHandle.fullFence();
        return true;
    }

    synchronized void unwatch(long offset, int flag) {
        long page = offset >>> 12;
        byte[] chunk = chunks.get((int) (page >>> CHUNK_BITS));
        if (chunk != null) {
            FLAGS.getAndBitwiseAnd(chunk, (int) page & (1 << CHUNK_BITS) - 1, (byte) ~flag);
        }
    }

    /** Called after every write that did not go through a fast write entry. All bytes are in one page. */
    void wrote(long physical, long offset, int size) {
        VarHandle.fullFence();
        int flags = flags(offset);
        if (flags != 0) {
            tell(flags, physical, size);
        }
    }

    /** Tells listeners that a page may have been written through a fast entry that is gone now. */
    void mayHaveWritten(long physicalPage, long offset) {
        tell(flags(offset), physicalPage, 4096);
    }

    private void tell(int flags, long physical, int size) {
        if ((flags & CODE) != 0) {
            codeListener.written(physical, size);
        }
    }
}
