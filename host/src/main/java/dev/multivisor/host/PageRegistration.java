package dev.multivisor.host;

import java.util.HashMap;
import java.util.Map;

/**
 * A {@link PageListener} at a machine, with the pages that it watches. Frames are guest-physical addresses shifted
 * right by 12. Safe for use by several threads. Lives until it or the machine is closed, on whichever engine the
 * machine is meanwhile.
 */
public final class PageRegistration implements AutoCloseable {
    private final PageTracker tracker;
    private final PageListener listener;

    /** How often each frame was added. Guarded by the tracker's lock. */
    final Map<Long, Integer> counts = new HashMap<>();

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
     * counts. (KVM has one counter for all, {@code gfn_write_track}.) Costs each vCPU some microseconds, so a range
     * is better added at once.
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
     * has begun may still be running.
     *
     * @throws HostException if a frame is not watched by this listener, in which case none is removed; or if this or the
     *     machine is closed
     */
    public void remove(long firstFrame, long count) {
        tracker.remove(this, firstFrame, count);
    }

    /**
     * Removes all pages and waits until no method of the listener runs. Does nothing if it is closed already.
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

    void report(long address, byte[] bytes, PageListener.Writer writer) {
        call(() -> listener.onWrite(address, bytes, writer));
    }

    void reportRemoved(long frame, long count) {
        call(() -> listener.onRegionRemoved(frame, count));
    }

    private void call(Runnable method) {
        synchronized (this) {
            if (closed) {
                return;
            }
            running++;
        }
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
