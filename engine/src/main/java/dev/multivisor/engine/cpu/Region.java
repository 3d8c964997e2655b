package dev.multivisor.engine.cpu;

import java.util.Arrays;
import java.util.Set;

/**
 * A region of one vCPU that has compiled code: hot blocks that lead to each other, of one or more pages, entered at the
 * first of them. It is good while none of its blocks was dropped, wherever its pages are seen at the same distances.
 */
final class Region {
    /** Where to look for a page of it from the entry, and the page's guest-physical address. */
    record Page(long offset, long physical) {}

    final CompiledCode code;

    /** By number of exit, the block that followed last. */
    final Block[] next;

    /** By number of exit, how often it was taken to a block outside compiled code. */
    final int[] cold;

    /** How often it was entered, and the instructions executed in it. */
    long entered, instructions;

    /** When the vCPU took it over, in milliseconds since 1970. */
    final long since = System.currentTimeMillis();

    /** Null if it is good at once. */
    final Trial trial;

    private final Block[] blocks;
    private final Page[] pages;

    /** What it was compiled from. */
    final RegionSource source;

    /** Where it is listed while it is valid, for other threads. */
    private final Set<Region> listed;

    /** No block of it was dropped. */
    boolean valid = true;

    /** The context and entry for which its pages were found to be where they should. */
    private long context = -1;

    private long start;

    Region(CompiledCode code, RegionBuilder.Plan plan, boolean tried, Set<Region> listed) {
        this.code = code;
        trial = tried ? new Trial() : null;
        this.listed = listed;
        blocks = plan.blocks();
        pages = plan.pages();
        source = plan.source();
        start = blocks[0].linear;
        listed.add(this);
        next = new Block[code.exits];
        Arrays.fill(next, Block.NONE);
        cold = new int[code.exits];
    }

    Block entry() {
        return blocks[0];
    }

    Block[] blocks() {
        return blocks;
    }

    /** The linear address that it was last found at. From any thread. */
    long start() {
        return start;
    }

    /** Whether a linear address is in it, where it was last found. From any thread. */
    boolean holds(long linear) {
        long offset = linear - start;
        return source.parts().stream()
                .anyMatch(part -> offset >= part.offset() && offset < part.offset() + part.code().length);
    }

    /** The guest-physical addresses of its pages. */
    long[] pages() {
        return Arrays.stream(pages).mapToLong(Page::physical).toArray();
    }

    /** Whether all of its pages are mapped as when it was compiled. */
    boolean mapped(Cpu cpu, long linear, long now) {
        if (context == now && start == linear) {
            return true;
        }
        for (Page page : pages) {
            if (!cpu.mmu.fetches(linear + page.offset, page.physical)) {
                return false;
            }
        }
        context = now;
        start = linear;
        return true;
    }

    /** One of its blocks is dropped: it must not be executed any more. */
    void invalidate() {
        if (valid) {
            valid = false;
            listed.remove(this);
            Block entry = blocks[0];
            if (entry.region == this) {
                entry.region = null;
                entry.heat = 0;
            }
            for (Block block : blocks) {
                block.regions.remove(this);
            }
        }
    }
}
