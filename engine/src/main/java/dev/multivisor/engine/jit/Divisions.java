package dev.multivisor.engine.jit;

import static java.lang.constant.ConstantDescs.CD_long;

import dev.multivisor.engine.cpu.Cpu;
import dev.multivisor.engine.cpu.Quotients;
import dev.multivisor.engine.isa.Instruction;
import dev.multivisor.engine.isa.Op;
import java.lang.classfile.CodeBuilder;
import java.lang.constant.ClassDesc;

/** DIV and IDIV by 4 and 8 bytes, in line. #DE is the interpreter's: compiled code is left before the instruction. */
final class Divisions {
    private static final ClassDesc QUOTIENTS = Code.desc(Quotients.class);

    private final Code code;
    private final CodeBuilder b;
    private final Integers integers;

    Divisions(Code code, Integers integers) {
        this.code = code;
        b = code.b;
        this.integers = integers;
    }

    /** Whether an instruction is emitted here. */
    static boolean emits(Instruction i) {
        return (i.op == Op.DIV || i.op == Op.IDIV) && i.a.size() >= 4;
    }

    /** Emits one for which {@link #emits} holds. */
    void emit(Instruction i, Place place) {
        int size = i.a.size();
        boolean signed = i.op == Op.IDIV;
        integers.read(i, i.a, place);
        b.lload(code.value);
        if (signed) {
            code.signExtend(size);
        } else {
            code.zeroExtend(size);
        }
        b.lstore(code.y);
        code.at(place);
        if (size == 8) {
            b.lload(code.gpr[Cpu.RAX]).lstore(code.x);
            b.lload(code.gpr[Cpu.RDX]).lload(code.x).lload(code.y);
            b.invokestatic(
                    QUOTIENTS, signed ? "signed64" : "unsigned64", Code.type(CD_long, CD_long, CD_long, CD_long));
        } else {
            b.lload(code.gpr[Cpu.RDX]).bipush(32).lshl().lload(code.gpr[Cpu.RAX]);
            code.zeroExtend(4);
            b.lor().lstore(code.x);
            b.lload(code.x).lload(code.y);
            b.invokestatic(QUOTIENTS, signed ? "signed32" : "unsigned32", Code.type(CD_long, CD_long, CD_long));
        }
        b.lstore(code.z);
        b.lload(code.z);
        code.zeroExtend(size).store(code.gpr[Cpu.RAX]);
        b.lload(code.x).lload(code.z).lload(code.y).lmul().lsub();
        code.zeroExtend(size).store(code.gpr[Cpu.RDX]);
    }
}
