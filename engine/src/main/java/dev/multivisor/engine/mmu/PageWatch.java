package dev.multivisor.engine.mmu;

import dev.multivisor.api.PageObserver;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicLongArray;
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
 * {@link Mmu#handleRequests} when it next leaves a block.
 *
 * <p><b>Decoded code.</b> Nobody waits. A vCPU that does find such an entry cannot say
 * whether it wrote through it since the watcher read the page; so it reports the whole page as written, and what was
 * decoded in between is dropped. Spurious reports are harmless. A vCPU takes its list also before it forgets a fast
 * write entry for any other reason (eviction, a flush), behind a full fence; otherwise it would have nothing
 * left to report by. Setting the flag and posting the requests is one step under a lock, so that a second watcher who
 * finds the flag set knows that the requests are out.
 *
 * <p><b>Watchers outside</b> are told exactly what was written, so they wait: until each vCPU has taken the list, or is
 * away ({@link Translations#enter}), where it writes nothing and takes the list before it goes on. A vCPU's thread is
 * away too while it tells a watcher something, whatever that one does meanwhile, so that two vCPUs whose watchers wait
 * for each other's vCPU do not wait for ever. What is dirty or to be kept is not a flag of its own: the base's bits
 * are looked at in its place, so that all pages change at once, whoever changes them.
 */
final class PageWatch {
    /** A page with decoded instructions. */
    static final int CODE = 1;

    /** A page whose writes are reported. */
    private static final int TRACK = 2;

    /** By the base's bits: a page whose next write makes it dirty, and one whose content is kept before. */
    private static final int CLEAN = 4, KEEP = 8;

    private static final long[] EVERY_PAGE = {Translations.EVERY_PAGE};

    private record Outside(PageObserver observer, AtomicLongArray dirty, AtomicLongArray keep) {
        int flags(long page) {
            int word = (int) (page >>> 6);
            long bit = 1L << page;
            return ((dirty.get(word) & bit) == 0 ? CLEAN : 0) | ((keep.get(word) & bit) != 0 ? KEEP : 0);
        }
    }

    private static final int CHUNK_BITS = 15;
    private static final VarHandle FLAGS = MethodHandles.arrayElementVarHandle(byte[].class);

    /** Flags by RAM page, allocated as pages are first watched. */
    private final AtomicReferenceArray<byte[]> chunks;

    private volatile WriteListener codeListener = (physical, size) -> {};
    private volatile Translations[] vcpus = {};

    /** Null while nobody outside is interested. */
    private volatile Outside outside;

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
        int flags = chunk == null ? 0 : (byte) FLAGS.getVolatile(chunk, (int) page & (1 << CHUNK_BITS) - 1);
        Outside here = outside;
        return here == null ? flags : flags | here.flags(page);
    }

    /** Sets a flag; returns the flags before. Called with the lock held. */
    private int set(long offset, int flag) {
        long page = offset >>> 12;
        int index = (int) (page >>> CHUNK_BITS);
        if (chunks.get(index) == null) {
            chunks.set(index, new byte[1 << CHUNK_BITS]);
        }
        return (byte) FLAGS.getAndBitwiseOr(chunks.get(index), (int) page & (1 << CHUNK_BITS) - 1, (byte) flag);
    }

    /**
     * Sets a flag and posts the requests.
     *
     * @param caller the vCPU on whose thread this runs, which drops its own entries, or null
     * @return whether the flag was clear
     */
    synchronized boolean watch(long physical, long offset, int flag, Translations caller) {
        if ((set(offset, flag) & flag) != 0) {
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

    // ---- Watchers outside ----

    /** @throws IllegalStateException if there is one already */
    synchronized void observe(PageObserver observer, AtomicLongArray dirty, AtomicLongArray keep) {
        if (outside != null) {
            throw new IllegalStateException("page tracking: has an observer already");
        }
        outside = new Outside(observer, dirty, keep);
    }

    /** Has writes to pages reported; returns when no vCPU can write to them past this. */
    void track(long[] physical, long[] offsets) {
        synchronized (this) {
            for (long offset : offsets) {
                set(offset, TRACK);
            }
        }
        drop(physical.length <= Translations.MAX_REQUESTS ? physical : EVERY_PAGE);
    }

    void untrack(long[] offsets) {
        for (long offset : offsets) {
            unwatch(offset, TRACK);
        }
    }

    /** Returns when every vCPU sees the base's bits as they are now. */
    void refresh() {
        drop(EVERY_PAGE);
    }

    /** Has every vCPU drop its fast write entries of some pages, and waits for that. */
    private void drop(long[] pages) {
        Translations[] asked;
        long[] tickets;
        synchronized (this) {
            asked = vcpus;
            tickets = new long[asked.length];
            for (int n = 0; n < asked.length; n++) {
                for (long page : pages) {
                    tickets[n] = asked[n].request(page);
                }
            }
        }
        for (int n = 0; n < asked.length; n++) {
            asked[n].await(tickets[n]);
        }
    }

    // ---- Writes that do not go through a fast write entry ----

    /**
     * Called before each of them.
     *
     * @param by the vCPU whose instruction writes, or null
     */
    void beforeWrite(Translations by, long offset) {
        Outside here = outside;
        if (here != null && (here.flags(offset >>> 12) & KEEP) != 0) {
            Translations teller = teller(by);
            boolean away = teller == null || teller.leave();
            try {
                here.observer.beforeWrite(offset >>> 12);
            } finally {
                if (!away) {
                    teller.enter();
                }
            }
        }
    }

    /** Called after each of them, with the 1 to 8 bytes that were written. All are in one page. */
    void wrote(Translations by, long physical, long offset, int size, long value) {
        VarHandle.fullFence();
        int flags = flags(offset);
        if (flags != 0) {
            tell(flags, physical, offset, size);
            if ((flags & TRACK) != 0) {
                byte[] bytes = new byte[size];
                for (int n = 0; n < size; n++) {
                    bytes[n] = (byte) (value >>> n * 8);
                }
                report(by, physical, bytes);
            }
        }
    }

    /** Called after a block was written. All bytes are in one page. */
    void wrote(long physical, long offset, int size, MemorySegment source, long from) {
        VarHandle.fullFence();
        int flags = flags(offset);
        if (flags != 0) {
            tell(flags, physical, offset, size);
            if ((flags & TRACK) != 0) {
                report(null, physical, source.asSlice(from, size).toArray(ValueLayout.JAVA_BYTE));
            }
        }
    }

    /** Tells who decoded code that a page may have been written through a fast entry that is gone now. */
    void mayHaveWritten(long physicalPage, long offset) {
        if ((flags(offset) & CODE) != 0) {
            codeListener.written(physicalPage, 4096);
        }
    }

    private void tell(int flags, long physical, long offset, int size) {
        if ((flags & CODE) != 0) {
            codeListener.written(physical, size);
        }
        if ((flags & CLEAN) != 0) {
            long bit = 1L << (offset >>> 12);
            outside.dirty.getAndUpdate((int) (offset >>> 18), old -> old | bit);
        }
    }

    private void report(Translations by, long physical, byte[] bytes) {
        Translations teller = teller(by);
        boolean away = teller == null || teller.leave();
        try {
            outside.observer.written(by == null ? -1 : by.number(), by == null ? 0 : by.instruction(), physical, bytes);
        } finally {
            if (!away) {
                teller.enter();
            }
        }
    }

    /** The vCPU whose thread this is, also when one of its devices writes, or null. */
    private Translations teller(Translations by) {
        if (by != null) {
            return by;
        }
        for (Translations vcpu : vcpus) {
            if (vcpu.isHere()) {
                return vcpu;
            }
        }
        return null;
    }
}
