package dev.multivisor.engine.cpu;

import java.lang.invoke.VarHandle;

/** The frequent forms of byte arithmetic and moves; see {@link Interpreter} for the fences. */
final class Fast8 {
    private static final long LOW = 0xff;

    private Fast8() {}

    static void movRr(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = r[s.x] & ~LOW | r[s.y] & LOW;
    }

    static void movRi(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = r[s.x] & ~LOW | s.immediate & LOW;
    }

    static void movRm(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        long value = cpu.mmu.load8(s.at(cpu, r, start));
        r[s.x] = r[s.x] & ~LOW | value;
    }

    static void movMr(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        cpu.mmu.store8(s.at(cpu, r, start), r[s.y]);
    }

    static void movMi(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        cpu.mmu.store8(s.at(cpu, r, start), s.immediate);
    }

    static void addRr(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = r[s.x] & ~LOW | Alu.add(cpu, r[s.x], r[s.y], 56) & LOW;
    }

    static void addRi(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = r[s.x] & ~LOW | Alu.add(cpu, r[s.x], s.immediate, 56) & LOW;
    }

    static void addRm(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        r[s.x] = r[s.x] & ~LOW | Alu.add(cpu, r[s.x], cpu.mmu.load8(s.at(cpu, r, start)), 56) & LOW;
    }

    static void addMr(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        long at = s.at(cpu, r, start);
        cpu.mmu.store8(at, Alu.add(cpu, cpu.mmu.loadForWrite(at, 1), r[s.y], 56));
    }

    static void addMi(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        long at = s.at(cpu, r, start);
        cpu.mmu.store8(at, Alu.add(cpu, cpu.mmu.loadForWrite(at, 1), s.immediate, 56));
    }

    static void cmpRr(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        Alu.sub(cpu, r[s.x], r[s.y], 56);
    }

    static void cmpRi(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        Alu.sub(cpu, r[s.x], s.immediate, 56);
    }

    static void cmpRm(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        Alu.sub(cpu, r[s.x], cpu.mmu.load8(s.at(cpu, r, start)), 56);
    }

    static void cmpMr(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        Alu.sub(cpu, cpu.mmu.load8(s.at(cpu, r, start)), r[s.y], 56);
    }

    static void cmpMi(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        Alu.sub(cpu, cpu.mmu.load8(s.at(cpu, r, start)), s.immediate, 56);
    }

    static void testRr(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        Alu.logic(cpu, r[s.x] & r[s.y], 56);
    }

    static void testRi(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        Alu.logic(cpu, r[s.x] & s.immediate, 56);
    }

    static void testMr(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        Alu.logic(cpu, cpu.mmu.load8(s.at(cpu, r, start)) & r[s.y], 56);
    }

    static void testMi(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        Alu.logic(cpu, cpu.mmu.load8(s.at(cpu, r, start)) & s.immediate, 56);
    }

    static void subRr(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = r[s.x] & ~LOW | Alu.sub(cpu, r[s.x], r[s.y], 56) & LOW;
    }

    static void subRi(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = r[s.x] & ~LOW | Alu.sub(cpu, r[s.x], s.immediate, 56) & LOW;
    }

    static void subRm(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        r[s.x] = r[s.x] & ~LOW | Alu.sub(cpu, r[s.x], cpu.mmu.load8(s.at(cpu, r, start)), 56) & LOW;
    }

    static void subMr(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        long at = s.at(cpu, r, start);
        cpu.mmu.store8(at, Alu.sub(cpu, cpu.mmu.loadForWrite(at, 1), r[s.y], 56));
    }

    static void subMi(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        long at = s.at(cpu, r, start);
        cpu.mmu.store8(at, Alu.sub(cpu, cpu.mmu.loadForWrite(at, 1), s.immediate, 56));
    }

    static void andRr(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = r[s.x] & ~LOW | Alu.logic(cpu, r[s.x] & r[s.y], 56) & LOW;
    }

    static void andRi(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = r[s.x] & ~LOW | Alu.logic(cpu, r[s.x] & s.immediate, 56) & LOW;
    }

    static void andRm(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        r[s.x] = r[s.x] & ~LOW | Alu.logic(cpu, r[s.x] & cpu.mmu.load8(s.at(cpu, r, start)), 56) & LOW;
    }

    static void andMr(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        long at = s.at(cpu, r, start);
        cpu.mmu.store8(at, Alu.logic(cpu, cpu.mmu.loadForWrite(at, 1) & r[s.y], 56));
    }

    static void andMi(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        long at = s.at(cpu, r, start);
        cpu.mmu.store8(at, Alu.logic(cpu, cpu.mmu.loadForWrite(at, 1) & s.immediate, 56));
    }

    static void xorRr(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = r[s.x] & ~LOW | Alu.logic(cpu, r[s.x] ^ r[s.y], 56) & LOW;
    }

    static void xorRi(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = r[s.x] & ~LOW | Alu.logic(cpu, r[s.x] ^ s.immediate, 56) & LOW;
    }

    static void xorRm(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        r[s.x] = r[s.x] & ~LOW | Alu.logic(cpu, r[s.x] ^ cpu.mmu.load8(s.at(cpu, r, start)), 56) & LOW;
    }

    static void xorMr(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        long at = s.at(cpu, r, start);
        cpu.mmu.store8(at, Alu.logic(cpu, cpu.mmu.loadForWrite(at, 1) ^ r[s.y], 56));
    }

    static void xorMi(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        long at = s.at(cpu, r, start);
        cpu.mmu.store8(at, Alu.logic(cpu, cpu.mmu.loadForWrite(at, 1) ^ s.immediate, 56));
    }

    static void orRr(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = r[s.x] & ~LOW | Alu.logic(cpu, r[s.x] | r[s.y], 56) & LOW;
    }

    static void orRi(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = r[s.x] & ~LOW | Alu.logic(cpu, r[s.x] | s.immediate, 56) & LOW;
    }

    static void orRm(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        r[s.x] = r[s.x] & ~LOW | Alu.logic(cpu, r[s.x] | cpu.mmu.load8(s.at(cpu, r, start)), 56) & LOW;
    }

    static void orMr(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        long at = s.at(cpu, r, start);
        cpu.mmu.store8(at, Alu.logic(cpu, cpu.mmu.loadForWrite(at, 1) | r[s.y], 56));
    }

    static void orMi(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        long at = s.at(cpu, r, start);
        cpu.mmu.store8(at, Alu.logic(cpu, cpu.mmu.loadForWrite(at, 1) | s.immediate, 56));
    }

    static void adcRr(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = r[s.x] & ~LOW | Alu.adc(cpu, r[s.x], r[s.y], 56) & LOW;
    }

    static void adcRi(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = r[s.x] & ~LOW | Alu.adc(cpu, r[s.x], s.immediate, 56) & LOW;
    }

    static void adcRm(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        r[s.x] = r[s.x] & ~LOW | Alu.adc(cpu, r[s.x], cpu.mmu.load8(s.at(cpu, r, start)), 56) & LOW;
    }

    static void adcMr(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        long at = s.at(cpu, r, start);
        cpu.mmu.store8(at, Alu.adc(cpu, cpu.mmu.loadForWrite(at, 1), r[s.y], 56));
    }

    static void adcMi(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        long at = s.at(cpu, r, start);
        cpu.mmu.store8(at, Alu.adc(cpu, cpu.mmu.loadForWrite(at, 1), s.immediate, 56));
    }

    static void sbbRr(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = r[s.x] & ~LOW | Alu.sbb(cpu, r[s.x], r[s.y], 56) & LOW;
    }

    static void sbbRi(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = r[s.x] & ~LOW | Alu.sbb(cpu, r[s.x], s.immediate, 56) & LOW;
    }

    static void sbbRm(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        r[s.x] = r[s.x] & ~LOW | Alu.sbb(cpu, r[s.x], cpu.mmu.load8(s.at(cpu, r, start)), 56) & LOW;
    }

    static void sbbMr(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        long at = s.at(cpu, r, start);
        cpu.mmu.store8(at, Alu.sbb(cpu, cpu.mmu.loadForWrite(at, 1), r[s.y], 56));
    }

    static void sbbMi(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        long at = s.at(cpu, r, start);
        cpu.mmu.store8(at, Alu.sbb(cpu, cpu.mmu.loadForWrite(at, 1), s.immediate, 56));
    }
}
