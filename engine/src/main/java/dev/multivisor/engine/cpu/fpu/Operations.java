package dev.multivisor.engine.cpu.fpu;

import dev.multivisor.engine.cpu.Cpu;
import dev.multivisor.engine.cpu.Operands;
import dev.multivisor.engine.isa.Instruction;
import dev.multivisor.engine.isa.Operand;
import dev.multivisor.engine.isa.Operand.Kind;

/** Instructions that compute with one or two numbers and put the result into a register. */
final class Operations {
    static final int ADD = 0, MUL = 1, SUB = 2, SUBR = 3, DIV = 4, DIVR = 5;

    private Operations() {}

    /** Loads a memory operand into the scratch number and notes where it was. */
    static void load(Cpu cpu, Instruction i, Operand o, boolean integer, Extended x) {
        long offset = Operands.offset(cpu, i);
        long value = cpu.mmu.load(Operands.linear(cpu, i.segment, offset, o.size(), false), o.size());
        Registers.dataPointer(cpu, i, offset);
        if (integer) {
            Conversions.fromInteger(x, Operands.signExtend(value, o.size()));
        } else {
            Conversions.fromFloat(x, value, o.size());
        }
    }

    /** FADD and its relatives, also with an integer, also popping. */
    static void arithmetic(Cpu cpu, Instruction i, int operation, boolean integer, int pops) {
        Extended x = cpu.x87;
        x.start(cpu.fpuControl);
        int target = Registers.physical(cpu, i.a.register());
        boolean missing = Registers.empty(cpu, target);
        long bs;
        int be;
        if (i.b.kind() == Kind.MEMORY) {
            load(cpu, i, i.b, integer, x);
            bs = x.significand;
            be = x.exponent;
        } else {
            int source = Registers.physical(cpu, i.b.register());
            missing |= Registers.empty(cpu, source);
            bs = cpu.stSignificand[source];
            be = cpu.stExponent[source];
        }
        Registers.begin(cpu, i);
        if (missing) {
            if (Registers.underflow(cpu, x)) {
                Registers.write(cpu, target, x);
                Registers.pop(cpu, pops);
            }
            return;
        }
        long as = cpu.stSignificand[target];
        int ae = cpu.stExponent[target];
        switch (operation) {
            case ADD -> Arithmetic.add(x, as, ae, bs, be, 0);
            case SUB -> Arithmetic.add(x, as, ae, bs, be, Extended.SIGN);
            case SUBR -> Arithmetic.add(x, bs, be, as, ae, Extended.SIGN);
            case MUL -> Arithmetic.multiply(x, as, ae, bs, be);
            case DIV -> Arithmetic.divide(x, as, ae, bs, be);
            default -> Arithmetic.divide(x, bs, be, as, ae);
        }
        finish(cpu, x, target, pops);
    }

    /** Raises what was met, and with a result writes it and pops. */
    static boolean finish(Cpu cpu, Extended x, int target, int pops) {
        if (!Registers.raise(cpu, x.exceptions)) {
            return false;
        }
        Registers.rounded(cpu, x);
        Registers.write(cpu, target, x);
        Registers.pop(cpu, pops);
        return true;
    }

    /** Begins an operation on ST(0). Returns false, with all done, if that is empty. */
    static boolean unary(Cpu cpu, Instruction i, Extended x) {
        x.start(cpu.fpuControl);
        Registers.begin(cpu, i);
        int top = Registers.physical(cpu, 0);
        if (!Registers.empty(cpu, top)) {
            return true;
        }
        if (Registers.underflow(cpu, x)) {
            Registers.write(cpu, top, x);
        }
        return false;
    }

    /** Begins an operation on ST(0) and ST(1), with a result in ST(0) or, after a pop, ST(1). */
    static boolean binary(Cpu cpu, Instruction i, Extended x, int pops) {
        x.start(cpu.fpuControl);
        Registers.begin(cpu, i);
        if (!Registers.empty(cpu, Registers.physical(cpu, 0)) && !Registers.empty(cpu, Registers.physical(cpu, 1))) {
            return true;
        }
        if (Registers.underflow(cpu, x)) {
            Registers.write(cpu, Registers.physical(cpu, pops), x);
            Registers.pop(cpu, pops);
        }
        return false;
    }

    static void fsqrt(Cpu cpu, Instruction i) {
        Extended x = cpu.x87;
        if (unary(cpu, i, x)) {
            int top = Registers.physical(cpu, 0);
            Arithmetic.squareRoot(x, cpu.stSignificand[top], cpu.stExponent[top]);
            finish(cpu, x, top, 0);
        }
    }

    static void frndint(Cpu cpu, Instruction i) {
        Extended x = cpu.x87;
        if (unary(cpu, i, x)) {
            int top = Registers.physical(cpu, 0);
            Conversions.roundToInteger(x, cpu.stSignificand[top], cpu.stExponent[top]);
            finish(cpu, x, top, 0);
        }
    }

    /** FCHS and FABS: the sign of anything, NaNs too. */
    static void sign(Cpu cpu, Instruction i, boolean absolute) {
        Extended x = cpu.x87;
        if (unary(cpu, i, x)) {
            int top = Registers.physical(cpu, 0);
            int exp = cpu.stExponent[top];
            cpu.stExponent[top] = absolute ? exp & ~Extended.SIGN : exp ^ Extended.SIGN;
        }
    }

    static void fscale(Cpu cpu, Instruction i) {
        Extended x = cpu.x87;
        if (binary(cpu, i, x, 0)) {
            int top = Registers.physical(cpu, 0);
            int next = Registers.physical(cpu, 1);
            Remainders.scale(
                    x, cpu.stSignificand[top], cpu.stExponent[top], cpu.stSignificand[next], cpu.stExponent[next]);
            finish(cpu, x, top, 0);
        }
    }

    static void fprem(Cpu cpu, Instruction i, boolean nearest) {
        Extended x = cpu.x87;
        boolean ready = binary(cpu, i, x, 0);
        cpu.fpuStatus &= ~Registers.C2;
        if (!ready) {
            return;
        }
        int top = Registers.physical(cpu, 0);
        int next = Registers.physical(cpu, 1);
        int quotient = Remainders.remainder(
                x, cpu.stSignificand[top], cpu.stExponent[top], cpu.stSignificand[next], cpu.stExponent[next], nearest);
        if (finish(cpu, x, top, 0) && !Extended.isNan(x.significand, x.exponent)) {
            cpu.fpuStatus &= ~(Registers.C0 | Registers.C1 | Registers.C2 | Registers.C3);
            cpu.fpuStatus |= quotient < 0
                    ? Registers.C2
                    : ((quotient & 4) != 0 ? Registers.C0 : 0)
                            | ((quotient & 2) != 0 ? Registers.C3 : 0)
                            | ((quotient & 1) != 0 ? Registers.C1 : 0);
        }
    }

    static void fxtract(Cpu cpu, Instruction i) {
        Extended x = cpu.x87;
        x.start(cpu.fpuControl);
        Registers.begin(cpu, i);
        int top = Registers.physical(cpu, 0);
        if (Registers.empty(cpu, top)) {
            if (Registers.underflow(cpu, x)) {
                Registers.write(cpu, top, x);
                Registers.push(cpu, x);
            }
            return;
        }
        if (!Registers.empty(cpu, Registers.physical(cpu, 7))) {
            stackOverflow(cpu, x, top);
            return;
        }
        long sig = cpu.stSignificand[top];
        int exp = cpu.stExponent[top];
        boolean nan = x.nanOperand(sig, exp);
        if (!nan) {
            Remainders.exponentOf(x, sig, exp);
        }
        if (Registers.raise(cpu, x.exceptions)) {
            Registers.write(cpu, top, x);
            if (!nan) {
                Remainders.significandOf(x, sig, exp);
            }
            Registers.push(cpu, x);
        }
    }

    /** Stack overflow of an instruction that replaces ST(0) and pushes: both become the default NaN. */
    static void stackOverflow(Cpu cpu, Extended x, int top) {
        if (Registers.pushOverflows(cpu, x) && (cpu.fpuControl & Extended.IE) != 0) {
            Registers.write(cpu, top, x);
        }
    }
}
