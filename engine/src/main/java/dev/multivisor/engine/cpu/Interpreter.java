package dev.multivisor.engine.cpu;

import static dev.multivisor.engine.cpu.Hot.*;

import java.lang.invoke.VarHandle;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * Executes guest instructions. Decoded {@link Block}s follow each other by links, which are checked by the linear
 * address and the {@link CodeLookup}'s context.
 *
 * <p>The loop is one method with a large switch. Frequent forms have small methods that the JVM's compiler inlines, in
 * an order that {@link Hot} explains; others go to {@link SeldomForms}, and from there to {@link Dispatch}. RIP is
 * stored only where it can be seen: before a form that can fault, and at the end of a block. What matters most for
 * speed is that little stays alive across the switch. So the state is the current {@link Step} and where its block
 * starts; and the methods of frequent forms start with a fence, which costs nothing at run time, but keeps the compiler
 * from loading all fields that several cases have in common before the switch: that made an instruction take 20 cycles
 * longer.
 */
public final class Interpreter {
    private static final int RIP = Cpu.RIP;

    private final Cpu cpu;
    private final BlockCache cache;
    private final CodeLookup lookup;
    /** How many regions {@link #hotRegions} has at the most. */
    public static final int MOST_HOT = Regions.MOST_HOT;

    private final Regions regions;

    /** The heat at which the loop is left before a block. */
    private final int hot;

    /** {@link #loop} ends when so many instructions are done. */
    private long end;

    /** A repeated string instruction was left before its end, so that the machine can look at the clock. */
    private boolean unfinished;

    /** An interpreter for a vCPU of the machine whose code pages are given. */
    public Interpreter(Cpu cpu, CodePages pages) {
        this(cpu, pages, CodeCompiler.NONE, false, AheadCode.NONE);
    }

    /**
     * An interpreter that has hot code compiled.
     *
     * @param ordered whether other vCPUs may see in which order memory is accessed
     * @param ahead what is known to be hot
     */
    public Interpreter(Cpu cpu, CodePages pages, CodeCompiler compiler, boolean ordered, AheadCode ahead) {
        this.cpu = cpu;
        cache = new BlockCache(cpu, pages, ahead, Regions.knownHeat(compiler));
        lookup = new CodeLookup(cpu, cache);
        regions = new Regions(cpu, lookup, cache, compiler, ordered, ahead);
        hot = regions.threshold;
    }

    /**
     * Runs until about so many instructions are done, {@link Cpu#attention} is set, or the vCPU halts. Returns at an
     * instruction boundary, never in an interrupt shadow.
     */
    public void run(long budget) {
        run(budget, 0);
    }

    /**
     * As {@link #run}, but ends after so many instructions exactly, however they are cut into blocks; one more only
     * where that would be in an interrupt shadow.
     */
    public void runExactly(long budget) {
        run(budget, BlockCache.MAX_INSTRUCTIONS);
    }

    /** @param reserve instructions before the end from which on blocks are not followed; 0 if it need not be exact */
    private void run(long budget, int reserve) {
        long end = cpu.instructions + budget;
        if (end < 0) {
            end = Long.MAX_VALUE;
        }
        cache.enter();
        try {
            cpu.mmu.handleRequests();
            regions.install();
            unfinished = false;
            while (cpu.instructions < end && !cpu.halted && !cpu.attention() && !unfinished) {
                advance(end, reserve);
            }
            while (cpu.interruptShadow && !cpu.halted) {
                advance(end, reserve);
            }
        } finally {
            cache.leave();
        }
    }

    /** Compiled code that holds a linear address, the busiest first; without an address, all. From any thread. */
    public List<RegionView> regions(OptionalLong linear) {
        return regions.views(linear);
    }

    /** The hottest regions. From any thread. */
    public List<HotRegion> hotRegions() {
        return regions.hot();
    }

    /** The compiled code of the hottest regions. From any thread. */
    public List<CompiledCode> hotCode() {
        return regions.hotCode();
    }

    /** What was made of a region's instructions, as far as it can still be found out. From any thread. */
    public Optional<CodeListing> list(RegionView region) {
        return regions.list(region);
    }

    /** Executes one instruction, or delivers the fault that it raises; of a repeated string instruction, some of it. */
    public void step() {
        cache.enter();
        try {
            cpu.mmu.handleRequests();
            one();
        } finally {
            cache.leave();
        }
    }

    private void advance(long end, int reserve) {
        if (special()) {
            one();
            return;
        }
        try {
            lookup.refresh();
            Block block = lookup.find(cpu.r[RIP] + lookup.codeBase);
            // The loop counts blocks that follow others of its own; this one may always follow compiled code.
            if (block.heat < hot) {
                block.heat += block.weight;
            }
            if (block.heat >= hot && regions.run(block, end, reserve != 0)) {
                return;
            }
            if (reserve != 0 && block.count > end - cpu.instructions) {
                block = cache.single(block);
            }
            cpu.exact = false;
            loop(block, end - reserve);
            cpu.exact = true;
        } catch (CpuFault fault) {
            deliver(fault);
        }
    }

    /** An exception counts as an instruction: a guest whose handlers fault for ever gets its interrupts too. */
    private void deliver(CpuFault fault) {
        cpu.exact = true;
        Exceptions.deliver(cpu, fault);
        cpu.instructions++;
    }

    /** Whether something has to be looked at before or after each instruction. */
    private boolean special() {
        if (((cpu.systemFlags & Cpu.TF) | (cpu.dr[7] & 0xff)) != 0 || cpu.interruptShadow) {
            return true;
        }
        // Without breakpoints RF has nothing to suppress.
        cpu.systemFlags &= ~Cpu.RF;
        return false;
    }

    /** One instruction with breakpoints, single-step trap and interrupt shadow (Intel SDM vol. 3, 18.3). */
    private void one() {
        boolean stepped = (cpu.systemFlags & Cpu.TF) != 0;
        boolean shadow = cpu.interruptShadow;
        boolean resume = (cpu.systemFlags & Cpu.RF) != 0;
        try {
            lookup.refresh();
            if (!resume && !shadow) {
                DebugTraps.beforeInstruction(cpu, cpu.r[RIP] + lookup.codeBase);
            }
            cpu.interruptShadow = false;
            cpu.mmu.pendingDebug = 0;
            Block block = cache.single(lookup.find(cpu.r[RIP] + lookup.codeBase));
            long next = cpu.instructions + 1;
            cpu.systemFlags &= ~Cpu.RF;
            cpu.exact = false;
            loop(block, next);
            cpu.exact = true;
            DebugTraps.afterInstruction(cpu, block.first.instruction, stepped);
        } catch (CpuFault fault) {
            deliver(fault);
        } catch (RuntimeException e) {
            cpu.interruptShadow = shadow;
            cpu.systemFlags |= resume ? Cpu.RF : 0;
            throw e;
        }
    }

    // ---- The loop ----

    /**
     * Executes a block and those that follow until so many instructions are done in all, or attention is wanted, or
     * something happened that the caller has to look at.
     */
    private void loop(Block first, long end) {
        Cpu cpu = this.cpu;
        long[] r = cpu.r;
        Step s = first.first;
        long start = r[RIP];
        this.end = end;
        try {
            while (true) {
                block:
                while (true) {
                    switch (s.code) {
                        case MOV + RR + Q -> Fast64.movRr(cpu, r, s);
                        case MOV + RI + Q -> Fast64.movRi(cpu, r, s);
                        case MOV_ABSOLUTE -> Fast64.movAbsolute(cpu, r, s);
                        case MOV + RM + Q -> Fast64.movRm(cpu, r, s, start);
                        case MOV + MR + Q -> Fast64.movMr(cpu, r, s, start);
                        case MOV + MI + Q -> Fast64.movMi(cpu, r, s, start);
                        case ADD + RR + Q -> Fast64.addRr(cpu, r, s);
                        case ADD + RI + Q -> Fast64.addRi(cpu, r, s);
                        case ADD + RM + Q -> Fast64.addRm(cpu, r, s, start);
                        case CMP + RR + Q -> Fast64.cmpRr(cpu, r, s);
                        case CMP + RI + Q -> Fast64.cmpRi(cpu, r, s);
                        case CMP + RM + Q -> Fast64.cmpRm(cpu, r, s, start);
                        case CMP + MR + Q -> Fast64.cmpMr(cpu, r, s, start);
                        case CMP + MI + Q -> Fast64.cmpMi(cpu, r, s, start);
                        case TEST + RR + Q -> Fast64.testRr(cpu, r, s);
                        case TEST + RI + Q -> Fast64.testRi(cpu, r, s);
                        case SUB + RR + Q -> Fast64.subRr(cpu, r, s);
                        case SUB + RI + Q -> Fast64.subRi(cpu, r, s);
                        case SUB + RM + Q -> Fast64.subRm(cpu, r, s, start);
                        case AND + RR + Q -> Fast64.andRr(cpu, r, s);
                        case AND + RI + Q -> Fast64.andRi(cpu, r, s);
                        case XOR + RR + Q -> Fast64.xorRr(cpu, r, s);
                        case XOR + RI + Q -> Fast64.xorRi(cpu, r, s);
                        case OR + RR + Q -> Fast64.orRr(cpu, r, s);
                        case MOV + RR + D -> Fast32.movRr(cpu, r, s);
                        case MOV + RI + D -> Fast32.movRi(cpu, r, s);
                        case MOV + RM + D -> Fast32.movRm(cpu, r, s, start);
                        case MOV + MR + D -> Fast32.movMr(cpu, r, s, start);
                        case MOV + MI + D -> Fast32.movMi(cpu, r, s, start);
                        case ADD + RR + D -> Fast32.addRr(cpu, r, s);
                        case ADD + RI + D -> Fast32.addRi(cpu, r, s);
                        case ADD + RM + D -> Fast32.addRm(cpu, r, s, start);
                        case CMP + RR + D -> Fast32.cmpRr(cpu, r, s);
                        case CMP + RI + D -> Fast32.cmpRi(cpu, r, s);
                        case CMP + RM + D -> Fast32.cmpRm(cpu, r, s, start);
                        case CMP + MR + D -> Fast32.cmpMr(cpu, r, s, start);
                        case CMP + MI + D -> Fast32.cmpMi(cpu, r, s, start);
                        case TEST + RR + D -> Fast32.testRr(cpu, r, s);
                        case TEST + RI + D -> Fast32.testRi(cpu, r, s);
                        case SUB + RR + D -> Fast32.subRr(cpu, r, s);
                        case SUB + RI + D -> Fast32.subRi(cpu, r, s);
                        case SUB + RM + D -> Fast32.subRm(cpu, r, s, start);
                        case AND + RR + D -> Fast32.andRr(cpu, r, s);
                        case AND + RI + D -> Fast32.andRi(cpu, r, s);
                        case XOR + RR + D -> Fast32.xorRr(cpu, r, s);
                        case XOR + RI + D -> Fast32.xorRi(cpu, r, s);
                        case OR + RR + D -> Fast32.orRr(cpu, r, s);
                        case OR + RI + D -> Fast32.orRi(cpu, r, s);
                        case PUSH_R -> FastControl.pushR(cpu, r, s, start);
                        case PUSH_I -> FastControl.pushI(cpu, r, s, start);
                        case POP_R -> FastControl.popR(cpu, r, s, start);
                        case LEAVE -> FastControl.leave(cpu, r, s, start);
                        case CALL -> {
                            FastControl.call(cpu, r, s, start);
                            break block;
                        }
                        case CALL_R -> {
                            FastControl.callR(cpu, r, s, start);
                            break block;
                        }
                        case CALL_M -> {
                            FastControl.callM(cpu, r, s, start);
                            break block;
                        }
                        case JMP -> {
                            FastControl.jmp(cpu, r, s, start);
                            break block;
                        }
                        case JMP_R -> {
                            FastControl.jmpR(cpu, r, s, start);
                            break block;
                        }
                        case JMP_M -> {
                            FastControl.jmpM(cpu, r, s, start);
                            break block;
                        }
                        case RET -> {
                            FastControl.ret(cpu, r, s, start);
                            break block;
                        }
                        case JCC -> {
                            FastControl.jo(cpu, r, s, start);
                            break block;
                        }
                        case JCC + 1 -> {
                            FastControl.jno(cpu, r, s, start);
                            break block;
                        }
                        case JCC + 2 -> {
                            FastControl.jb(cpu, r, s, start);
                            break block;
                        }
                        case JCC + 3 -> {
                            FastControl.jae(cpu, r, s, start);
                            break block;
                        }
                        case JCC + 4 -> {
                            FastControl.je(cpu, r, s, start);
                            break block;
                        }
                        case JCC + 5 -> {
                            FastControl.jne(cpu, r, s, start);
                            break block;
                        }
                        case JCC + 6 -> {
                            FastControl.jbe(cpu, r, s, start);
                            break block;
                        }
                        case JCC + 7 -> {
                            FastControl.ja(cpu, r, s, start);
                            break block;
                        }
                        case JCC + 8 -> {
                            FastControl.js(cpu, r, s, start);
                            break block;
                        }
                        case JCC + 9 -> {
                            FastControl.jns(cpu, r, s, start);
                            break block;
                        }
                        case JCC + 10 -> {
                            FastControl.jp(cpu, r, s, start);
                            break block;
                        }
                        case JCC + 11 -> {
                            FastControl.jnp(cpu, r, s, start);
                            break block;
                        }
                        case JCC + 12 -> {
                            FastControl.jl(cpu, r, s, start);
                            break block;
                        }
                        case JCC + 13 -> {
                            FastControl.jge(cpu, r, s, start);
                            break block;
                        }
                        case JCC + 14 -> {
                            FastControl.jle(cpu, r, s, start);
                            break block;
                        }
                        case JCC + 15 -> {
                            FastControl.jg(cpu, r, s, start);
                            break block;
                        }
                        case LEA64 -> FastOther.lea64(cpu, r, s, start);
                        case LEA32 -> FastOther.lea32(cpu, r, s, start);
                        case MOVZX_R8 -> FastOther.movzxR8(cpu, r, s);
                        case MOVZX_M8 -> FastOther.movzxM8(cpu, r, s, start);
                        case MOVZX_M16 -> FastOther.movzxM16(cpu, r, s, start);
                        case MOVSX64_R32 -> FastOther.movsx64R32(cpu, r, s);
                        case MOVSX64_M32 -> FastOther.movsx64M32(cpu, r, s, start);
                        case SHL_I + D -> FastOther.shlI32(cpu, r, s);
                        case SHL_I + Q -> FastOther.shlI64(cpu, r, s);
                        case SHR_I + D -> FastOther.shrI32(cpu, r, s);
                        case SHR_I + Q -> FastOther.shrI64(cpu, r, s);
                        case SAR_I + Q -> FastOther.sarI64(cpu, r, s);
                        case CMOV_R + D -> FastOther.cmovR32(cpu, r, s);
                        case IMUL_RR + Q -> FastOther.imulRr64(cpu, r, s);
                        case CMOV_R + Q -> FastOther.cmovR64(cpu, r, s);
                        case SETCC_R -> FastOther.setccR(cpu, r, s);
                        case NOP -> {}
                        case MOV + RR + B -> Fast8.movRr(cpu, r, s);
                        case MOV + RI + B -> Fast8.movRi(cpu, r, s);
                        case MOV + RM + B -> Fast8.movRm(cpu, r, s, start);
                        case MOV + MR + B -> Fast8.movMr(cpu, r, s, start);
                        case MOV + MI + B -> Fast8.movMi(cpu, r, s, start);
                        case CMP + RI + B -> Fast8.cmpRi(cpu, r, s);
                        case CMP + RM + B -> Fast8.cmpRm(cpu, r, s, start);
                        case CMP + MI + B -> Fast8.cmpMi(cpu, r, s, start);
                        case TEST + RR + B -> Fast8.testRr(cpu, r, s);
                        case TEST + RI + B -> Fast8.testRi(cpu, r, s);
                        case TEST + MI + B -> Fast8.testMi(cpu, r, s, start);
                        case END -> {
                            cpu.jump(start + s.offset);
                            break block;
                        }
                        case EXIT -> {
                            VarHandle.loadLoadFence();
                            r[RIP] = start + s.offset;
                            cpu.instructions += s.done - 1;
                            return;
                        }
                        case DEVICE -> {
                            Step access = s;
                            s = null;
                            device(access, start);
                            return;
                        }
                        case GENERAL_END, GENERAL_FALL, REPEATED -> {
                            if (general(s, start)) {
                                return;
                            }
                            break block;
                        }
                        default -> SeldomForms.execute(cpu, r, s, start);
                    }
                    s = s.following;
                }
                long done = cpu.instructions + s.done;
                cpu.instructions = done;
                // A plain read, but not one that could be left out: every case has a fence or a call.
                if (done >= this.end || cpu.attention != 0) {
                    return;
                }
                start = r[RIP];
                CodeLookup lookup = this.lookup;
                long linear = start + lookup.codeBase;
                LastStep last = (LastStep) s;
                Block next = last.likely;
                if (next.linear != linear || next.context != lookup.context) {
                    next = last.other;
                    if (next.linear != linear || next.context != lookup.context) {
                        s = null;
                        next = lookup.follow(last, linear);
                    }
                }
                if ((next.heat += next.weight) >= hot) {
                    return;
                }
                s = next.first;
            }
        } catch (CpuFault fault) {
            if (s != null) {
                if (fault.vector == CpuFault.DEVICE) {
                    s.code = DEVICE;
                    device(s, r[RIP] - s.offset);
                    return;
                }
                cpu.instructions += s.done - 1;
                StackFaults.adjust(cpu, s.instruction, fault);
            }
            throw fault;
        } catch (RuntimeException e) {
            if (s != null) {
                back(s, start);
            }
            throw e;
        }
    }

    /**
     * An error of the engine in a handler: goes back to before the instruction, so that another engine can try. What a
     * handler changes it changes at its end, RIP last.
     */
    private void back(Step s, long start) {
        if (Long.compareUnsigned(cpu.r[RIP] - start, s.offset) > 0) {
            cpu.torn = true;
        }
        cpu.r[RIP] = start + s.offset;
        cpu.instructions += s.done - 1;
    }

    /**
     * Executes an instruction that was seen to reach for a device, and leaves its block after it: the device may look
     * at the time, which may be the count of instructions, and may want the CPU's attention.
     */
    private void device(Step s, long start) {
        Cpu cpu = this.cpu;
        cpu.r[RIP] = start + s.offset;
        cpu.instructions += s.done - 1;
        cpu.exact = true;
        try {
            Dispatch.execute(cpu, s.instruction);
        } catch (CpuFault fault) {
            StackFaults.adjust(cpu, s.instruction, fault);
            throw fault;
        }
        if (!Specializer.setsRip(s.instruction)) {
            cpu.advance(s.instruction);
        }
        cpu.instructions++;
    }

    /**
     * Executes a last instruction of a block after which anything about the CPU may have changed.
     *
     * @return whether the loop has to be left
     */
    private boolean general(Step s, long start) {
        Cpu cpu = this.cpu;
        int code = s.code;
        cpu.r[RIP] = start + s.offset;
        // Some look at the time, which may be the count of instructions.
        cpu.instructions += s.done - 1;
        cpu.exact = true;
        try {
            Dispatch.execute(cpu, s.instruction);
        } finally {
            cpu.exact = false;
            cpu.instructions -= s.done - 1;
        }
        if (code == REPEATED && cpu.r[RIP] == start + s.offset) {
            cpu.instructions += s.done - 1;
            unfinished = true;
            return true;
        }
        if (code == GENERAL_FALL) {
            cpu.advance(s.instruction);
        }
        if (special() || cpu.halted) {
            cpu.instructions += s.done;
            return true;
        }
        lookup.refresh();
        return false;
    }
}
