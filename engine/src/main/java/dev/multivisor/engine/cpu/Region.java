package dev.multivisor.engine.cpu;

import java.util.Arrays;

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

    private final Block[] blocks;
    private final Page[] pages;

    /** No block of it was dropped. */
    boolean valid = true;

    /** The context and entry for which its pages were found to be where they should. */
    private long context = -1;

    private long start;

    Region(CompiledCode code, Block[] blocks, Page[] pages) {
        this.code = code;
        this.blocks = blocks;
        this.pages = pages;
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

    /** Whether all of its pages are mapped as when it was compiled. */
    boolean mapped(Cpu cpu, long linear, long now) {
        if (context == now && start == linear) {
            return true;
        }
        for (Page page : pages) {
            if (!cpu.mmu.executable(linear + page.offset, page.physical)) {
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
