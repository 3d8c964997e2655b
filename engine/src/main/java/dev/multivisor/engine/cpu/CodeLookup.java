package dev.multivisor.engine.cpu;

import java.util.Arrays;

/**
 * Finds blocks by linear address. A block that was found is good while the context is the same: a number that stands
 * for everything but the address itself on which its meaning depends (translations, code size and segment, user or
 * supervisor).
 */
final class CodeLookup {
    private static final int RIP = Cpu.RIP;
    private static final long LOW = 0xffffffffL;

    /** Entries of the jump cache. */
    private static final int JUMPS = 1 << 14;

    /** What the cache starts as. Never written. */
    private static final Block[] NO_JUMPS = new Block[JUMPS];

    static {
        Arrays.fill(NO_JUMPS, Block.NONE);
    }

    long context;

    /** The linear base of code: 0 in 64-bit mode. */
    long codeBase;

    private final Cpu cpu;
    private final BlockCache cache;

    /** The jump cache. Its own from the first entry on: a handover builds a machine while the guest stands still. */
    private Block[] jumps = NO_JUMPS;

    /** Counts reloads of CS to another base or limit outside 64-bit mode, which change the context too. */
    private int codeSegments;

    private long lastBase;
    private int lastLimit;

    CodeLookup(Cpu cpu, BlockCache cache) {
        this.cpu = cpu;
        this.cache = cache;
    }

    /** Recomputes the context, after anything that may have changed it. */
    void refresh() {
        int size = cpu.codeSize;
        if (size == 64) {
            codeBase = 0;
        } else {
            codeBase = cpu.segmentBase[Cpu.CS];
            int limit = cpu.segmentLimit[Cpu.CS];
            if (codeBase != lastBase || limit != lastLimit) {
                lastBase = codeBase;
                lastLimit = limit;
                codeSegments++;
            }
        }
        long translations = cpu.mmu.generation() + (long) codeSegments;
        context = translations << 3 | size >>> 4 & 6 | (cpu.cpl == 3 ? 1 : 0);
    }

    /** The block at a linear address, which is RIP's, in the current context. */
    Block find(long linear) {
        int slot = (int) (linear ^ linear >>> 14) & JUMPS - 1;
        Block block = jumps[slot];
        if (block.linear == linear && block.context == context) {
            return block;
        }
        if (cpu.codeSize != 64) {
            if (Long.compareUnsigned(cpu.r[RIP], cpu.segmentLimit[Cpu.CS] & LOW) > 0) {
                throw cpu.fault(CpuFault.GP);
            }
            linear &= LOW;
        }
        block = cache.at(linear, cpu.mmu.fetch(linear));
        if (cpu.codeSize != 64) {
            long room = (cpu.segmentLimit[Cpu.CS] & LOW) - cpu.r[RIP] + 1;
            if (block.length > room) {
                block = cache.single(block);
                if (block.length > room) {
                    throw cpu.fault(CpuFault.GP);
                }
            }
        }
        if (block.physical >= 0) {
            block.linear = linear;
            block.context = context;
            if (jumps == NO_JUMPS) {
                jumps = NO_JUMPS.clone();
            }
            // After a change of context it is there already: what is written is scanned at the next collection.
            if (jumps[slot] != block) {
                jumps[slot] = block;
            }
        }
        return block;
    }

    /** The block that follows a last step, at the linear address that is RIP's. */
    Block next(LastStep last, long linear) {
        Block next = last.likely;
        if (next.linear == linear && next.context == context) {
            return next;
        }
        next = last.other;
        return next.linear == linear && next.context == context ? next : follow(last, linear);
    }

    /** The block that follows a last step, linked to it for the next time. */
    Block follow(LastStep last, long linear) {
        Block next = find(linear);
        last.followed(next);
        return next;
    }
}
