package dev.multivisor.engine.cpu;

import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.stream.Stream;

/**
 * Compiled code of one vCPU: asks for it when a block is hot, takes it over when it is there, and executes it. Everything
 * but the arrival of code is on the vCPU's thread.
 */
final class Regions {
    private static final int RIP = Cpu.RIP;

    /** A heat from which a block does not reach the threshold in any sensible time. */
    private static final int NEVER = Integer.MIN_VALUE / 2;

    /** Exits from compiled to interpreted code after which a region is made anew with what follows there. */
    private static final int COLD_EXITS = 20_000;

    /** How often a region that begins with the same block is made anew. */
    private static final int MOST_VERSIONS = 4;

    /** Instructions that compiled code executes at most before the vCPU's attention is looked at. */
    private static final int MOST = 50_000;

    /** A block that may begin a region which was hot before is looked at after this part of the threshold. */
    private static final int KNOWN_PART = 100;

    /** How many regions are passed on, the hottest of them. */
    static final int MOST_HOT = 256;

    private record Ready(RegionBuilder.Plan plan, Optional<CompiledCode> code) {}

    /** The heat at which the interpreter's loop is left before a block. */
    final int threshold;

    private final Cpu cpu;
    private final CodeLookup lookup;
    private final BlockCache cache;
    private final CodeCompiler compiler;
    private final RegionBuilder builder;
    private final AheadCode ahead;
    private final ConcurrentLinkedQueue<Ready> ready = new ConcurrentLinkedQueue<>();

    /** All that are valid, for other threads. */
    private final Set<Region> all = ConcurrentHashMap.newKeySet();

    /** The region that is being executed. */
    private Region current;

    /** {@link Cpu#instructions} when it was entered. */
    private long entered;

    Regions(Cpu cpu, CodeLookup lookup, BlockCache cache, CodeCompiler compiler, boolean ordered, AheadCode ahead) {
        this.cpu = cpu;
        this.lookup = lookup;
        this.cache = cache;
        this.compiler = compiler;
        threshold = compiler.threshold();
        builder = new RegionBuilder(cpu, ordered, threshold);
        this.ahead = ahead;
    }

    /** The heat that a block starts with if it may begin a region that was hot before. */
    static int knownHeat(CodeCompiler compiler) {
        return compiler.threshold() - compiler.threshold() / KNOWN_PART;
    }

    /** Takes over what was compiled since the last time. */
    void install() {
        for (Ready next = ready.poll(); next != null; next = ready.poll()) {
            cpu.counters.compileAnswers++;
            RegionBuilder.Plan plan = next.plan;
            next.code.ifPresent(code -> install(plan, code));
        }
    }

    private void install(RegionBuilder.Plan plan, CompiledCode code) {
        for (Block block : plan.blocks()) {
            if (block.dropped) {
                plan.blocks()[0].heat = 0;
                return;
            }
        }
        Block entry = plan.blocks()[0];
        if (entry.region != null) {
            entry.region.invalidate();
        }
        Region region = new Region(code, plan, compiler.background(), all);
        for (Block block : plan.blocks()) {
            block.add(region);
        }
        entry.region = region;
        entry.heat = threshold;
        cpu.counters.compiledRegions++;
    }

    /** A block has reached the threshold. */
    private void request(Block block) {
        block.heat = NEVER;
        if (block.known) {
            block.known = false;
            RegionBuilder.Plan plan = known(block);
            // Else it is only as warm as any other block.
            block.heat = plan == null ? 0 : NEVER;
            compile(block, plan);
        } else if (block.codeSize == 64 && block.physical >= 0) {
            compile(block, builder.plan(block));
        }
    }

    /** The region that begins with a block and was hot before, if all of its code is there; else null. */
    private RegionBuilder.Plan known(Block entry) {
        for (HotRegion hot : builder.beginning(ahead, entry)) {
            RegionBuilder.Plan plan = builder.plan(entry, hot, this::mapped);
            if (plan != null) {
                return plan;
            }
        }
        return null;
    }

    /** The block at an address, found as by a processor that fetches ahead; null if there is no page. */
    private Block mapped(long linear) {
        try {
            return lookup.find(linear);
        } catch (CpuFault unmapped) {
            return null;
        }
    }

    private void compile(Block entry, RegionBuilder.Plan plan) {
        if (plan != null) {
            cpu.counters.compileRequests++;
            Thread own = Thread.currentThread();
            compiler.compile(plan.source(), () -> entry.heat, code -> {
                ready.add(new Ready(plan, code));
                if (Thread.currentThread() != own) {
                    cpu.interrupt();
                }
            });
            install();
        }
    }

    /**
     * Executes compiled code from a block on whose heat is at the threshold, as long as code follows that is compiled.
     * Leaves RIP at what is next; returns whether anything was executed.
     *
     * @param end how many instructions may be done in all; they are never exceeded if {@code exact}
     */
    boolean run(Block block, long end, boolean exact) {
        if (block.region == null) {
            request(block);
            if (block.region == null) {
                return false;
            }
        }
        // The loop counts on, and an int has an end.
        block.heat = threshold;
        Cpu cpu = this.cpu;
        long before = cpu.instructions;
        cpu.exact = false;
        try {
            chain(block, end, exact);
        } catch (CpuFault fault) {
            current.instructions += cpu.instructions - entered;
            if (fault.vector != CpuFault.DEVICE) {
                adjust(fault);
                throw fault;
            }
            device();
        } finally {
            cpu.exact = true;
            cpu.counters.compiledInstructions += cpu.instructions - before;
        }
        return cpu.instructions != before;
    }

    private void chain(Block first, long end, boolean exact) {
        Cpu cpu = this.cpu;
        Block block = first;
        while (true) {
            Region region = block.region;
            long start = cpu.r[RIP];
            if (region == null || block.heat < threshold || !region.mapped(cpu, start, lookup.context)) {
                return;
            }
            long left = end - cpu.instructions - (exact ? region.code.longest : 0);
            if (left <= 0) {
                return;
            }
            cpu.leave = false;
            current = region;
            entered = cpu.instructions;
            region.entered++;
            Trial trial = region.trial;
            int exit;
            if (trial == null || !trial.timed(region.entered)) {
                exit = region.code.run(cpu, start, (int) Math.min(left, MOST));
                region.instructions += cpu.instructions - entered;
            } else {
                long before = System.nanoTime();
                exit = region.code.run(cpu, start, (int) trial.budget(Math.min(left, MOST)));
                long done = cpu.instructions - entered;
                region.instructions += done;
                int pause = trial.ran(cpu, region.code, done, System.nanoTime() - before);
                if (pause != 0) {
                    block.heat = threshold - pause;
                }
            }
            entered = cpu.instructions;
            if (exit < 0 || cpu.attention()) {
                return;
            }
            long linear = cpu.r[RIP];
            Block next = region.next[exit];
            if (next.linear != linear || next.context != lookup.context) {
                Block found = lookup.find(linear);
                if (found != next) {
                    region.next[exit] = found;
                    next = found;
                }
            }
            block = jump(next, end);
            if (block == next && next.region == null && ++region.cold[exit] == COLD_EXITS) {
                regrow(region, next);
            }
        }
    }

    /**
     * Executes jumps that are blocks by themselves, as those of a procedure linkage table: compiled code for one takes
     * longer to enter and leave. Returns the block that follows.
     */
    private Block jump(Block first, long end) {
        Cpu cpu = this.cpu;
        Block block = first;
        while (block.count == 1 && cpu.instructions < end && !cpu.attention()) {
            Step s = block.first;
            long start = cpu.r[RIP];
            if (s.code == Hot.JMP) {
                FastControl.jmp(cpu, cpu.r, s, start);
            } else if (s.code == Hot.JMP_M) {
                cpu.exact = true;
                FastControl.jmpM(cpu, cpu.r, s, start);
                cpu.exact = false;
            } else {
                break;
            }
            cpu.instructions++;
            entered = cpu.instructions;
            block = lookup.next((LastStep) s, cpu.r[RIP]);
        }
        return block;
    }

    /** What follows an exit is executed often: a new version of the region may take it in. */
    private void regrow(Region region, Block next) {
        Block entry = region.entry();
        if (region.valid && next.codeSize == 64 && next.physical >= 0 && entry.versions < MOST_VERSIONS) {
            entry.versions++;
            compile(entry, builder.plan(entry));
        }
    }

    /**
     * An instruction reached for a device: the interpreter executes it, with an exact count of instructions, and it is
     * not compiled again.
     */
    private void device() {
        Block entry = current.entry();
        long offset = cpu.r[RIP] - entry.linear;
        for (Block block : current.blocks()) {
            long inBlock = offset - (block.linear - entry.linear);
            for (Step s = block.first; s != null; s = s.following) {
                if (s.offset == inBlock && s.code != Hot.END) {
                    s.code = Hot.DEVICE;
                }
            }
        }
        current.invalidate();
    }

    /** As the interpreter does for each exception of an instruction. */
    private void adjust(CpuFault fault) {
        if (fault.nonCanonical) {
            Block block = cache.single(lookup.find(cpu.r[RIP]));
            StackFaults.adjust(cpu, block.first.instruction, fault);
        }
    }

    /** Compiled code that holds a linear address, the busiest first; without an address, all. From any thread. */
    List<RegionView> views(OptionalLong linear) {
        return all.stream()
                .filter(region -> linear.isEmpty() || region.holds(linear.getAsLong()))
                .map(region -> new RegionView(
                        cpu.number,
                        region.start(),
                        region.pages(),
                        region.code,
                        region.since,
                        region.entered,
                        region.instructions))
                .sorted(Comparator.comparingLong(RegionView::instructions).reversed())
                .toList();
    }

    /** Those that are worth having at once elsewhere, the hottest first. From any thread. */
    List<HotRegion> hot() {
        return hottest().map(HotRegion::of).toList();
    }

    private Stream<Region> hottest() {
        // Sorted by what it was at one moment: it goes on growing.
        record Sorted(Region region, long instructions) {}
        return all.stream()
                .filter(region -> region.trial == null || region.trial.passed())
                .map(region -> new Sorted(region, region.instructions))
                .sorted(Comparator.comparingLong(Sorted::instructions).reversed())
                .limit(MOST_HOT)
                .map(Sorted::region);
    }

    /** Their code. From any thread. */
    List<CompiledCode> hotCode() {
        return hottest().map(region -> region.code).toList();
    }

    /** What the compiler made of a region. From any thread. */
    Optional<CodeListing> list(RegionView region) {
        return compiler.list(region.code(), region.start());
    }
}
