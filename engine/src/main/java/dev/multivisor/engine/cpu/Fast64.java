package dev.multivisor.engine.cpu;

import java.lang.invoke.VarHandle;

/** The frequent forms of quadword arithmetic and moves; see {@link Interpreter} for the fences. */
final class Fast64 {
    private Fast64() {}

    static void movRr(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = r[s.y];
    }

    static void movRi(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = s.immediate;
    }

    static void movAbsolute(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = s.instruction.immediate;
    }

    static void movRm(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        r[s.x] = cpu.mmu.load64(s.at(cpu, r, start));
    }

    static void movMr(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        cpu.mmu.store64(s.at(cpu, r, start), r[s.y]);
    }

    static void movMi(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        cpu.mmu.store64(s.at(cpu, r, start), s.immediate);
    }

    static void addRr(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = Alu.add(cpu, r[s.x], r[s.y], 0);
    }

    static void addRi(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = Alu.add(cpu, r[s.x], s.immediate, 0);
    }

    static void addRm(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        r[s.x] = Alu.add(cpu, r[s.x], cpu.mmu.load64(s.at(cpu, r, start)), 0);
    }

    static void addMr(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        long at = s.at(cpu, r, start);
        cpu.mmu.store64(at, Alu.add(cpu, cpu.mmu.loadForWrite(at, 8), r[s.y], 0));
    }

    static void addMi(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        long at = s.at(cpu, r, start);
        cpu.mmu.store64(at, Alu.add(cpu, cpu.mmu.loadForWrite(at, 8), s.immediate, 0));
    }

    static void cmpRr(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        Alu.sub(cpu, r[s.x], r[s.y], 0);
    }

    static void cmpRi(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        Alu.sub(cpu, r[s.x], s.immediate, 0);
    }

    static void cmpRm(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        Alu.sub(cpu, r[s.x], cpu.mmu.load64(s.at(cpu, r, start)), 0);
    }

    static void cmpMr(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        Alu.sub(cpu, cpu.mmu.load64(s.at(cpu, r, start)), r[s.y], 0);
    }

    static void cmpMi(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        Alu.sub(cpu, cpu.mmu.load64(s.at(cpu, r, start)), s.immediate, 0);
    }

    static void testRr(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        Alu.logic(cpu, r[s.x] & r[s.y], 0);
    }

    static void testRi(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        Alu.logic(cpu, r[s.x] & s.immediate, 0);
    }

    static void testMr(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        Alu.logic(cpu, cpu.mmu.load64(s.at(cpu, r, start)) & r[s.y], 0);
    }

    static void testMi(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        Alu.logic(cpu, cpu.mmu.load64(s.at(cpu, r, start)) & s.immediate, 0);
    }

    static void subRr(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = Alu.sub(cpu, r[s.x], r[s.y], 0);
    }

    static void subRi(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = Alu.sub(cpu, r[s.x], s.immediate, 0);
    }

    static void subRm(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        r[s.x] = Alu.sub(cpu, r[s.x], cpu.mmu.load64(s.at(cpu, r, start)), 0);
    }

    static void subMr(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        long at = s.at(cpu, r, start);
        cpu.mmu.store64(at, Alu.sub(cpu, cpu.mmu.loadForWrite(at, 8), r[s.y], 0));
    }

    static void subMi(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        long at = s.at(cpu, r, start);
        cpu.mmu.store64(at, Alu.sub(cpu, cpu.mmu.loadForWrite(at, 8), s.immediate, 0));
    }

    static void andRr(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = Alu.logic(cpu, r[s.x] & r[s.y], 0);
    }

    static void andRi(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = Alu.logic(cpu, r[s.x] & s.immediate, 0);
    }

    static void andRm(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        r[s.x] = Alu.logic(cpu, r[s.x] & cpu.mmu.load64(s.at(cpu, r, start)), 0);
    }

    static void andMr(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        long at = s.at(cpu, r, start);
        cpu.mmu.store64(at, Alu.logic(cpu, cpu.mmu.loadForWrite(at, 8) & r[s.y], 0));
    }

    static void andMi(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        long at = s.at(cpu, r, start);
        cpu.mmu.store64(at, Alu.logic(cpu, cpu.mmu.loadForWrite(at, 8) & s.immediate, 0));
    }

    static void xorRr(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = Alu.logic(cpu, r[s.x] ^ r[s.y], 0);
    }

    static void xorRi(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = Alu.logic(cpu, r[s.x] ^ s.immediate, 0);
    }

    static void xorRm(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        r[s.x] = Alu.logic(cpu, r[s.x] ^ cpu.mmu.load64(s.at(cpu, r, start)), 0);
    }

    static void xorMr(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        long at = s.at(cpu, r, start);
        cpu.mmu.store64(at, Alu.logic(cpu, cpu.mmu.loadForWrite(at, 8) ^ r[s.y], 0));
    }

    static void xorMi(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        long at = s.at(cpu, r, start);
        cpu.mmu.store64(at, Alu.logic(cpu, cpu.mmu.loadForWrite(at, 8) ^ s.immediate, 0));
    }

    static void orRr(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = Alu.logic(cpu, r[s.x] | r[s.y], 0);
    }

    static void orRi(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = Alu.logic(cpu, r[s.x] | s.immediate, 0);
    }

    static void orRm(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        r[s.x] = Alu.logic(cpu, r[s.x] | cpu.mmu.load64(s.at(cpu, r, start)), 0);
    }

    static void orMr(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        long at = s.at(cpu, r, start);
        cpu.mmu.store64(at, Alu.logic(cpu, cpu.mmu.loadForWrite(at, 8) | r[s.y], 0));
    }

    static void orMi(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        long at = s.at(cpu, r, start);
        cpu.mmu.store64(at, Alu.logic(cpu, cpu.mmu.loadForWrite(at, 8) | s.immediate, 0));
    }

    static void adcRr(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = Alu.adc(cpu, r[s.x], r[s.y], 0);
    }

    static void adcRi(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = Alu.adc(cpu, r[s.x], s.immediate, 0);
    }

    static void adcRm(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        r[s.x] = Alu.adc(cpu, r[s.x], cpu.mmu.load64(s.at(cpu, r, start)), 0);
    }

    static void adcMr(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        long at = s.at(cpu, r, start);
        cpu.mmu.store64(at, Alu.adc(cpu, cpu.mmu.loadForWrite(at, 8), r[s.y], 0));
    }

    static void adcMi(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        long at = s.at(cpu, r, start);
        cpu.mmu.store64(at, Alu.adc(cpu, cpu.mmu.loadForWrite(at, 8), s.immediate, 0));
    }

    static void sbbRr(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = Alu.sbb(cpu, r[s.x], r[s.y], 0);
    }

    static void sbbRi(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = Alu.sbb(cpu, r[s.x], s.immediate, 0);
    }

    static void sbbRm(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        r[s.x] = Alu.sbb(cpu, r[s.x], cpu.mmu.load64(s.at(cpu, r, start)), 0);
    }

    static void sbbMr(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        long at = s.at(cpu, r, start);
        cpu.mmu.store64(at, Alu.sbb(cpu, cpu.mmu.loadForWrite(at, 8), r[s.y], 0));
    }

    static void sbbMi(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        long at = s.at(cpu, r, start);
        cpu.mmu.store64(at, Alu.sbb(cpu, cpu.mmu.loadForWrite(at, 8), s.immediate, 0));
    }
}
