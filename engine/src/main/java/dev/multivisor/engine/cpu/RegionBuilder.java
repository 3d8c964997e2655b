package dev.multivisor.engine.cpu;

import dev.multivisor.engine.isa.Instruction;
import dev.multivisor.engine.isa.Op;
import dev.multivisor.engine.mmu.PhysicalMemory;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.Set;
import java.util.function.LongFunction;

/**
 * Chooses which blocks to compile together: from an entry, those that were seen to follow and are warm, loops first, as
 * far as there is room. Calls and returns are followed like jumps, so that small functions get compiled into their callers.
 */
final class RegionBuilder {
    /** Instructions and pages of a region. HotSpot's compile time grows faster than the size of a method. */
    private static final int MOST_INSTRUCTIONS = 80, MOST_PAGES = 8, MOST_BLOCKS = 100;

    /**
     * Nodes of a region's method. At 18,000 HotSpot puts only small methods in line (NodeCountInliningCutoff, MaxTrivialSize);
     * what it takes to compile one grows faster.
     */
    private static final int MOST_NODES = 24_000;

    /** Nodes that HotSpot needs, more or less, for finding a place in memory, a load or store, and a floating-point operation. */
    private static final int FINDING_NODES = 300, ACCESS_NODES = 750, FLOAT_NODES = 430;

    /** Nodes of an instruction besides, and of the ways in and out. */
    private static final int INSTRUCTION_NODES = 10, OTHER_NODES = 500;

    /** A block that is so many times colder than what is compiled is left out. */
    private static final int COLDER = 32;

    /** Blocks that are looked at for a region; and the length of a way that there is not. */
    private static final int MOST_EXPLORED = 200, NO_WAY = 1000;

    /** Offsets are 32-bit numbers in compiled code. */
    private static final long FAR = 1L << 30;

    /** A region to be compiled. */
    record Plan(RegionSource source, Block[] blocks, Region.Page[] pages) {}

    /** A block that may be chosen. */
    private static final class Candidate {
        final Block block;
        final long offset;

        /** In the order of discovery. */
        final int number;

        /** How many blocks it is from the entry, and from here to the entry. */
        final int there;

        int back = NO_WAY;

        /** What was seen to lead here. */
        final List<Candidate> before = new ArrayList<>();

        Candidate(Block block, long offset, int number, int there) {
            this.block = block;
            this.offset = offset;
            this.number = number;
            this.there = there;
        }

        /** Blocks on the shortest way from the entry through it and back. */
        int way() {
            return there + back;
        }
    }

    private final Cpu cpu;
    private final PhysicalMemory memory;
    private final boolean ordered;
    private final int coldest;

    RegionBuilder(Cpu cpu, boolean ordered, int threshold) {
        coldest = threshold / COLDER;
        this.cpu = cpu;
        memory = cpu.mmu.memory();
        this.ordered = ordered;
    }

    /** The region that begins with a block, or null if there is nothing in it to compile. */
    Plan plan(Block entry) {
        Map<Long, Block> chosen = choose(entry);
        if (chosen.isEmpty()) {
            return null;
        }
        List<Block> blocks = new ArrayList<>();
        List<RegionSource.Part> parts = new ArrayList<>();
        Map<Long, Region.Page> pages = new LinkedHashMap<>();
        for (long offset : inOrder(entry, chosen)) {
            Block block = chosen.get(offset);
            blocks.add(block);
            addPages(pages, entry.linear, offset, block);
            parts.add(new RegionSource.Part(offset, bytes(block), targets(block, entry)));
        }
        return new Plan(
                new RegionSource(parts, ordered),
                blocks.toArray(Block[]::new),
                pages.values().toArray(Region.Page[]::new));
    }

    /**
     * The region that begins with a block and was hot before, or null if any of its code is not what it was.
     *
     * @param follow finds the block at a linear address; null if there is none
     */
    Plan plan(Block entry, HotRegion hot, LongFunction<Block> follow) {
        List<Block> blocks = new ArrayList<>();
        List<RegionSource.Part> parts = new ArrayList<>();
        Map<Long, Region.Page> pages = new LinkedHashMap<>();
        for (HotRegion.Part part : hot.parts()) {
            Block block = part.offset() == 0 ? entry : follow.apply(entry.linear + part.offset());
            if (block == null || block.codeSize != 64 || block.physical < 0 || !fits(block, part.length())) {
                return null;
            }
            blocks.add(block);
            addPages(pages, entry.linear, part.offset(), block);
            parts.add(new RegionSource.Part(part.offset(), bytes(block, part.length()), part.targetList()));
        }
        // Decoding one may have thrown out others.
        if (blocks.stream().anyMatch(block -> block.dropped) || !Arrays.equals(hot.digest(), HotRegion.digest(parts))) {
            return null;
        }
        return new Plan(
                new RegionSource(parts, ordered),
                blocks.toArray(Block[]::new),
                pages.values().toArray(Region.Page[]::new));
    }

    /** Whether so many bytes are a block's first instructions and can be compiled. */
    private static boolean fits(Block block, int length) {
        for (Step s = block.first; s != null && compilable(s); s = s.following) {
            if (s.next == length) {
                return true;
            }
        }
        return false;
    }

    /** Regions that were hot before and may begin with a block. */
    List<HotRegion> beginning(AheadCode ahead, Block entry) {
        byte[] code = bytes(entry);
        return ahead.beginning(entry.physical, code, code.length);
    }

    /** How many bytes of a block can be compiled. */
    static int compilableBytes(Block block) {
        return usable(block).bytes();
    }

    /** As many as there is room for, those first that lie on the shortest ways from the entry back to it. */
    private Map<Long, Block> choose(Block entry) {
        Map<Long, Candidate> around = explore(entry);
        Map<Long, Block> chosen = new HashMap<>();
        Set<Long> pages = new HashSet<>();
        Set<Long> seen = new HashSet<>();
        PriorityQueue<Candidate> queue = new PriorityQueue<>(Comparator.comparingInt(Candidate::way)
                .thenComparingInt(candidate -> -warmth(candidate.block))
                .thenComparingInt(candidate -> candidate.number));
        queue.add(around.get(0L));
        seen.add(0L);
        int instructions = 0;
        int nodes = OTHER_NODES;
        while (!queue.isEmpty() && chosen.size() < MOST_BLOCKS) {
            Candidate candidate = queue.remove();
            Block block = candidate.block;
            Usable usable = usable(block);
            int count = usable.done;
            if (count == 0
                    || !chosen.isEmpty()
                            && (instructions + count > MOST_INSTRUCTIONS || nodes + usable.nodes > MOST_NODES)) {
                continue;
            }
            if (!pages.contains(block.linear >>> 12) && pages.size() == MOST_PAGES) {
                continue;
            }
            pages.add(block.linear >>> 12);
            chosen.put(candidate.offset, block);
            instructions += count;
            nodes += usable.nodes;
            for (Block next : followers(block)) {
                Candidate follower = around.get(next.linear - entry.linear);
                if (follower != null && follower.block == next && seen.add(follower.offset)) {
                    queue.add(follower);
                }
            }
        }
        return chosen;
    }

    /** The blocks around an entry that are warm enough, by offset, with the ways to them and back. */
    private Map<Long, Candidate> explore(Block entry) {
        Map<Long, Candidate> around = new LinkedHashMap<>();
        Deque<Candidate> queue = new ArrayDeque<>();
        Candidate first = new Candidate(entry, 0, 0, 0);
        around.put(0L, first);
        queue.add(first);
        while (!queue.isEmpty()) {
            Candidate candidate = queue.remove();
            for (Block next : followers(candidate.block)) {
                long offset = next.linear - entry.linear;
                Candidate known = around.get(offset);
                if (known == null && around.size() < MOST_EXPLORED && acceptable(next, offset)) {
                    known = new Candidate(next, offset, around.size(), candidate.there + 1);
                    around.put(offset, known);
                    queue.add(known);
                }
                if (known != null && known.block == next) {
                    known.before.add(candidate);
                }
            }
        }
        first.back = 0;
        queue.add(first);
        while (!queue.isEmpty()) {
            Candidate candidate = queue.remove();
            for (Candidate before : candidate.before) {
                if (before.back == NO_WAY) {
                    before.back = candidate.back + 1;
                    queue.add(before);
                }
            }
        }
        return around;
    }

    /** Blocks with compiled code are no longer counted: they are hot. */
    private static int warmth(Block block) {
        return block.regions.isEmpty() && block.heat >= 0 ? block.heat : Integer.MAX_VALUE;
    }

    private boolean acceptable(Block block, long offset) {
        return block.codeSize == 64
                && block.physical >= 0
                && block.context != -1
                && Math.abs(offset) < FAR
                && warmth(block) >= coldest
                && cpu.mmu.fetches(block.linear, block.physical & -4096L)
                && (block.second < 0 || cpu.mmu.fetches((block.linear & -4096L) + 4096, block.second & -4096L));
    }

    /** How far a block can be compiled: instructions before one that the interpreter has to execute, their bytes and nodes. */
    private record Usable(int done, int bytes, int nodes) {}

    private static Usable usable(Block block) {
        int done = 0;
        int bytes = 0;
        int nodes = 0;
        for (Step s = block.first; s != null && compilable(s); s = s.following) {
            done = s.done;
            bytes = s.next;
            int accesses = accesses(s.instruction);
            nodes += INSTRUCTION_NODES + ACCESS_NODES * accesses + FLOAT_NODES * floats(s.instruction);
            nodes += accesses == 0 ? 0 : FINDING_NODES;
        }
        return new Usable(done, bytes, nodes);
    }

    /** How often an instruction reaches for memory, more or less: what it reads and writes are two. */
    private static int accesses(Instruction i) {
        return switch (i.op) {
            case PUSH, POP, CALL, RET, LEAVE -> 1;
            case LEA, NOP -> 0;
            case MOV, CMP, TEST -> i.memory() ? 1 : 0;
            default -> i.memory() ? 2 : 0;
        };
    }

    /** On how many numbers an instruction computes. */
    private static int floats(Instruction i) {
        return switch (i.op) {
            case ADDSD, SUBSD, MULSD, DIVSD, SQRTSD, ADDSS, SUBSS, MULSS, DIVSS, SQRTSS -> 1;
            case ADDPD, SUBPD, MULPD, DIVPD, SQRTPD, HADDPD, HSUBPD, ADDSUBPD -> 2;
            case ADDPS, SUBPS, MULPS, DIVPS, SQRTPS, HADDPS, HSUBPS, ADDSUBPS -> 4;
            default -> 0;
        };
    }

    private static boolean compilable(Step s) {
        return compilable(s.code, s.instruction);
    }

    /** Whether compiled code can hold an instruction, which has this one of {@link Hot}'s numbers. */
    static boolean compilable(int code, Instruction i) {
        return switch (code) {
            case Hot.EXIT, Hot.END, Hot.GENERAL_END, Hot.GENERAL_FALL, Hot.REPEATED, Hot.DEVICE -> false;
            // It serialises: what another vCPU wrote to code before must be executed after it, so attention is due.
            case Hot.GENERAL -> i.op != Op.CPUID;
            default -> true;
        };
    }

    /** Blocks that were seen to follow, the last one first. None after an instruction that is the interpreter's. */
    private static List<Block> followers(Block block) {
        LastStep last = block.last();
        List<Block> result = new ArrayList<>();
        if (last.code != Hot.END && !compilable(last) || usable(block).done() != block.count) {
            return result;
        }
        add(result, last.likely);
        add(result, last.other);
        for (Block more : last.more) {
            add(result, more);
        }
        return result;
    }

    private static void add(List<Block> list, Block block) {
        if (block != Block.NONE && !list.contains(block)) {
            list.add(block);
        }
    }

    /** Depth first along what is likely, so that code is laid out as it is mostly executed. */
    private static List<Long> inOrder(Block entry, Map<Long, Block> chosen) {
        List<Long> order = new ArrayList<>();
        Set<Long> seen = new HashSet<>();
        Deque<Long> stack = new ArrayDeque<>();
        stack.push(0L);
        while (!stack.isEmpty()) {
            long offset = stack.pop();
            if (!seen.add(offset)) {
                continue;
            }
            order.add(offset);
            List<Block> followers = followers(chosen.get(offset));
            for (int n = followers.size() - 1; n >= 0; n--) {
                long next = followers.get(n).linear - entry.linear;
                if (chosen.get(next) == followers.get(n)) {
                    stack.push(next);
                }
            }
        }
        return order;
    }

    private byte[] bytes(Block block) {
        return bytes(block, usable(block).bytes());
    }

    private byte[] bytes(Block block, int length) {
        byte[] bytes = new byte[length];
        int first = block.second < 0 ? length : Math.min(length, 4096 - (int) (block.physical & 4095));
        memory.read(block.physical, bytes, 0, first);
        if (first < length) {
            memory.read(block.second, bytes, first, length - first);
        }
        return bytes;
    }

    private static List<Long> targets(Block block, Block entry) {
        LastStep last = block.last();
        if (last.code != Hot.JMP_R
                && last.code != Hot.JMP_M
                && last.code != Hot.CALL_R
                && last.code != Hot.CALL_M
                && last.code != Hot.RET) {
            return List.of();
        }
        List<Long> targets = new ArrayList<>();
        for (Block next : followers(block)) {
            long offset = next.linear - entry.linear;
            if (Math.abs(offset) < FAR) {
                targets.add(offset);
            }
        }
        return targets;
    }

    private static void addPages(Map<Long, Region.Page> pages, long start, long offset, Block block) {
        long linear = start + offset;
        pages.putIfAbsent(linear >>> 12, new Region.Page(offset, block.physical & -4096L));
        if (block.second >= 0) {
            long second = (linear & -4096L) + 4096;
            pages.putIfAbsent(second >>> 12, new Region.Page(second - start, block.second & -4096L));
        }
    }
}
