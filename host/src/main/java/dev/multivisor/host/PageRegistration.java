package dev.multivisor.host;

import java.util.HashMap;
import java.util.Map;
import java.util.Set;

/**
 * A {@link PageListener} at a machine, with the pages that it watches. Frames are guest-physical addresses shifted
 * right by 12. Safe for use by several threads. Lives until it or the machine is closed, on whichever engine the
 * machine is meanwhile.
 */
public final class PageRegistration implements AutoCloseable {
    private final PageTracker tracker;
    private final PageListener listener;

    /** How often each frame was added. Changed with the tracker's lock and this one, read with either. */
    private final Map<Long, Integer> counts = new HashMap<>();

    // Guarded by this:
    private int running;
    private boolean closed;

    PageRegistration(PageTracker tracker, PageListener listener) {
        this.tracker = tracker;
        this.listener = listener;
    }

    /** As {@link #add(long, long)} for one page. */
    public void add(long frame) {
        add(frame, 1);
    }

    /**
     * Watches pages. Every write that begins after the return is reported; one that takes place meanwhile may be. Adds
     * are counted, for each listener by itself: a page added twice has to be removed twice, and nobody else's remove
     * counts. Costs each vCPU some microseconds, so a range is better added at once. ({@code kvm_write_track_add_gfn}
     * adds one page a call to a count that all users share, and returns -EINVAL where no memory is.)
     *
     * @throws HostException if a frame has no memory, in which case none is added; if this or the machine is closed, or
     *     if the engine that the machine is on cannot track pages
     */
    public void add(long firstFrame, long count) {
        tracker.add(this, firstFrame, count);
    }

    /** As {@link #remove(long, long)} for one page. */
    public void remove(long frame) {
        remove(frame, 1);
    }

    /**
     * Takes back one add of each page. No report of one that is not watched any more begins after the return; one that
     * has begun may still be running. (KVM's count of a page, 16 bits in {@code gfn_write_track}, is for all users: one
     * can take another's away, and a removal too many is no more than a warning.)
     *
     * @throws HostException if a frame is not watched by this listener, in which case none is removed; or if this or the
     *     machine is closed
     */
    public void remove(long firstFrame, long count) {
        tracker.remove(this, firstFrame, count);
    }

    /**
     * Has the listener hear of a write of no bytes, which nobody made, in the way in which it hears of others: HotSpot makes
     * quick what is done often, and its compilers, which something new wakes, would hold up a real one
     * ({@link PageListener#mayBeUrgent}). Nothing happens if the page is not watched.
     *
     * @param frame guest-physical address of a page of this listener's, shifted right by 12
     */
    public void practise(long frame) {
        tracker.practise(this, frame);
    }

    /**
     * Removes all pages and waits until no method of the listener runs. If it is closed already, it only waits.
     * ({@code kvm_page_track_unregister_notifier} waits too, with {@code synchronize_srcu}, which inside a callback would
     * never return; and it leaves the counts of pages as they are.)
     *
     * @throws HostException if called from inside a method of a listener of this machine, which would wait for itself
     */
    @Override
    public void close() {
        tracker.close(this);
    }

    /** From now on nothing is reported; returns when nothing is being reported. False if it was so before. */
    boolean end() {
        boolean interrupted = false;
        boolean first;
        synchronized (this) {
            first = !closed;
            closed = true;
            while (running > 0) {
                try {
                    wait();
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        return first;
    }

    synchronized boolean closed() {
        return closed;
    }

    // ---- What is watched, with the tracker's lock held ----

    /** Whether it is the first add of the frame. */
    synchronized boolean count(long frame) {
        return counts.merge(frame, 1, Integer::sum) == 1;
    }

    /** Whether it was the last add of the frame. */
    synchronized boolean uncount(long frame) {
        return counts.computeIfPresent(frame, (key, count) -> count == 1 ? null : count - 1) == null;
    }

    /** No frame is watched any more. */
    synchronized void uncountAll() {
        counts.clear();
    }

    Set<Long> frames() {
        return counts.keySet();
    }

    // ---- Reports ----

    boolean mayBeUrgent() {
        return listener.mayBeUrgent();
    }

    void report(long address, byte[] bytes, PageListener.Writer writer) {
        synchronized (this) {
            // Whoever was found to watch may have ceased since, when others were told before.
            if (closed || !counts.containsKey(address >>> 12)) {
                return;
            }
            running++;
        }
        call(() -> listener.onWrite(address, bytes, writer));
    }

    void reportRemoved(long frame, long count) {
        synchronized (this) {
            if (closed) {
                return;
            }
            running++;
        }
        call(() -> listener.onRegionRemoved(frame, count));
    }

    private void call(Runnable method) {
        try {
            tracker.inside(method);
        } finally {
            synchronized (this) {
                running--;
                notifyAll();
            }
        }
    }
}
