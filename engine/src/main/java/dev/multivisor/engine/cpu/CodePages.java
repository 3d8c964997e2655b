package dev.multivisor.engine.cpu;

import dev.multivisor.engine.mmu.PhysicalMemory;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;

/**
 * Pages of one machine that hold decoded code, and the vCPUs' caches that must hear when they are written. A page
 * is watched while any cache has blocks of it.
 */
public final class CodePages {
    /** Decoded instructions of a machine, some 200 bytes each, and the least that a vCPU has of them. */
    private static final int CAPACITY = 1_000_000, LEAST = 20_000;

    private final PhysicalMemory memory;
    private final List<BlockCache> caches = new CopyOnWriteArrayList<>();
    private final Map<Long, Integer> users = new HashMap<>();

    public CodePages(PhysicalMemory memory) {
        this.memory = memory;
        memory.setCodeListener(this::written);
    }

    void add(BlockCache cache) {
        caches.add(cache);
    }

    /** How many decoded instructions a cache may hold before it drops all. */
    int capacity() {
        return Math.max(LEAST, CAPACITY / caches.size());
    }

    private void written(long physical, int size) {
        for (BlockCache cache : caches) {
            cache.written(physical, size);
        }
    }

    /** A cache is about to decode code of a page that it has no blocks of. */
    synchronized void acquire(Cpu cpu, long frame) {
        users.merge(frame, 1, Integer::sum);
        cpu.mmu.watchCode(frame);
    }

    /** A cache has no more blocks of a page. */
    synchronized void release(long frame) {
        Integer left = users.computeIfPresent(frame, (key, count) -> count == 1 ? null : count - 1);
        if (left == null) {
            memory.unwatchCode(frame);
        }
    }
}
