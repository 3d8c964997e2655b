package dev.multivisor.engine.cpu;

import static dev.multivisor.engine.cpu.Hot.*;

import dev.multivisor.engine.isa.Form;
import dev.multivisor.engine.isa.Instruction;
import java.util.Arrays;

/**
 * Executes guest instructions. Decoded {@link Block}s follow each other by links, which are checked by the linear
 * address and by a number, the context, that stands for everything else on which the meaning of an address
 * depends: translations, code size, user or supervisor.
 *
 * <p>The loop is one method, so that registers of the host hold its state. Frequent forms have cases of their own, with
 * small methods that the JVM's compiler inlines; all others go to {@link Dispatch}. RIP is stored only where it can be
 * seen: before a form that can fault, and at the end of a block.
 */
public final class Interpreter {
    private static final int RIP = Cpu.RIP, RSP = Cpu.RSP, RBP = Cpu.RBP, RAX = Cpu.RAX, RCX = Cpu.RCX, RDX = Cpu.RDX;
    private static final long LOW = 0xffffffffL;

    /** Entries of the jump cache. */
    private static final int JUMPS = 1 << 14;

    private final Cpu cpu;
    private final BlockCache cache;
    private final Block[] jumps = new Block[JUMPS];

    private long context;

    /** The linear base of code: 0 in 64-bit mode. */
    private long codeBase;

    /** Counts reloads of CS to another base or limit outside 64-bit mode, which change the context too. */
    private int codeSegments;

    private long lastBase;
    private int lastLimit;

    /** An interpreter for a vCPU of the machine whose code pages are given. */
    public Interpreter(Cpu cpu, CodePages pages) {
        this.cpu = cpu;
        cache = new BlockCache(cpu, pages);
        Arrays.fill(jumps, Block.NONE);
    }

    /**
     * Runs until about so many instructions are done, {@link Cpu#attention} is set, or the vCPU halts. Returns at an
     * instruction boundary, never in an interrupt shadow.
     */
    public void run(long budget) {
        long end = cpu.instructions + budget;
        if (end < 0) {
            end = Long.MAX_VALUE;
        }
        cache.enter();
        try {
            cpu.mmu.handleRequests();
            while (cpu.instructions < end && !cpu.halted && !cpu.attention()) {
                advance(end);
            }
            while (cpu.interruptShadow && !cpu.halted) {
                advance(end);
            }
        } finally {
            cache.leave();
        }
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

    private void advance(long end) {
        if (special()) {
            one();
            return;
        }
        try {
            refresh();
            loop(find(cpu.r[RIP] + codeBase), end);
        } catch (CpuFault fault) {
            Exceptions.deliver(cpu, fault);
        }
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
            refresh();
            if (!resume && !shadow) {
                DebugTraps.beforeInstruction(cpu, cpu.r[RIP] + codeBase);
            }
            cpu.interruptShadow = false;
            cpu.mmu.pendingDebug = 0;
            Block block = cache.single(find(cpu.r[RIP] + codeBase));
            long next = cpu.instructions + 1;
            cpu.systemFlags &= ~Cpu.RF;
            loop(block, next);
            DebugTraps.afterInstruction(cpu, block.code[0], stepped);
        } catch (CpuFault fault) {
            Exceptions.deliver(cpu, fault);
        }
    }

    // ---- Finding blocks ----

    /** Recomputes the context, after anything that may have changed it. */
    private void refresh() {
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
    private Block find(long linear) {
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
        block.linear = linear;
        block.context = context;
        jumps[slot] = block;
        return block;
    }

    /** The block that follows another, linked to it for the next time. */
    private Block follow(Block block, long linear) {
        Block next = find(linear);
        block.other = block.likely;
        block.likely = next;
        return next;
    }

    // ---- The loop ----

    /** The linear address of a memory operand in 64-bit mode. RIP is stored for the fault that the access may raise. */
    private static long at(Cpu cpu, long[] r, Instruction i, long start) {
        r[RIP] = start + i.offset;
        return r[i.base] + (r[i.index] << i.scale) + i.displacement + cpu.segmentBase[i.segment];
    }

    private static void push(Cpu cpu, long[] r, long value) {
        long top = r[RSP] - 8;
        cpu.mmu.store64(top, value);
        r[RSP] = top;
    }

    private static long pop(Cpu cpu, long[] r) {
        long value = cpu.mmu.load64(r[RSP]);
        r[RSP] += 8;
        return value;
    }

    private static long return64(Cpu cpu, long[] r) {
        long target = ControlInstructions.canonical(cpu, cpu.mmu.load64(r[RSP]));
        r[RSP] += 8;
        return target;
    }

    /** What an access through the stack pointer or a frame pointer raises is #SS where another raises #GP. */
    private static void asStackFault(Cpu cpu, Instruction i, CpuFault fault) {
        if (fault.nonCanonical && onStack(cpu, i)) {
            fault.vector = CpuFault.SS;
        }
    }

    /** Whether the stack was what had a non-canonical address. */
    private static boolean onStack(Cpu cpu, Instruction i) {
        if (i.stack) {
            return true;
        }
        return switch (i.op) {
            case XLAT, MASKMOVQ, MASKMOVDQU -> false;
            case PUSH, POP, CALL -> {
                long operand = Operands.offset(cpu, i) + cpu.segmentBase[i.segment];
                yield !i.memory() || canonical(operand) && canonical(operand + i.operandSize - 1);
            }
            default -> !i.memory() && !i.form.has(Form.Attribute.STRING);
        };
    }

    private static boolean canonical(long address) {
        return address << 16 >> 16 == address;
    }

    /**
     * Executes a block and those that follow until so many instructions are done in all, or attention is wanted, or
     * something happened that the caller has to look at.
     */
    private void loop(Block first, long end) {
        Cpu cpu = this.cpu;
        long[] r = cpu.r;
        Block block = first;
        long done = cpu.instructions;
        int n = 0;
        try {
            while (true) {
                long start = r[RIP];
                Instruction[] code = block.code;
                n = 0;
                run: {
                    for (; n < code.length; n++) {
                        Instruction i = code[n];
                        switch (i.code) {
                            case ADD + RR + B -> Fast8.addRr(cpu, r, i);
                            case ADD + RI + B -> Fast8.addRi(cpu, r, i);
                            case ADD + RM + B -> Fast8.addRm(cpu, r, i, at(cpu, r, i, start));
                            case ADD + MR + B -> Fast8.addMr(cpu, r, i, at(cpu, r, i, start));
                            case ADD + MI + B -> Fast8.addMi(cpu, r, i, at(cpu, r, i, start));
                            case OR + RR + B -> Fast8.orRr(cpu, r, i);
                            case OR + RI + B -> Fast8.orRi(cpu, r, i);
                            case OR + RM + B -> Fast8.orRm(cpu, r, i, at(cpu, r, i, start));
                            case OR + MR + B -> Fast8.orMr(cpu, r, i, at(cpu, r, i, start));
                            case OR + MI + B -> Fast8.orMi(cpu, r, i, at(cpu, r, i, start));
                            case ADC + RR + B -> Fast8.adcRr(cpu, r, i);
                            case ADC + RI + B -> Fast8.adcRi(cpu, r, i);
                            case ADC + RM + B -> Fast8.adcRm(cpu, r, i, at(cpu, r, i, start));
                            case ADC + MR + B -> Fast8.adcMr(cpu, r, i, at(cpu, r, i, start));
                            case ADC + MI + B -> Fast8.adcMi(cpu, r, i, at(cpu, r, i, start));
                            case SBB + RR + B -> Fast8.sbbRr(cpu, r, i);
                            case SBB + RI + B -> Fast8.sbbRi(cpu, r, i);
                            case SBB + RM + B -> Fast8.sbbRm(cpu, r, i, at(cpu, r, i, start));
                            case SBB + MR + B -> Fast8.sbbMr(cpu, r, i, at(cpu, r, i, start));
                            case SBB + MI + B -> Fast8.sbbMi(cpu, r, i, at(cpu, r, i, start));
                            case AND + RR + B -> Fast8.andRr(cpu, r, i);
                            case AND + RI + B -> Fast8.andRi(cpu, r, i);
                            case AND + RM + B -> Fast8.andRm(cpu, r, i, at(cpu, r, i, start));
                            case AND + MR + B -> Fast8.andMr(cpu, r, i, at(cpu, r, i, start));
                            case AND + MI + B -> Fast8.andMi(cpu, r, i, at(cpu, r, i, start));
                            case SUB + RR + B -> Fast8.subRr(cpu, r, i);
                            case SUB + RI + B -> Fast8.subRi(cpu, r, i);
                            case SUB + RM + B -> Fast8.subRm(cpu, r, i, at(cpu, r, i, start));
                            case SUB + MR + B -> Fast8.subMr(cpu, r, i, at(cpu, r, i, start));
                            case SUB + MI + B -> Fast8.subMi(cpu, r, i, at(cpu, r, i, start));
                            case XOR + RR + B -> Fast8.xorRr(cpu, r, i);
                            case XOR + RI + B -> Fast8.xorRi(cpu, r, i);
                            case XOR + RM + B -> Fast8.xorRm(cpu, r, i, at(cpu, r, i, start));
                            case XOR + MR + B -> Fast8.xorMr(cpu, r, i, at(cpu, r, i, start));
                            case XOR + MI + B -> Fast8.xorMi(cpu, r, i, at(cpu, r, i, start));
                            case CMP + RR + B -> Fast8.cmpRr(cpu, r, i);
                            case CMP + RI + B -> Fast8.cmpRi(cpu, r, i);
                            case CMP + RM + B -> Fast8.cmpRm(cpu, r, i, at(cpu, r, i, start));
                            case CMP + MR + B -> Fast8.cmpMr(cpu, r, i, at(cpu, r, i, start));
                            case CMP + MI + B -> Fast8.cmpMi(cpu, r, i, at(cpu, r, i, start));
                            case TEST + RR + B -> Fast8.testRr(cpu, r, i);
                            case TEST + RI + B -> Fast8.testRi(cpu, r, i);
                            case TEST + MR + B -> Fast8.testMr(cpu, r, i, at(cpu, r, i, start));
                            case TEST + MI + B -> Fast8.testMi(cpu, r, i, at(cpu, r, i, start));
                            case MOV + RR + B -> Fast8.movRr(cpu, r, i);
                            case MOV + RI + B -> Fast8.movRi(cpu, r, i);
                            case MOV + RM + B -> Fast8.movRm(cpu, r, i, at(cpu, r, i, start));
                            case MOV + MR + B -> Fast8.movMr(cpu, r, i, at(cpu, r, i, start));
                            case MOV + MI + B -> Fast8.movMi(cpu, r, i, at(cpu, r, i, start));
                            case ADD + RR + D -> Fast32.addRr(cpu, r, i);
                            case ADD + RI + D -> Fast32.addRi(cpu, r, i);
                            case ADD + RM + D -> Fast32.addRm(cpu, r, i, at(cpu, r, i, start));
                            case ADD + MR + D -> Fast32.addMr(cpu, r, i, at(cpu, r, i, start));
                            case ADD + MI + D -> Fast32.addMi(cpu, r, i, at(cpu, r, i, start));
                            case OR + RR + D -> Fast32.orRr(cpu, r, i);
                            case OR + RI + D -> Fast32.orRi(cpu, r, i);
                            case OR + RM + D -> Fast32.orRm(cpu, r, i, at(cpu, r, i, start));
                            case OR + MR + D -> Fast32.orMr(cpu, r, i, at(cpu, r, i, start));
                            case OR + MI + D -> Fast32.orMi(cpu, r, i, at(cpu, r, i, start));
                            case ADC + RR + D -> Fast32.adcRr(cpu, r, i);
                            case ADC + RI + D -> Fast32.adcRi(cpu, r, i);
                            case ADC + RM + D -> Fast32.adcRm(cpu, r, i, at(cpu, r, i, start));
                            case ADC + MR + D -> Fast32.adcMr(cpu, r, i, at(cpu, r, i, start));
                            case ADC + MI + D -> Fast32.adcMi(cpu, r, i, at(cpu, r, i, start));
                            case SBB + RR + D -> Fast32.sbbRr(cpu, r, i);
                            case SBB + RI + D -> Fast32.sbbRi(cpu, r, i);
                            case SBB + RM + D -> Fast32.sbbRm(cpu, r, i, at(cpu, r, i, start));
                            case SBB + MR + D -> Fast32.sbbMr(cpu, r, i, at(cpu, r, i, start));
                            case SBB + MI + D -> Fast32.sbbMi(cpu, r, i, at(cpu, r, i, start));
                            case AND + RR + D -> Fast32.andRr(cpu, r, i);
                            case AND + RI + D -> Fast32.andRi(cpu, r, i);
                            case AND + RM + D -> Fast32.andRm(cpu, r, i, at(cpu, r, i, start));
                            case AND + MR + D -> Fast32.andMr(cpu, r, i, at(cpu, r, i, start));
                            case AND + MI + D -> Fast32.andMi(cpu, r, i, at(cpu, r, i, start));
                            case SUB + RR + D -> Fast32.subRr(cpu, r, i);
                            case SUB + RI + D -> Fast32.subRi(cpu, r, i);
                            case SUB + RM + D -> Fast32.subRm(cpu, r, i, at(cpu, r, i, start));
                            case SUB + MR + D -> Fast32.subMr(cpu, r, i, at(cpu, r, i, start));
                            case SUB + MI + D -> Fast32.subMi(cpu, r, i, at(cpu, r, i, start));
                            case XOR + RR + D -> Fast32.xorRr(cpu, r, i);
                            case XOR + RI + D -> Fast32.xorRi(cpu, r, i);
                            case XOR + RM + D -> Fast32.xorRm(cpu, r, i, at(cpu, r, i, start));
                            case XOR + MR + D -> Fast32.xorMr(cpu, r, i, at(cpu, r, i, start));
                            case XOR + MI + D -> Fast32.xorMi(cpu, r, i, at(cpu, r, i, start));
                            case CMP + RR + D -> Fast32.cmpRr(cpu, r, i);
                            case CMP + RI + D -> Fast32.cmpRi(cpu, r, i);
                            case CMP + RM + D -> Fast32.cmpRm(cpu, r, i, at(cpu, r, i, start));
                            case CMP + MR + D -> Fast32.cmpMr(cpu, r, i, at(cpu, r, i, start));
                            case CMP + MI + D -> Fast32.cmpMi(cpu, r, i, at(cpu, r, i, start));
                            case TEST + RR + D -> Fast32.testRr(cpu, r, i);
                            case TEST + RI + D -> Fast32.testRi(cpu, r, i);
                            case TEST + MR + D -> Fast32.testMr(cpu, r, i, at(cpu, r, i, start));
                            case TEST + MI + D -> Fast32.testMi(cpu, r, i, at(cpu, r, i, start));
                            case MOV + RR + D -> Fast32.movRr(cpu, r, i);
                            case MOV + RI + D -> Fast32.movRi(cpu, r, i);
                            case MOV + RM + D -> Fast32.movRm(cpu, r, i, at(cpu, r, i, start));
                            case MOV + MR + D -> Fast32.movMr(cpu, r, i, at(cpu, r, i, start));
                            case MOV + MI + D -> Fast32.movMi(cpu, r, i, at(cpu, r, i, start));
                            case ADD + RR + Q -> Fast64.addRr(cpu, r, i);
                            case ADD + RI + Q -> Fast64.addRi(cpu, r, i);
                            case ADD + RM + Q -> Fast64.addRm(cpu, r, i, at(cpu, r, i, start));
                            case ADD + MR + Q -> Fast64.addMr(cpu, r, i, at(cpu, r, i, start));
                            case ADD + MI + Q -> Fast64.addMi(cpu, r, i, at(cpu, r, i, start));
                            case OR + RR + Q -> Fast64.orRr(cpu, r, i);
                            case OR + RI + Q -> Fast64.orRi(cpu, r, i);
                            case OR + RM + Q -> Fast64.orRm(cpu, r, i, at(cpu, r, i, start));
                            case OR + MR + Q -> Fast64.orMr(cpu, r, i, at(cpu, r, i, start));
                            case OR + MI + Q -> Fast64.orMi(cpu, r, i, at(cpu, r, i, start));
                            case ADC + RR + Q -> Fast64.adcRr(cpu, r, i);
                            case ADC + RI + Q -> Fast64.adcRi(cpu, r, i);
                            case ADC + RM + Q -> Fast64.adcRm(cpu, r, i, at(cpu, r, i, start));
                            case ADC + MR + Q -> Fast64.adcMr(cpu, r, i, at(cpu, r, i, start));
                            case ADC + MI + Q -> Fast64.adcMi(cpu, r, i, at(cpu, r, i, start));
                            case SBB + RR + Q -> Fast64.sbbRr(cpu, r, i);
                            case SBB + RI + Q -> Fast64.sbbRi(cpu, r, i);
                            case SBB + RM + Q -> Fast64.sbbRm(cpu, r, i, at(cpu, r, i, start));
                            case SBB + MR + Q -> Fast64.sbbMr(cpu, r, i, at(cpu, r, i, start));
                            case SBB + MI + Q -> Fast64.sbbMi(cpu, r, i, at(cpu, r, i, start));
                            case AND + RR + Q -> Fast64.andRr(cpu, r, i);
                            case AND + RI + Q -> Fast64.andRi(cpu, r, i);
                            case AND + RM + Q -> Fast64.andRm(cpu, r, i, at(cpu, r, i, start));
                            case AND + MR + Q -> Fast64.andMr(cpu, r, i, at(cpu, r, i, start));
                            case AND + MI + Q -> Fast64.andMi(cpu, r, i, at(cpu, r, i, start));
                            case SUB + RR + Q -> Fast64.subRr(cpu, r, i);
                            case SUB + RI + Q -> Fast64.subRi(cpu, r, i);
                            case SUB + RM + Q -> Fast64.subRm(cpu, r, i, at(cpu, r, i, start));
                            case SUB + MR + Q -> Fast64.subMr(cpu, r, i, at(cpu, r, i, start));
                            case SUB + MI + Q -> Fast64.subMi(cpu, r, i, at(cpu, r, i, start));
                            case XOR + RR + Q -> Fast64.xorRr(cpu, r, i);
                            case XOR + RI + Q -> Fast64.xorRi(cpu, r, i);
                            case XOR + RM + Q -> Fast64.xorRm(cpu, r, i, at(cpu, r, i, start));
                            case XOR + MR + Q -> Fast64.xorMr(cpu, r, i, at(cpu, r, i, start));
                            case XOR + MI + Q -> Fast64.xorMi(cpu, r, i, at(cpu, r, i, start));
                            case CMP + RR + Q -> Fast64.cmpRr(cpu, r, i);
                            case CMP + RI + Q -> Fast64.cmpRi(cpu, r, i);
                            case CMP + RM + Q -> Fast64.cmpRm(cpu, r, i, at(cpu, r, i, start));
                            case CMP + MR + Q -> Fast64.cmpMr(cpu, r, i, at(cpu, r, i, start));
                            case CMP + MI + Q -> Fast64.cmpMi(cpu, r, i, at(cpu, r, i, start));
                            case TEST + RR + Q -> Fast64.testRr(cpu, r, i);
                            case TEST + RI + Q -> Fast64.testRi(cpu, r, i);
                            case TEST + MR + Q -> Fast64.testMr(cpu, r, i, at(cpu, r, i, start));
                            case TEST + MI + Q -> Fast64.testMi(cpu, r, i, at(cpu, r, i, start));
                            case MOV + RR + Q -> Fast64.movRr(cpu, r, i);
                            case MOV + RI + Q -> Fast64.movRi(cpu, r, i);
                            case MOV + RM + Q -> Fast64.movRm(cpu, r, i, at(cpu, r, i, start));
                            case MOV + MR + Q -> Fast64.movMr(cpu, r, i, at(cpu, r, i, start));
                            case MOV + MI + Q -> Fast64.movMi(cpu, r, i, at(cpu, r, i, start));
                            case LOAD16 -> {
                                long value = cpu.mmu.load16(at(cpu, r, i, start));
                                r[i.x] = r[i.x] & ~0xffffL | value;
                            }
                            case STORE16 -> cpu.mmu.store16(at(cpu, r, i, start), r[i.y]);
                            case STORE16_I -> cpu.mmu.store16(at(cpu, r, i, start), i.immediate);
                            case LEA64 -> {
                                r[RIP] = start + i.offset;
                                r[i.x] = r[i.base] + (r[i.index] << i.scale) + i.displacement;
                            }
                            case LEA32 -> {
                                r[RIP] = start + i.offset;
                                r[i.x] = r[i.base] + (r[i.index] << i.scale) + i.displacement & LOW;
                            }
                            case MOVZX_R8 -> r[i.x] = r[i.y] & 0xff;
                            case MOVZX_R16 -> r[i.x] = r[i.y] & 0xffff;
                            case MOVZX_M8 -> r[i.x] = cpu.mmu.load8(at(cpu, r, i, start));
                            case MOVZX_M16 -> r[i.x] = cpu.mmu.load16(at(cpu, r, i, start));
                            case MOVSX32_R8 -> r[i.x] = (byte) r[i.y] & LOW;
                            case MOVSX32_R16 -> r[i.x] = (short) r[i.y] & LOW;
                            case MOVSX32_M8 -> r[i.x] = (byte) cpu.mmu.load8(at(cpu, r, i, start)) & LOW;
                            case MOVSX32_M16 -> r[i.x] = (short) cpu.mmu.load16(at(cpu, r, i, start)) & LOW;
                            case MOVSX64_R8 -> r[i.x] = (byte) r[i.y];
                            case MOVSX64_R16 -> r[i.x] = (short) r[i.y];
                            case MOVSX64_R32 -> r[i.x] = (int) r[i.y];
                            case MOVSX64_M8 -> r[i.x] = (byte) cpu.mmu.load8(at(cpu, r, i, start));
                            case MOVSX64_M16 -> r[i.x] = (short) cpu.mmu.load16(at(cpu, r, i, start));
                            case MOVSX64_M32 -> r[i.x] = (int) cpu.mmu.load32(at(cpu, r, i, start));
                            case PUSH_R -> {
                                r[RIP] = start + i.offset;
                                push(cpu, r, r[i.x]);
                            }
                            case PUSH_I -> {
                                r[RIP] = start + i.offset;
                                push(cpu, r, i.immediate);
                            }
                            case PUSH_M -> push(cpu, r, cpu.mmu.load64(at(cpu, r, i, start)));
                            case POP_R -> {
                                r[RIP] = start + i.offset;
                                r[i.x] = pop(cpu, r);
                            }
                            case LEAVE -> {
                                r[RIP] = start + i.offset;
                                long value = cpu.mmu.load64(r[RBP]);
                                r[RSP] = r[RBP] + 8;
                                r[RBP] = value;
                            }
                            case CALL -> {
                                r[RIP] = start + i.offset;
                                push(cpu, r, start + i.next);
                                r[RIP] = start + i.target;
                            }
                            case CALL_R -> {
                                r[RIP] = start + i.offset;
                                long target = ControlInstructions.canonical(cpu, r[i.x]);
                                push(cpu, r, start + i.next);
                                r[RIP] = target;
                            }
                            case CALL_M -> {
                                long target = ControlInstructions.canonical(cpu, cpu.mmu.load64(at(cpu, r, i, start)));
                                push(cpu, r, start + i.next);
                                r[RIP] = target;
                            }
                            case JMP -> r[RIP] = start + i.target;
                            case JMP_R -> {
                                r[RIP] = start + i.offset;
                                r[RIP] = ControlInstructions.canonical(cpu, r[i.x]);
                            }
                            case JMP_M ->
                                r[RIP] = ControlInstructions.canonical(cpu, cpu.mmu.load64(at(cpu, r, i, start)));
                            case RET -> {
                                r[RIP] = start + i.offset;
                                r[RIP] = return64(cpu, r);
                            }
                            case JCC -> r[RIP] = start + (cpu.of() ? i.target : i.next);
                            case JCC + 1 -> r[RIP] = start + (cpu.of() ? i.next : i.target);
                            case JCC + 2 -> r[RIP] = start + (cpu.cf() ? i.target : i.next);
                            case JCC + 3 -> r[RIP] = start + (cpu.cf() ? i.next : i.target);
                            case JCC + 4 -> r[RIP] = start + (cpu.zf() ? i.target : i.next);
                            case JCC + 5 -> r[RIP] = start + (cpu.zf() ? i.next : i.target);
                            case JCC + 6 -> r[RIP] = start + (cpu.cf() || cpu.zf() ? i.target : i.next);
                            case JCC + 7 -> r[RIP] = start + (cpu.cf() || cpu.zf() ? i.next : i.target);
                            case JCC + 8 -> r[RIP] = start + (cpu.sf() ? i.target : i.next);
                            case JCC + 9 -> r[RIP] = start + (cpu.sf() ? i.next : i.target);
                            case JCC + 10 -> r[RIP] = start + (cpu.pf() ? i.target : i.next);
                            case JCC + 11 -> r[RIP] = start + (cpu.pf() ? i.next : i.target);
                            case JCC + 12 -> r[RIP] = start + (cpu.less() ? i.target : i.next);
                            case JCC + 13 -> r[RIP] = start + (cpu.less() ? i.next : i.target);
                            case JCC + 14 -> r[RIP] = start + (cpu.less() || cpu.zf() ? i.target : i.next);
                            case JCC + 15 -> r[RIP] = start + (cpu.less() || cpu.zf() ? i.next : i.target);
                            case SHL_I + D -> r[i.x] = Alu.shl(cpu, r[i.x], (int) i.immediate & 31, 32) & LOW;
                            case SHL_CL + D -> r[i.x] = Alu.shl(cpu, r[i.x], (int) r[RCX] & 31, 32) & LOW;
                            case SHL_I + Q -> r[i.x] = Alu.shl(cpu, r[i.x], (int) i.immediate & 63, 0);
                            case SHL_CL + Q -> r[i.x] = Alu.shl(cpu, r[i.x], (int) r[RCX] & 63, 0);
                            case SHR_I + D -> r[i.x] = Alu.shr(cpu, r[i.x], (int) i.immediate & 31, 32) & LOW;
                            case SHR_CL + D -> r[i.x] = Alu.shr(cpu, r[i.x], (int) r[RCX] & 31, 32) & LOW;
                            case SHR_I + Q -> r[i.x] = Alu.shr(cpu, r[i.x], (int) i.immediate & 63, 0);
                            case SHR_CL + Q -> r[i.x] = Alu.shr(cpu, r[i.x], (int) r[RCX] & 63, 0);
                            case SAR_I + D -> r[i.x] = Alu.sar(cpu, r[i.x], (int) i.immediate & 31, 32) & LOW;
                            case SAR_CL + D -> r[i.x] = Alu.sar(cpu, r[i.x], (int) r[RCX] & 31, 32) & LOW;
                            case SAR_I + Q -> r[i.x] = Alu.sar(cpu, r[i.x], (int) i.immediate & 63, 0);
                            case SAR_CL + Q -> r[i.x] = Alu.sar(cpu, r[i.x], (int) r[RCX] & 63, 0);
                            case ROL_I + D -> r[i.x] = Alu.rol(cpu, r[i.x], (int) i.immediate & 31, 32) & LOW;
                            case ROL_CL + D -> r[i.x] = Alu.rol(cpu, r[i.x], (int) r[RCX] & 31, 32) & LOW;
                            case ROL_I + Q -> r[i.x] = Alu.rol(cpu, r[i.x], (int) i.immediate & 63, 0);
                            case ROL_CL + Q -> r[i.x] = Alu.rol(cpu, r[i.x], (int) r[RCX] & 63, 0);
                            case ROR_I + D -> r[i.x] = Alu.ror(cpu, r[i.x], (int) i.immediate & 31, 32) & LOW;
                            case ROR_CL + D -> r[i.x] = Alu.ror(cpu, r[i.x], (int) r[RCX] & 31, 32) & LOW;
                            case ROR_I + Q -> r[i.x] = Alu.ror(cpu, r[i.x], (int) i.immediate & 63, 0);
                            case ROR_CL + Q -> r[i.x] = Alu.ror(cpu, r[i.x], (int) r[RCX] & 63, 0);
                            case INC + D -> r[i.x] = Alu.inc(cpu, r[i.x], 32) & LOW;
                            case DEC + D -> r[i.x] = Alu.dec(cpu, r[i.x], 32) & LOW;
                            case NEG + D -> r[i.x] = Alu.neg(cpu, r[i.x], 32) & LOW;
                            case NOT + D -> r[i.x] = ~r[i.x] & LOW;
                            case INC_M + D -> {
                                long at = at(cpu, r, i, start);
                                cpu.mmu.store32(at, Alu.inc(cpu, cpu.mmu.loadForWrite(at, 4), 32));
                            }
                            case DEC_M + D -> {
                                long at = at(cpu, r, i, start);
                                cpu.mmu.store32(at, Alu.dec(cpu, cpu.mmu.loadForWrite(at, 4), 32));
                            }
                            case IMUL_RR + D -> r[i.x] = Alu.imul(cpu, r[i.x], r[i.y], 32) & LOW;
                            case IMUL_RRI + D -> r[i.x] = Alu.imul(cpu, r[i.y], i.immediate, 32) & LOW;
                            case IMUL_RM + D ->
                                r[i.x] = Alu.imul(cpu, r[i.x], cpu.mmu.load32(at(cpu, r, i, start)), 32) & LOW;
                            case CMOV_R + D -> r[i.x] = (cpu.condition(i.condition) ? r[i.y] : r[i.x]) & LOW;
                            case CMOV_M + D -> {
                                long value = cpu.mmu.load32(at(cpu, r, i, start));
                                r[i.x] = (cpu.condition(i.condition) ? value : r[i.x]) & LOW;
                            }
                            case BT_R + D -> Alu.setCarry(cpu, r[i.x] >>> (r[i.y] & 31));
                            case BT_I + D -> Alu.setCarry(cpu, r[i.x] >>> (i.immediate & 31));
                            case XCHG + D -> {
                                long value = r[i.y] & LOW;
                                r[i.y] = r[i.x] & LOW;
                                r[i.x] = value;
                            }
                            case SHLD_I + D -> r[i.x] = Alu.shld(cpu, r[i.x], r[i.y], (int) i.immediate & 31, 32) & LOW;
                            case SHRD_I + D -> r[i.x] = Alu.shrd(cpu, r[i.x], r[i.y], (int) i.immediate & 31, 32) & LOW;
                            case INC + Q -> r[i.x] = Alu.inc(cpu, r[i.x], 0);
                            case DEC + Q -> r[i.x] = Alu.dec(cpu, r[i.x], 0);
                            case NEG + Q -> r[i.x] = Alu.neg(cpu, r[i.x], 0);
                            case NOT + Q -> r[i.x] = ~r[i.x];
                            case INC_M + Q -> {
                                long at = at(cpu, r, i, start);
                                cpu.mmu.store64(at, Alu.inc(cpu, cpu.mmu.loadForWrite(at, 8), 0));
                            }
                            case DEC_M + Q -> {
                                long at = at(cpu, r, i, start);
                                cpu.mmu.store64(at, Alu.dec(cpu, cpu.mmu.loadForWrite(at, 8), 0));
                            }
                            case IMUL_RR + Q -> r[i.x] = Alu.imul(cpu, r[i.x], r[i.y], 0);
                            case IMUL_RRI + Q -> r[i.x] = Alu.imul(cpu, r[i.y], i.immediate, 0);
                            case IMUL_RM + Q -> r[i.x] = Alu.imul(cpu, r[i.x], cpu.mmu.load64(at(cpu, r, i, start)), 0);
                            case CMOV_R + Q -> r[i.x] = (cpu.condition(i.condition) ? r[i.y] : r[i.x]);
                            case CMOV_M + Q -> {
                                long value = cpu.mmu.load64(at(cpu, r, i, start));
                                r[i.x] = (cpu.condition(i.condition) ? value : r[i.x]);
                            }
                            case BT_R + Q -> Alu.setCarry(cpu, r[i.x] >>> (r[i.y] & 63));
                            case BT_I + Q -> Alu.setCarry(cpu, r[i.x] >>> (i.immediate & 63));
                            case XCHG + Q -> {
                                long value = r[i.y];
                                r[i.y] = r[i.x];
                                r[i.x] = value;
                            }
                            case SHLD_I + Q -> r[i.x] = Alu.shld(cpu, r[i.x], r[i.y], (int) i.immediate & 63, 0);
                            case SHRD_I + Q -> r[i.x] = Alu.shrd(cpu, r[i.x], r[i.y], (int) i.immediate & 63, 0);
                            case CBW + D -> r[RAX] = (short) r[RAX] & LOW;
                            case CBW + Q -> r[RAX] = (int) r[RAX];
                            case CWD + D -> r[RDX] = (int) r[RAX] >> 31 & LOW;
                            case CWD + Q -> r[RDX] = r[RAX] >> 63;
                            case SETCC_R -> r[i.x] = r[i.x] & ~0xffL | (cpu.condition(i.condition) ? 1 : 0);
                            case SETCC_M -> cpu.mmu.store8(at(cpu, r, i, start), cpu.condition(i.condition) ? 1 : 0);
                            case NOP -> {}
                            case MUL64_R -> MultiplyInstructions.mul64(cpu, r[i.x]);
                            case MUL64_M -> MultiplyInstructions.mul64(cpu, cpu.mmu.load64(at(cpu, r, i, start)));
                            case BSWAP64 -> r[i.x] = Long.reverseBytes(r[i.x]);
                            case BSWAP32 -> r[i.x] = Integer.reverseBytes((int) r[i.x]) & LOW;
                            case EXIT -> {
                                r[RIP] = start + i.offset;
                                break run;
                            }
                            default -> {
                                r[RIP] = start + i.offset;
                                cpu.instructions = done + n;
                                Dispatch.execute(cpu, i);
                            }
                        }
                    }
                    if (block.falls) {
                        cpu.jump(start + block.length);
                    }
                }
                done += n;
                n = 0;
                cpu.instructions = done;
                if (block.general) {
                    if (block.repeats && r[RIP] == start + code[code.length - 1].offset) {
                        cpu.instructions = --done;
                        return;
                    }
                    if (special() || cpu.halted) {
                        return;
                    }
                    refresh();
                }
                if (done >= end || cpu.attention()) {
                    return;
                }
                long linear = r[RIP] + codeBase;
                Block next = block.likely;
                if (next.linear != linear || next.context != context) {
                    next = block.other;
                    if (next.linear != linear || next.context != context) {
                        next = follow(block, linear);
                    }
                }
                block = next;
            }
        } catch (CpuFault fault) {
            cpu.instructions = done + n;
            if (n < block.code.length) {
                asStackFault(cpu, block.code[n], fault);
            }
            throw fault;
        }
    }
}
