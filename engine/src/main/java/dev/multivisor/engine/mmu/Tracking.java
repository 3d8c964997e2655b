package dev.multivisor.engine.mmu;

import dev.multivisor.api.EngineException;
import dev.multivisor.api.PageObserver;
import dev.multivisor.api.PageTracking;
import java.util.concurrent.atomic.AtomicLongArray;

/** One machine's memory as the base watches it; how, is told in {@link PageWatch}. */
public final class Tracking implements PageTracking {
    private final PhysicalMemory memory;

    public Tracking(PhysicalMemory memory) {
        this.memory = memory;
    }

    @Override
    public void observe(PageObserver observer, AtomicLongArray dirty, AtomicLongArray keep) {
        memory.watch.observe(observer, dirty, keep);
    }

    @Override
    public void track(long[] frames) {
        long[] physical = new long[frames.length];
        long[] offsets = new long[frames.length];
        for (int n = 0; n < frames.length; n++) {
            physical[n] = frames[n] << 12;
            offsets[n] = offset(frames[n]);
        }
        memory.watch.track(physical, offsets);
    }

    @Override
    public void untrack(long[] frames) {
        long[] offsets = new long[frames.length];
        for (int n = 0; n < frames.length; n++) {
            offsets[n] = offset(frames[n]);
        }
        memory.watch.untrack(offsets);
    }

    private long offset(long frame) {
        long offset = memory.ramOffset(frame << 12);
        if (offset < 0) {
            throw new EngineException("page tracking: frame 0x" + Long.toHexString(frame) + ": has no memory");
        }
        return offset;
    }

    @Override
    public void refresh() {
        memory.watch.refresh();
    }

    @Override
    public void write(long address, byte[] bytes) {
        memory.write(address, bytes, 0, bytes.length);
    }
}
