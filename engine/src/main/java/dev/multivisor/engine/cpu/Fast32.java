package dev.multivisor.engine.cpu;

import dev.multivisor.engine.isa.Instruction;

/**
 * The frequent doubleword arithmetic and moves, by operand shape: x and y are register numbers, {@code at} is the
 * linear address of the memory operand.
 */
final class Fast32 {
    private static final long LOW = 0xffffffffL;

    private Fast32() {}

    static void addRr(Cpu cpu, long[] r, Instruction i) {
        r[i.x] = Alu.add(cpu, r[i.x], r[i.y], 32) & LOW;
    }

    static void addRi(Cpu cpu, long[] r, Instruction i) {
        r[i.x] = Alu.add(cpu, r[i.x], i.immediate, 32) & LOW;
    }

    static void addRm(Cpu cpu, long[] r, Instruction i, long at) {
        r[i.x] = Alu.add(cpu, r[i.x], cpu.mmu.load32(at), 32) & LOW;
    }

    static void addMr(Cpu cpu, long[] r, Instruction i, long at) {
        cpu.mmu.store32(at, Alu.add(cpu, cpu.mmu.loadForWrite(at, 4), r[i.y], 32));
    }

    static void addMi(Cpu cpu, long[] r, Instruction i, long at) {
        cpu.mmu.store32(at, Alu.add(cpu, cpu.mmu.loadForWrite(at, 4), i.immediate, 32));
    }

    static void orRr(Cpu cpu, long[] r, Instruction i) {
        r[i.x] = Alu.logic(cpu, r[i.x] | r[i.y], 32) & LOW;
    }

    static void orRi(Cpu cpu, long[] r, Instruction i) {
        r[i.x] = Alu.logic(cpu, r[i.x] | i.immediate, 32) & LOW;
    }

    static void orRm(Cpu cpu, long[] r, Instruction i, long at) {
        r[i.x] = Alu.logic(cpu, r[i.x] | cpu.mmu.load32(at), 32) & LOW;
    }

    static void orMr(Cpu cpu, long[] r, Instruction i, long at) {
        cpu.mmu.store32(at, Alu.logic(cpu, cpu.mmu.loadForWrite(at, 4) | r[i.y], 32));
    }

    static void orMi(Cpu cpu, long[] r, Instruction i, long at) {
        cpu.mmu.store32(at, Alu.logic(cpu, cpu.mmu.loadForWrite(at, 4) | i.immediate, 32));
    }

    static void adcRr(Cpu cpu, long[] r, Instruction i) {
        r[i.x] = Alu.adc(cpu, r[i.x], r[i.y], 32) & LOW;
    }

    static void adcRi(Cpu cpu, long[] r, Instruction i) {
        r[i.x] = Alu.adc(cpu, r[i.x], i.immediate, 32) & LOW;
    }

    static void adcRm(Cpu cpu, long[] r, Instruction i, long at) {
        r[i.x] = Alu.adc(cpu, r[i.x], cpu.mmu.load32(at), 32) & LOW;
    }

    static void adcMr(Cpu cpu, long[] r, Instruction i, long at) {
        cpu.mmu.store32(at, Alu.adc(cpu, cpu.mmu.loadForWrite(at, 4), r[i.y], 32));
    }

    static void adcMi(Cpu cpu, long[] r, Instruction i, long at) {
        cpu.mmu.store32(at, Alu.adc(cpu, cpu.mmu.loadForWrite(at, 4), i.immediate, 32));
    }

    static void sbbRr(Cpu cpu, long[] r, Instruction i) {
        r[i.x] = Alu.sbb(cpu, r[i.x], r[i.y], 32) & LOW;
    }

    static void sbbRi(Cpu cpu, long[] r, Instruction i) {
        r[i.x] = Alu.sbb(cpu, r[i.x], i.immediate, 32) & LOW;
    }

    static void sbbRm(Cpu cpu, long[] r, Instruction i, long at) {
        r[i.x] = Alu.sbb(cpu, r[i.x], cpu.mmu.load32(at), 32) & LOW;
    }

    static void sbbMr(Cpu cpu, long[] r, Instruction i, long at) {
        cpu.mmu.store32(at, Alu.sbb(cpu, cpu.mmu.loadForWrite(at, 4), r[i.y], 32));
    }

    static void sbbMi(Cpu cpu, long[] r, Instruction i, long at) {
        cpu.mmu.store32(at, Alu.sbb(cpu, cpu.mmu.loadForWrite(at, 4), i.immediate, 32));
    }

    static void andRr(Cpu cpu, long[] r, Instruction i) {
        r[i.x] = Alu.logic(cpu, r[i.x] & r[i.y], 32) & LOW;
    }

    static void andRi(Cpu cpu, long[] r, Instruction i) {
        r[i.x] = Alu.logic(cpu, r[i.x] & i.immediate, 32) & LOW;
    }

    static void andRm(Cpu cpu, long[] r, Instruction i, long at) {
        r[i.x] = Alu.logic(cpu, r[i.x] & cpu.mmu.load32(at), 32) & LOW;
    }

    static void andMr(Cpu cpu, long[] r, Instruction i, long at) {
        cpu.mmu.store32(at, Alu.logic(cpu, cpu.mmu.loadForWrite(at, 4) & r[i.y], 32));
    }

    static void andMi(Cpu cpu, long[] r, Instruction i, long at) {
        cpu.mmu.store32(at, Alu.logic(cpu, cpu.mmu.loadForWrite(at, 4) & i.immediate, 32));
    }

    static void subRr(Cpu cpu, long[] r, Instruction i) {
        r[i.x] = Alu.sub(cpu, r[i.x], r[i.y], 32) & LOW;
    }

    static void subRi(Cpu cpu, long[] r, Instruction i) {
        r[i.x] = Alu.sub(cpu, r[i.x], i.immediate, 32) & LOW;
    }

    static void subRm(Cpu cpu, long[] r, Instruction i, long at) {
        r[i.x] = Alu.sub(cpu, r[i.x], cpu.mmu.load32(at), 32) & LOW;
    }

    static void subMr(Cpu cpu, long[] r, Instruction i, long at) {
        cpu.mmu.store32(at, Alu.sub(cpu, cpu.mmu.loadForWrite(at, 4), r[i.y], 32));
    }

    static void subMi(Cpu cpu, long[] r, Instruction i, long at) {
        cpu.mmu.store32(at, Alu.sub(cpu, cpu.mmu.loadForWrite(at, 4), i.immediate, 32));
    }

    static void xorRr(Cpu cpu, long[] r, Instruction i) {
        r[i.x] = Alu.logic(cpu, r[i.x] ^ r[i.y], 32) & LOW;
    }

    static void xorRi(Cpu cpu, long[] r, Instruction i) {
        r[i.x] = Alu.logic(cpu, r[i.x] ^ i.immediate, 32) & LOW;
    }

    static void xorRm(Cpu cpu, long[] r, Instruction i, long at) {
        r[i.x] = Alu.logic(cpu, r[i.x] ^ cpu.mmu.load32(at), 32) & LOW;
    }

    static void xorMr(Cpu cpu, long[] r, Instruction i, long at) {
        cpu.mmu.store32(at, Alu.logic(cpu, cpu.mmu.loadForWrite(at, 4) ^ r[i.y], 32));
    }

    static void xorMi(Cpu cpu, long[] r, Instruction i, long at) {
        cpu.mmu.store32(at, Alu.logic(cpu, cpu.mmu.loadForWrite(at, 4) ^ i.immediate, 32));
    }

    static void cmpRr(Cpu cpu, long[] r, Instruction i) {
        Alu.sub(cpu, r[i.x], r[i.y], 32);
    }

    static void cmpRi(Cpu cpu, long[] r, Instruction i) {
        Alu.sub(cpu, r[i.x], i.immediate, 32);
    }

    static void cmpRm(Cpu cpu, long[] r, Instruction i, long at) {
        Alu.sub(cpu, r[i.x], cpu.mmu.load32(at), 32);
    }

    static void cmpMr(Cpu cpu, long[] r, Instruction i, long at) {
        Alu.sub(cpu, cpu.mmu.load32(at), r[i.y], 32);
    }

    static void cmpMi(Cpu cpu, long[] r, Instruction i, long at) {
        Alu.sub(cpu, cpu.mmu.load32(at), i.immediate, 32);
    }

    static void testRr(Cpu cpu, long[] r, Instruction i) {
        Alu.logic(cpu, r[i.x] & r[i.y], 32);
    }

    static void testRi(Cpu cpu, long[] r, Instruction i) {
        Alu.logic(cpu, r[i.x] & i.immediate, 32);
    }

    static void testMr(Cpu cpu, long[] r, Instruction i, long at) {
        Alu.logic(cpu, cpu.mmu.load32(at) & r[i.y], 32);
    }

    static void testMi(Cpu cpu, long[] r, Instruction i, long at) {
        Alu.logic(cpu, cpu.mmu.load32(at) & i.immediate, 32);
    }

    static void movRr(Cpu cpu, long[] r, Instruction i) {
        r[i.x] = r[i.y] & LOW;
    }

    static void movRi(Cpu cpu, long[] r, Instruction i) {
        r[i.x] = i.immediate & LOW;
    }

    static void movRm(Cpu cpu, long[] r, Instruction i, long at) {
        r[i.x] = cpu.mmu.load32(at);
    }

    static void movMr(Cpu cpu, long[] r, Instruction i, long at) {
        cpu.mmu.store32(at, r[i.y]);
    }

    static void movMi(Cpu cpu, long[] r, Instruction i, long at) {
        cpu.mmu.store32(at, i.immediate);
    }
}
