package dev.multivisor.engine.cpu;

import dev.multivisor.engine.isa.Instruction;

/** Decimal adjustments, and the instructions that set single flags (Intel SDM vol. 2). */
final class DecimalInstructions {
    private DecimalInstructions() {}

    static void execute(Cpu cpu, Instruction i) {
        switch (i.op) {
            case CLC -> Alu.setCarry(cpu, 0);
            case STC -> Alu.setCarry(cpu, 1);
            case CMC -> Alu.setCarry(cpu, ~(cpu.flagAux >>> 63));
            case CLD -> cpu.systemFlags &= ~Cpu.DF;
            case STD -> cpu.systemFlags |= Cpu.DF;
            case SALC -> Operands.writeRegister(cpu, Cpu.RAX, 1, cpu.cf() ? 0xff : 0);
            case LAHF -> cpu.r[Cpu.RAX] = cpu.r[Cpu.RAX] & ~0xff00L | (cpu.flags() & 0xff) << 8;
            case SAHF -> cpu.setArithmeticFlags(cpu.r[Cpu.RAX] >>> 8 & 0xff | cpu.flags() & Cpu.OF);
            case DAA -> daa(cpu);
            case DAS -> das(cpu);
            case AAA -> ascii(cpu, 1);
            case AAS -> ascii(cpu, -1);
            case AAM -> aam(cpu, (int) i.immediate & 0xff);
            case AAD -> aad(cpu, (int) i.immediate & 0xff);
            default -> throw cpu.fault(CpuFault.UD);
        }
    }

    private static void daa(Cpu cpu) {
        int old = (int) cpu.r[Cpu.RAX] & 0xff;
        int al = old;
        boolean af = (al & 15) > 9 || cpu.af();
        boolean cf = old > 0x99 || cpu.cf();
        if (af) {
            al += 6;
        }
        if (cf) {
            al += 0x60;
        }
        decimalFlags(cpu, al, af, cf);
    }

    private static void das(Cpu cpu) {
        int old = (int) cpu.r[Cpu.RAX] & 0xff;
        int al = old;
        boolean carry = cpu.cf();
        boolean af = (al & 15) > 9 || cpu.af();
        boolean cf = false;
        if (af) {
            cf = carry || al < 6;
            al -= 6;
        }
        if (old > 0x99 || carry) {
            al -= 0x60;
            cf = true;
        }
        decimalFlags(cpu, al, af, cf);
    }

    private static void decimalFlags(Cpu cpu, int al, boolean af, boolean cf) {
        Operands.writeRegister(cpu, Cpu.RAX, 1, al);
        Alu.logic(cpu, al, 56);
        cpu.flagAux = (cf ? 3L << 62 : 0) | (af ? 8 : 0);
    }

    private static void ascii(Cpu cpu, int sign) {
        int ax = (int) cpu.r[Cpu.RAX] & 0xffff;
        boolean adjust = (ax & 15) > 9 || cpu.af();
        if (adjust) {
            ax += sign * 0x106;
        }
        Operands.writeRegister(cpu, Cpu.RAX, 2, ax & 0xff0f);
        Alu.logic(cpu, ax & 15, 56);
        cpu.flagAux = adjust ? 3L << 62 | 8 : 0;
    }

    private static void aam(Cpu cpu, int base) {
        if (base == 0) {
            throw cpu.fault(CpuFault.DE);
        }
        int al = (int) cpu.r[Cpu.RAX] & 0xff;
        Operands.writeRegister(cpu, Cpu.RAX, 2, al / base << 8 | al % base);
        Alu.logic(cpu, al % base, 56);
    }

    private static void aad(Cpu cpu, int base) {
        int ax = (int) cpu.r[Cpu.RAX];
        int al = (ax & 0xff) + (ax >>> 8 & 0xff) * base & 0xff;
        Operands.writeRegister(cpu, Cpu.RAX, 2, al);
        Alu.logic(cpu, al, 56);
    }
}
