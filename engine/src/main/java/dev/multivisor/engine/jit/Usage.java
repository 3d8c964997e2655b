package dev.multivisor.engine.jit;

import dev.multivisor.engine.cpu.Cpu;
import dev.multivisor.engine.isa.Form;
import dev.multivisor.engine.isa.Instruction;
import dev.multivisor.engine.isa.Op;
import dev.multivisor.engine.isa.Operand;
import dev.multivisor.engine.isa.Operand.Kind;
import java.util.List;

/**
 * Which guest registers a region uses: those get locals; and which it may write: those are stored. Registers are bits by
 * number.
 */
final class Usage {
    private static final int ALL = 0xffff;

    private int gprs, dirtyGprs, xmms, dirtyXmms, doubles;

    Usage(List<Instruction> instructions) {
        instructions.forEach(this::add);
    }

    boolean usesGpr(int register) {
        return (gprs >>> register & 1) != 0;
    }

    boolean usesXmm(int register) {
        return (xmms >>> register & 1) != 0;
    }

    /** Whether the lower half is computed with as a number of double precision. */
    boolean isDouble(int register) {
        return (doubles >>> register & 1) != 0;
    }

    int dirtyXmms() {
        return dirtyXmms;
    }

    private void add(Instruction i) {
        address(i);
        operand(i, i.a, true);
        operand(i, i.b, i.op == Op.XCHG || i.op == Op.XADD);
        operand(i, i.c, false);
        implicit(i);
    }

    private void address(Instruction i) {
        if (i.memory() || i.op == Op.LEA || !Integers.emits(i)) {
            gprs |= bit(i.base) | bit(i.index);
        }
    }

    private static int bit(int register) {
        return register < 16 ? 1 << register : 0;
    }

    private void operand(Instruction i, Operand o, boolean written) {
        if (o.kind() == Kind.GPR || o.kind() == Kind.HIGH) {
            gprs |= bit(o.register());
            dirtyGprs |= written ? bit(o.register()) : 0;
        } else if (o.kind() == Kind.XMM && Vectors.emits(i)) {
            xmms |= bit(o.register());
            dirtyXmms |= written ? bit(o.register()) : 0;
            doubles |= Vectors.computesDoubles(i) ? bit(o.register()) : 0;
        }
    }

    private void implicit(Instruction i) {
        int written = switch (i.op) {
            case PUSH, CALL, RET, POP -> 1 << Cpu.RSP;
            case LEAVE -> 1 << Cpu.RSP | 1 << Cpu.RBP;
            case MUL, IMUL, DIV, IDIV, CWD -> i.b.kind() == Kind.NONE ? 1 << Cpu.RAX | 1 << Cpu.RDX : 0;
            case CBW, CMPXCHG -> 1 << Cpu.RAX;
            default -> 0;
        };
        gprs |= written;
        dirtyGprs |= written;
    }

    /** General registers, given as bits, that an instruction may write that is emitted in line. */
    static int writtenGprs(Instruction i) {
        return Integers.emits(i) || Vectors.emits(i) ? new Usage(List.of(i)).dirtyGprs : 0;
    }

    /** Whether an instruction pushes or pops. */
    static boolean usesStack(Instruction i) {
        return switch (i.op) {
            case PUSH, POP, CALL, RET, LEAVE -> true;
            default -> false;
        };
    }

    /** General registers, given as bits, that an instruction's handler may read or write. */
    static int touchedGprs(Instruction i) {
        if (!i.form.has(Form.Attribute.SSE) && !i.form.has(Form.Attribute.MMX) && !i.form.has(Form.Attribute.X87)) {
            return ALL;
        }
        int touched = 1 << Cpu.RAX | 1 << Cpu.RCX | 1 << Cpu.RDX | 1 << Cpu.RDI | bit(i.base) | bit(i.index);
        for (Operand o : List.of(i.a, i.b, i.c)) {
            touched |= o.kind() == Kind.GPR ? bit(o.register()) : 0;
        }
        return touched;
    }

    /** XMM registers, given as bits, that an instruction's handler may read or write. */
    static int touchedXmms(Instruction i) {
        if (i.op == Op.FXSAVE || i.op == Op.FXRSTOR) {
            return ALL;
        }
        int touched = 0;
        for (Operand o : List.of(i.a, i.b, i.c)) {
            touched |= o.kind() == Kind.XMM ? bit(o.register()) : 0;
        }
        // Some take XMM0 without naming it.
        return i.form.has(Form.Attribute.SSE) ? touched | 1 : touched;
    }
}
