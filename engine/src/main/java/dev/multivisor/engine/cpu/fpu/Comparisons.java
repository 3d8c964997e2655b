package dev.multivisor.engine.cpu.fpu;

import static dev.multivisor.engine.cpu.fpu.Extended.EXPONENT;
import static dev.multivisor.engine.cpu.fpu.Extended.IE;
import static dev.multivisor.engine.cpu.fpu.Extended.QUIET_BIT;
import static dev.multivisor.engine.cpu.fpu.Extended.SIGN;
import static dev.multivisor.engine.cpu.fpu.Registers.C0;
import static dev.multivisor.engine.cpu.fpu.Registers.C1;
import static dev.multivisor.engine.cpu.fpu.Registers.C2;
import static dev.multivisor.engine.cpu.fpu.Registers.C3;

import dev.multivisor.engine.cpu.Cpu;
import dev.multivisor.engine.isa.Instruction;
import dev.multivisor.engine.isa.Operand.Kind;

/** FCOM, FUCOM, FICOM, FTST, FCOMI and FXAM. */
final class Comparisons {
    /** Outcomes as condition codes: ST(0) is larger, smaller, equal, not comparable. */
    private static final int GREATER = 0, LESS = C0, EQUAL = C3, UNORDERED = C0 | C2 | C3;

    private Comparisons() {}

    /** FCOM, FICOM and FUCOM with their popping forms: sets the condition codes. */
    static void compare(Cpu cpu, Instruction i, boolean integer, boolean quiet, int pops) {
        Extended x = cpu.x87;
        x.start(cpu.fpuControl);
        int top = Registers.physical(cpu, 0);
        boolean missing = Registers.empty(cpu, top);
        if (i.b.kind() == Kind.MEMORY) {
            Operations.load(cpu, i, i.b, integer, x);
        } else {
            // FCOMPP and FUCOMPP have no operands.
            int source = Registers.physical(cpu, i.b.kind() == Kind.ST ? i.b.register() : 1);
            missing |= Registers.empty(cpu, source);
            x.set(cpu.stSignificand[source], cpu.stExponent[source]);
        }
        Registers.begin(cpu, i);
        conclude(cpu, x, missing, quiet, pops);
    }

    static void ftst(Cpu cpu, Instruction i) {
        Extended x = cpu.x87;
        x.start(cpu.fpuControl);
        Registers.begin(cpu, i);
        x.setZero(0);
        conclude(cpu, x, Registers.empty(cpu, Registers.physical(cpu, 0)), false, 0);
    }

    private static void conclude(Cpu cpu, Extended x, boolean missing, boolean quiet, int pops) {
        int outcome = UNORDERED;
        boolean done;
        if (missing) {
            done = Registers.raise(cpu, IE | Extended.SF);
        } else {
            int top = Registers.physical(cpu, 0);
            outcome = order(x, cpu.stSignificand[top], cpu.stExponent[top], x.significand, x.exponent, quiet);
            done = Registers.raise(cpu, x.exceptions);
        }
        cpu.fpuStatus = cpu.fpuStatus & ~(C0 | C2 | C3) | outcome;
        if (done) {
            Registers.pop(cpu, pops);
        }
    }

    /** FCOMI, FCOMIP, FUCOMI and FUCOMIP: sets ZF, PF and CF. */
    static void compareFlags(Cpu cpu, Instruction i, boolean quiet, int pops) {
        Extended x = cpu.x87;
        x.start(cpu.fpuControl);
        Registers.begin(cpu, i);
        int top = Registers.physical(cpu, 0);
        int source = Registers.physical(cpu, i.b.register());
        int outcome = UNORDERED;
        boolean done;
        if (Registers.empty(cpu, top) || Registers.empty(cpu, source)) {
            done = Registers.raise(cpu, IE | Extended.SF);
        } else {
            outcome = order(
                    x,
                    cpu.stSignificand[top],
                    cpu.stExponent[top],
                    cpu.stSignificand[source],
                    cpu.stExponent[source],
                    quiet);
            done = Registers.raise(cpu, x.exceptions);
        }
        cpu.setArithmeticFlags(((outcome & C0) != 0 ? Cpu.CF : 0)
                | ((outcome & C2) != 0 ? Cpu.PF : 0)
                | ((outcome & C3) != 0 ? Cpu.ZF : 0));
        if (done) {
            Registers.pop(cpu, pops);
        }
    }

    private static int order(Extended x, long as, int ae, long bs, int be, boolean quiet) {
        if (Extended.isUnsupported(as, ae) || Extended.isUnsupported(bs, be)) {
            x.exceptions |= IE;
            return UNORDERED;
        }
        boolean a = Extended.isNan(as, ae);
        boolean b = Extended.isNan(bs, be);
        if (a || b) {
            if (!quiet || a && (as & QUIET_BIT) == 0 || b && (bs & QUIET_BIT) == 0) {
                x.exceptions |= IE;
            }
            return UNORDERED;
        }
        x.denormal(as, ae, bs, be);
        if (as == 0 && bs == 0) {
            return EQUAL;
        }
        boolean aNegative = (ae & SIGN) != 0;
        if (as == 0) {
            return (be & SIGN) != 0 ? GREATER : LESS;
        }
        if (bs == 0 || aNegative != ((be & SIGN) != 0)) {
            return aNegative ? LESS : GREATER;
        }
        // A pseudo-denormal has exponent 0 and the value of exponent 1.
        int order = Integer.compare(Math.max(ae & EXPONENT, 1), Math.max(be & EXPONENT, 1));
        order = order == 0 ? Long.compareUnsigned(as, bs) : order;
        return order == 0 ? EQUAL : order > 0 == aNegative ? LESS : GREATER;
    }

    /** What ST(0) is (Intel SDM vol. 2, FXAM). */
    static void fxam(Cpu cpu, Instruction i) {
        Registers.begin(cpu, i);
        int top = Registers.physical(cpu, 0);
        long sig = cpu.stSignificand[top];
        int exp = cpu.stExponent[top];
        int kind;
        if (Registers.empty(cpu, top)) {
            kind = C3 | C0;
        } else if (Extended.isUnsupported(sig, exp)) {
            kind = 0;
        } else if (Extended.isNan(sig, exp)) {
            kind = C0;
        } else if (Extended.isInfinity(sig, exp)) {
            kind = C2 | C0;
        } else if (Extended.isZero(sig, exp)) {
            kind = C3;
        } else {
            kind = Extended.isDenormal(sig, exp) ? C3 | C2 : C2;
        }
        cpu.fpuStatus = cpu.fpuStatus & ~(C0 | C2 | C3) | kind | ((exp & SIGN) != 0 ? C1 : 0);
    }
}
