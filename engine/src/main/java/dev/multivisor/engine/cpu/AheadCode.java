package dev.multivisor.engine.cpu;

import dev.multivisor.engine.mmu.PhysicalMemory;
import java.lang.ref.SoftReference;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;

/**
 * Regions of a machine's code that were hot before it came here: on another engine, or when the same programs ran the last
 * time. A block that begins one is looked at after few executions, and the region is compiled as it was, if its code
 * still is. What is in memory already can be compiled before the machine is here. Thread-safe.
 */
public final class AheadCode {
    /** Nothing is known. */
    public static final AheadCode NONE = new AheadCode(List.of());

    private final List<HotRegion> regions;
    private final Map<Long, List<HotRegion>> byKey = new HashMap<>();

    /** Where in a page their entries are: few blocks need a closer look. */
    private final BitSet places = new BitSet(4096);

    /** Keeps what was compiled until the machine uses it: while there is plenty of memory. */
    private final List<SoftReference<CompiledCode>> compiled = new CopyOnWriteArrayList<>();

    /** @param regions the hottest first; those that could be none are left out */
    public AheadCode(List<HotRegion> regions) {
        this.regions = regions.stream().filter(HotRegion::wellFormed).toList();
        for (HotRegion region : this.regions) {
            byKey.computeIfAbsent(region.key(), key -> new ArrayList<>()).add(region);
            places.set((int) (region.key() >>> 32) & 4095);
        }
    }

    /** All, the hottest first. */
    public List<HotRegion> regions() {
        return regions;
    }

    /**
     * Compiles in the calling thread what is in memory where it was, the hottest first, until the time is up or the thread
     * is interrupted.
     *
     * @param nanos how long it may take; it may take longer by one region
     * @return how many regions have code now
     */
    public int compile(CodeCompiler compiler, PhysicalMemory memory, boolean ordered, long nanos) {
        long end = System.nanoTime() + nanos;
        for (HotRegion region : regions) {
            if (System.nanoTime() >= end || Thread.currentThread().isInterrupted()) {
                break;
            }
            region.source(memory, ordered)
                    .flatMap(compiler::compileAhead)
                    .ifPresent(code -> compiled.add(new SoftReference<>(code)));
        }
        return compiled.size();
    }

    /** Whether a block may begin one of them: one at another place in its page cannot. */
    boolean mayBegin(long physical) {
        return places.get((int) physical & 4095);
    }

    /** What may begin with a block. */
    List<HotRegion> beginning(long physical, byte[] code, int length) {
        return Optional.ofNullable(byKey.get(HotRegion.key(physical, code, length)))
                .orElse(List.of());
    }
}
