package dev.multivisor.engine.cpu;

import java.util.ArrayList;
import java.util.List;

/**
 * A run of decoded instructions that is entered at its start and left at its end. It stays in one page, but
 * for a single instruction that begins in one and ends in the next.
 */
final class Block {
    /** Stands for no block; never matches. */
    static final Block NONE = new Block(new Step[0], -1, -1, 0, 0, 0);

    final Step first;

    /**
     * All of them, in order: the collector puts what an array names side by side, and what a chain names among those of
     * other chains, where executing them for the first time in a while waits for memory.
     */
    private final Step[] steps;

    /** Guest-physical address of the first byte. */
    final long physical;

    /** Guest-physical address of the part in a second page, or -1. */
    final long second;

    /** In bytes. */
    final int length;

    /** In instructions. */
    final int count;

    /** 16, 32 or 64. */
    final int codeSize;

    /** Linear address that it was last entered at. */
    long linear = -1;

    /** The {@link Interpreter}'s context in which the linear address stands for the physical one; -1 after dropping. */
    long context = -1;

    /** The first instruction alone, made when it is stepped. */
    Block single;

    /** Next one in its cache's list. */
    Block chain;

    /**
     * How often it was interpreted, by weight. At {@link CodeCompiler#threshold} the interpreter's loop is left before it;
     * below zero that is not wanted for long.
     */
    int heat;

    /** What is added to the heat each time: one, and more for long blocks, which take the interpreter longer. */
    final int weight;

    /** It seems to begin a region that was hot before, which was not looked for yet. */
    boolean known;

    /** How often a region that begins with it was made anew. */
    int versions;

    /** Its bytes were written: nobody may use it any more. */
    boolean dropped;

    /** The region that begins with it and has compiled code. */
    Region region;

    /** All regions with compiled code that it is part of. */
    List<Region> regions = List.of();

    Block(Step[] steps, long physical, long second, int length, int count, int codeSize) {
        this.steps = steps;
        first = steps.length == 0 ? null : steps[0];
        this.physical = physical;
        this.second = second;
        this.length = length;
        this.count = count;
        weight = 1 + (count >> 3);
        this.codeSize = codeSize;
    }

    /** Whether bytes in a physical range are part of it. */
    boolean overlaps(long start, long end) {
        long inFirst = second < 0 ? length : 4096 - (physical & 4095);
        return physical < end && start < physical + inFirst
                || second >= 0 && second < end && start < second + length - inFirst;
    }

    /** Makes it unreachable, and leaves it before the next instruction if it is being executed. */
    void drop() {
        context = -1;
        dropped = true;
        for (Step s : steps) {
            s.code = Hot.EXIT;
        }
        last().forget();
        if (single != null) {
            single.drop();
        }
        for (Region r : List.copyOf(regions)) {
            r.invalidate();
        }
    }

    LastStep last() {
        return (LastStep) steps[steps.length - 1];
    }

    void add(Region r) {
        if (regions.isEmpty()) {
            regions = new ArrayList<>(1);
        }
        regions.add(r);
    }
}
