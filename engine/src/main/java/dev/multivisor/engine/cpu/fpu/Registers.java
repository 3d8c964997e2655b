package dev.multivisor.engine.cpu.fpu;

import dev.multivisor.engine.cpu.Cpu;
import dev.multivisor.engine.isa.Instruction;

/** The register stack, the status word and the pointers to the last instruction (Intel SDM vol. 1, 8.1). */
final class Registers {
    /** Status word: condition codes, TOP, and the summary of unmasked exceptions with its copy. */
    static final int C0 = 1 << 8, C1 = 1 << 9, C2 = 1 << 10, C3 = 1 << 14, TOP = 7 << 11, ES = 1 << 7, B = 1 << 15;

    private static final int TOP_SHIFT = 11;

    /** Exceptions that are found before a result is computed. */
    private static final int BEFORE = Extended.IE | Extended.DE | Extended.ZE;

    private Registers() {}

    /** The physical register of ST(n). */
    static int physical(Cpu cpu, int n) {
        return (cpu.fpuStatus >> TOP_SHIFT) + n & 7;
    }

    static void setTop(Cpu cpu, int top) {
        cpu.fpuStatus = cpu.fpuStatus & ~TOP | (top & 7) << TOP_SHIFT;
    }

    static boolean empty(Cpu cpu, int physical) {
        return (cpu.fpuTags >> physical & 1) == 0;
    }

    /** What all instructions but the control instructions begin with: pointers to them, C1 cleared. */
    static void begin(Cpu cpu, Instruction i) {
        cpu.fpuStatus &= ~C1;
        cpu.fpuIp = cpu.r[Cpu.RIP];
        cpu.fpuCs = cpu.selector[Cpu.CS];
    }

    /** Notes where the last memory operand was. */
    static void dataPointer(Cpu cpu, Instruction i, long offset) {
        cpu.fpuDp = offset;
        cpu.fpuDs = cpu.selector[i.segment == Cpu.FLAT ? Cpu.DS : i.segment];
    }

    /**
     * Notes the opcode of an instruction that raised an unmasked exception; others leave it, as on recent CPUs (Intel
     * SDM vol. 1, 8.1.9.1). It is read from memory again, which spares decoded instructions from carrying it.
     */
    static void opcode(Cpu cpu, Instruction i) {
        switch (i.op) {
            case FLDCW, FLDENV, FRSTOR -> {}
            default -> {
                int previous = 0;
                for (int n = 0; n < i.length; n++) {
                    int next = codeByte(cpu, n);
                    if (previous >>> 3 == 0xd8 >>> 3) {
                        cpu.fpuOpcode = (previous & 7) << 8 | next;
                        return;
                    }
                    previous = next;
                }
            }
        }
    }

    private static int codeByte(Cpu cpu, int at) {
        long offset = cpu.r[Cpu.RIP] + at;
        long linear = cpu.codeSize == 64 ? offset : offset + cpu.segmentBase[Cpu.CS] & 0xffffffffL;
        return (int) cpu.mmu.memory().load(cpu.number, cpu.mmu.fetch(linear), 1) & 0xff;
    }

    /** Writes a register, which is in use then. */
    static void write(Cpu cpu, int physical, long sig, int exp) {
        cpu.stSignificand[physical] = sig;
        cpu.stExponent[physical] = exp;
        cpu.fpuTags |= 1 << physical;
    }

    static void write(Cpu cpu, int physical, Extended x) {
        write(cpu, physical, x.significand, x.exponent);
    }

    static void pop(Cpu cpu) {
        int top = cpu.fpuStatus >> TOP_SHIFT & 7;
        cpu.fpuTags &= ~(1 << top);
        setTop(cpu, top + 1);
    }

    static void pop(Cpu cpu, int count) {
        for (int n = 0; n < count; n++) {
            pop(cpu);
        }
    }

    /** Pushes the result; {@link #pushOverflows} has been asked before. */
    static void push(Cpu cpu, Extended x) {
        int top = physical(cpu, 7);
        setTop(cpu, top);
        write(cpu, top, x);
    }

    /** Whether a push would overwrite a register in use: raises the exception, with the masked response. */
    static boolean pushOverflows(Cpu cpu, Extended x) {
        if (empty(cpu, physical(cpu, 7))) {
            return false;
        }
        cpu.fpuStatus |= C1;
        if (raise(cpu, Extended.IE | Extended.SF)) {
            x.setIndefinite();
            push(cpu, x);
        }
        return true;
    }

    /** Stack underflow: raises the exception. With the masked response the destination is to become the default NaN. */
    static boolean underflow(Cpu cpu, Extended x) {
        cpu.fpuStatus &= ~C1;
        x.setIndefinite();
        return raise(cpu, Extended.IE | Extended.SF);
    }

    /**
     * Sets exceptions in the status word; an unmasked one also sets ES and B, and the next waiting instruction gets
     * #MF, whatever CR0.NE says: the machine has no FERR# that would raise IRQ 13.
     *
     * @return whether the instruction has a result: false with an unmasked IE, DE or ZE
     */
    static boolean raise(Cpu cpu, int exceptions) {
        if (exceptions == 0) {
            return true;
        }
        int unmasked = exceptions & ~cpu.fpuControl & 0x3f;
        boolean early = (unmasked & BEFORE) != 0;
        // Those that are met before computing prevent those that come of the result.
        cpu.fpuStatus |= early ? exceptions & (BEFORE | Extended.SF) : exceptions;
        if (unmasked != 0) {
            cpu.fpuStatus |= ES | B;
        }
        return !early;
    }

    /** Sets C1 after a rounding. */
    static void rounded(Cpu cpu, Extended x) {
        if (x.roundedUp) {
            cpu.fpuStatus |= C1;
        }
    }

    /** Recomputes ES and B after the control or the status word was loaded. */
    static void summarize(Cpu cpu) {
        cpu.fpuStatus &= ~(ES | B);
        if ((cpu.fpuStatus & ~cpu.fpuControl & 0x3f) != 0) {
            cpu.fpuStatus |= ES | B;
        }
    }
}
