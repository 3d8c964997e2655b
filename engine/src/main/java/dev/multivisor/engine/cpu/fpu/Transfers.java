package dev.multivisor.engine.cpu.fpu;

import dev.multivisor.engine.cpu.Cpu;
import dev.multivisor.engine.cpu.Operands;
import dev.multivisor.engine.isa.Form;
import dev.multivisor.engine.isa.Instruction;
import dev.multivisor.engine.isa.InstructionTable;
import dev.multivisor.engine.isa.Op;
import dev.multivisor.engine.isa.Operand.Kind;

/** Loads, stores, exchanges, conditional moves and constants. */
final class Transfers {
    /** FSTP by D9 /3, which knows no stack underflow. */
    private static final String QUIET_POP = "D9 /3 reg";

    /** Conditions of FCMOVcc by form, as in the encoding of Jcc. */
    private static final byte[] CONDITIONS =
            new byte[InstructionTable.STANDARD.forms().size()];

    static {
        int[] positive = {2, 4, 6, 10};
        for (Form form : InstructionTable.STANDARD.forms()) {
            if (form.op() == Op.FCMOVCC) {
                String encoding = form.encoding();
                int digit = encoding.charAt(encoding.indexOf('/') + 1) - '0';
                CONDITIONS[form.index()] = (byte) (positive[digit] | (encoding.startsWith("DB") ? 1 : 0));
            }
        }
    }

    private Transfers() {}

    static void fld(Cpu cpu, Instruction i) {
        Extended x = cpu.x87;
        x.start(cpu.fpuControl);
        if (i.a.kind() == Kind.ST) {
            Registers.begin(cpu, i);
            int source = Registers.physical(cpu, i.a.register());
            if (Registers.empty(cpu, source)) {
                if (Registers.underflow(cpu, x)) {
                    Registers.push(cpu, x);
                }
            } else if (!Registers.pushOverflows(cpu, x)) {
                x.set(cpu.stSignificand[source], cpu.stExponent[source]);
                Registers.push(cpu, x);
            }
        } else if (i.a.size() == 10) {
            long offset = Operands.offset(cpu, i);
            long at = Operands.linear(cpu, i.segment, offset, 10, false);
            long sig = cpu.mmu.load64(at);
            int exp = (int) cpu.mmu.load16(at + 8);
            Registers.dataPointer(cpu, i, offset);
            Registers.begin(cpu, i);
            if (!Registers.pushOverflows(cpu, x)) {
                x.set(sig, exp);
                Registers.push(cpu, x);
            }
        } else {
            Operations.load(cpu, i, i.a, false, x);
            Registers.begin(cpu, i);
            if (Registers.pushOverflows(cpu, x)) {
                return;
            }
            if (!x.nanOperand(x.significand, x.exponent)) {
                x.denormal(x.significand, x.exponent);
            }
            // An unmasked DE does not prevent the load, as it has lost nothing.
            if (Registers.raise(cpu, x.exceptions) || (x.exceptions & Extended.IE) == 0) {
                Registers.push(cpu, x);
            }
        }
    }

    static void fild(Cpu cpu, Instruction i) {
        Extended x = cpu.x87;
        x.start(cpu.fpuControl);
        Operations.load(cpu, i, i.a, true, x);
        Registers.begin(cpu, i);
        if (!Registers.pushOverflows(cpu, x)) {
            Registers.push(cpu, x);
        }
    }

    static void fbld(Cpu cpu, Instruction i) {
        Extended x = cpu.x87;
        x.start(cpu.fpuControl);
        long offset = Operands.offset(cpu, i);
        long at = Operands.linear(cpu, i.segment, offset, 10, false);
        long digits = cpu.mmu.load64(at);
        int top = (int) cpu.mmu.load16(at + 8);
        Registers.dataPointer(cpu, i, offset);
        Registers.begin(cpu, i);
        if (!Registers.pushOverflows(cpu, x)) {
            Conversions.fromBcd(x, digits, top);
            Registers.push(cpu, x);
        }
    }

    static void constant(Cpu cpu, Instruction i) {
        Extended x = cpu.x87;
        x.start(cpu.fpuControl);
        Registers.begin(cpu, i);
        if (Registers.pushOverflows(cpu, x)) {
            return;
        }
        int mode = x.rounding();
        int below = mode == Extended.DOWN || mode == Extended.CHOP ? 1 : 0;
        switch (i.op) {
            case FLD1 -> x.setOne(0);
            case FLDZ -> x.setZero(0);
            // The next bits of log2(10) are below a half, those of the others above.
            case FLDL2T -> x.set(0xd49a784bcd1b8afeL + (mode == Extended.UP ? 1 : 0), 0x4000);
            case FLDL2E -> x.set(0xb8aa3b295c17f0bcL - below, 0x3fff);
            case FLDPI -> x.set(0xc90fdaa22168c235L - below, 0x4000);
            case FLDLG2 -> x.set(0x9a209a84fbcff799L - below, 0x3ffd);
            default -> x.set(0xb17217f7d1cf79acL - below, 0x3ffe);
        }
        Registers.push(cpu, x);
    }

    /** FST and FSTP. */
    static void fst(Cpu cpu, Instruction i, int pops) {
        Extended x = cpu.x87;
        x.start(cpu.fpuControl);
        int top = Registers.physical(cpu, 0);
        boolean empty = Registers.empty(cpu, top);
        if (i.a.kind() == Kind.ST) {
            Registers.begin(cpu, i);
            int target = Registers.physical(cpu, i.a.register());
            boolean quiet = empty && i.form.encoding().equals(QUIET_POP);
            if (empty && !quiet) {
                if (!Registers.underflow(cpu, x)) {
                    return;
                }
                Registers.write(cpu, target, x);
            } else if (!empty) {
                Registers.write(cpu, target, cpu.stSignificand[top], cpu.stExponent[top]);
            }
            Registers.pop(cpu, pops);
            return;
        }
        long sig = cpu.stSignificand[top];
        int exp = cpu.stExponent[top];
        if (empty) {
            x.setIndefinite();
            sig = x.significand;
            exp = x.exponent;
        }
        if (i.a.size() == 10) {
            store(cpu, i, x, sig, exp, empty, pops);
        } else {
            long value = Conversions.toFloat(x, sig, exp, i.a.size());
            store(cpu, i, x, value, 0, empty, pops);
        }
    }

    /** FIST, FISTP and FISTTP. */
    static void fist(Cpu cpu, Instruction i, boolean truncate, int pops) {
        Extended x = cpu.x87;
        x.start(cpu.fpuControl);
        int top = Registers.physical(cpu, 0);
        boolean empty = Registers.empty(cpu, top);
        long value = empty
                ? 1L << i.a.size() * 8 - 1
                : Conversions.toInteger(x, cpu.stSignificand[top], cpu.stExponent[top], i.a.size(), truncate);
        store(cpu, i, x, value, 0, empty, pops);
    }

    static void fbstp(Cpu cpu, Instruction i) {
        Extended x = cpu.x87;
        x.start(cpu.fpuControl);
        int top = Registers.physical(cpu, 0);
        boolean empty = Registers.empty(cpu, top);
        long digits = Conversions.toBcd(x, cpu.stSignificand[top], empty ? Extended.EXPONENT : cpu.stExponent[top]);
        store(cpu, i, x, digits, (int) x.low, empty, 1);
    }

    /** Stores unless an unmasked exception forbids it, then changes the state. */
    private static void store(Cpu cpu, Instruction i, Extended x, long value, int top, boolean empty, int pops) {
        int exceptions = empty ? Extended.IE | Extended.SF : x.exceptions;
        int preventing = Extended.IE | Extended.OE | Extended.UE;
        boolean stored = (exceptions & ~cpu.fpuControl & preventing) == 0;
        long offset = Operands.offset(cpu, i);
        int size = i.a.size();
        long at = Operands.linear(cpu, i.segment, offset, size, true);
        if (size == 10) {
            cpu.mmu.checkWrite(at, 10);
            if (stored) {
                cpu.mmu.store64(at, value);
                cpu.mmu.store16(at + 8, top);
            }
        } else if (stored) {
            cpu.mmu.store(at, size, value);
        } else {
            cpu.mmu.checkWrite(at, size);
        }
        Registers.dataPointer(cpu, i, offset);
        Registers.begin(cpu, i);
        Registers.raise(cpu, exceptions);
        if (stored) {
            if (!empty) {
                Registers.rounded(cpu, x);
            }
            Registers.pop(cpu, pops);
        }
    }

    static void fxch(Cpu cpu, Instruction i) {
        Extended x = cpu.x87;
        x.start(cpu.fpuControl);
        Registers.begin(cpu, i);
        int a = Registers.physical(cpu, 0);
        int b = Registers.physical(cpu, i.b.kind() == Kind.ST ? i.b.register() : i.a.register());
        boolean aEmpty = Registers.empty(cpu, a);
        boolean bEmpty = Registers.empty(cpu, b);
        if (aEmpty || bEmpty) {
            if (!Registers.underflow(cpu, x)) {
                return;
            }
            if (aEmpty) {
                Registers.write(cpu, a, x);
            }
            if (bEmpty) {
                Registers.write(cpu, b, x);
            }
        }
        long sig = cpu.stSignificand[a];
        int exp = cpu.stExponent[a];
        Registers.write(cpu, a, cpu.stSignificand[b], cpu.stExponent[b]);
        Registers.write(cpu, b, sig, exp);
    }

    static void fcmov(Cpu cpu, Instruction i) {
        Extended x = cpu.x87;
        x.start(cpu.fpuControl);
        Registers.begin(cpu, i);
        int target = Registers.physical(cpu, 0);
        int source = Registers.physical(cpu, i.b.register());
        if (Registers.empty(cpu, target) || Registers.empty(cpu, source)) {
            if (Registers.underflow(cpu, x)) {
                Registers.write(cpu, target, x);
            }
        } else if (cpu.condition(CONDITIONS[i.form.index()])) {
            Registers.write(cpu, target, cpu.stSignificand[source], cpu.stExponent[source]);
        }
    }
}
