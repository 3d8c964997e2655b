package dev.multivisor.engine.cpu;

import dev.multivisor.engine.isa.Form;
import dev.multivisor.engine.isa.Instruction;
import dev.multivisor.engine.isa.Operand;
import dev.multivisor.engine.isa.Operand.Kind;

/** Chooses the interpreter's switch key of an instruction once, when it is decoded. */
final class Specializer {
    private Specializer() {}

    /** Whether a block ends after it. Those that look at the time end it so that the count of instructions is exact. */
    static boolean ends(Instruction i) {
        return switch (i.op) {
            case IN, OUT, INS, OUTS, RDTSC, RDTSCP, RDMSR, RDRAND, RDSEED -> true;
            default -> setsRip(i);
        };
    }

    /** Whether it is a string instruction that is repeated. */
    static boolean repeats(Instruction i) {
        return i.form.has(Form.Attribute.STRING) && StringInstructions.repeats(i);
    }

    /** Whether it sets RIP itself. */
    static boolean setsRip(Instruction i) {
        return i.form.has(Form.Attribute.ENDS) || repeats(i);
    }

    /** The number of the register operand, or of the first of two. */
    static int x(Instruction i) {
        return i.a.kind() == Kind.MEMORY ? i.b.register() : i.a.register();
    }

    static int code(Instruction i, boolean mode64) {
        int code = i.displacement == (int) i.displacement ? frequent(i, mode64) : Hot.GENERAL;
        if (i.immediate != (int) i.immediate) {
            code = code == Hot.MOV + Hot.RI + Hot.Q ? Hot.MOV_ABSOLUTE : Hot.GENERAL;
        }
        if (code != Hot.GENERAL) {
            return code;
        }
        return repeats(i) ? Hot.REPEATED : setsRip(i) ? Hot.GENERAL_END : ends(i) ? Hot.GENERAL_FALL : Hot.GENERAL;
    }

    private static int frequent(Instruction i, boolean mode64) {
        if (i.has(Instruction.LOCK) || high(i.a) || high(i.b)) {
            return Hot.GENERAL;
        }
        if (i.memory() && !(mode64 && i.addressSize == 8)) {
            return Hot.GENERAL;
        }
        return switch (i.op) {
            case ADD -> arithmetic(i, Hot.ADD);
            case OR -> arithmetic(i, Hot.OR);
            case ADC -> arithmetic(i, Hot.ADC);
            case SBB -> arithmetic(i, Hot.SBB);
            case AND -> arithmetic(i, Hot.AND);
            case SUB -> arithmetic(i, Hot.SUB);
            case XOR -> arithmetic(i, Hot.XOR);
            case CMP -> arithmetic(i, Hot.CMP);
            case TEST -> arithmetic(i, Hot.TEST);
            case MOV -> i.a.size() == 2 ? wordMove(i) : arithmetic(i, Hot.MOV);
            case MOVZX -> i.operandSize == 2 ? Hot.GENERAL : extension(i, Hot.MOVZX_R8);
            case MOVSX ->
                i.operandSize == 2 ? Hot.GENERAL : i.operandSize == 4 ? extension(i, Hot.MOVSX32_R8) : signExtension(i);
            case MOVSXD -> i.operandSize == 8 ? signExtension(i) : Hot.GENERAL;
            case LEA ->
                !mode64 || i.addressSize != 8 || i.operandSize == 2
                        ? Hot.GENERAL
                        : i.operandSize == 8 ? Hot.LEA64 : Hot.LEA32;
            case SHL -> shift(i, Hot.SHL_I, Hot.SHL_CL);
            case SHR -> shift(i, Hot.SHR_I, Hot.SHR_CL);
            case SAR -> shift(i, Hot.SAR_I, Hot.SAR_CL);
            case ROL -> shift(i, Hot.ROL_I, Hot.ROL_CL);
            case ROR -> shift(i, Hot.ROR_I, Hot.ROR_CL);
            case SHLD -> doubleShift(i, Hot.SHLD_I);
            case SHRD -> doubleShift(i, Hot.SHRD_I);
            case INC -> unary(i, Hot.INC, Hot.INC_M);
            case DEC -> unary(i, Hot.DEC, Hot.DEC_M);
            case NEG -> unary(i, Hot.NEG, Hot.GENERAL);
            case NOT -> unary(i, Hot.NOT, Hot.GENERAL);
            case IMUL ->
                i.c.kind() == Kind.IMMEDIATE
                        ? i.b.kind() == Kind.GPR ? sized(Hot.IMUL_RRI, i.a) : Hot.GENERAL
                        : i.b.kind() == Kind.GPR
                                ? sized(Hot.IMUL_RR, i.a)
                                : i.b.kind() == Kind.MEMORY ? sized(Hot.IMUL_RM, i.a) : Hot.GENERAL;
            case MUL -> i.a.size() != 8 ? Hot.GENERAL : i.a.kind() == Kind.GPR ? Hot.MUL64_R : Hot.MUL64_M;
            case CMOVCC -> sized(i.b.kind() == Kind.GPR ? Hot.CMOV_R : Hot.CMOV_M, i.a);
            case SETCC -> i.a.kind() == Kind.GPR ? Hot.SETCC_R : Hot.SETCC_M;
            case BT -> i.a.kind() != Kind.GPR ? Hot.GENERAL : sized(i.b.kind() == Kind.GPR ? Hot.BT_R : Hot.BT_I, i.a);
            case XCHG -> i.a.kind() == Kind.GPR && i.b.kind() == Kind.GPR ? sized(Hot.XCHG, i.a) : Hot.GENERAL;
            case BSWAP -> i.a.size() == 8 ? Hot.BSWAP64 : i.a.size() == 4 ? Hot.BSWAP32 : Hot.GENERAL;
            case CBW -> i.operandSize == 2 ? Hot.GENERAL : Hot.CBW + sizeIndex(i.operandSize);
            case CWD -> i.operandSize == 2 ? Hot.GENERAL : Hot.CWD + sizeIndex(i.operandSize);
            case NOP -> Hot.NOP;
            case PUSH, POP, LEAVE, CALL, JMP, JCC, RET -> mode64 && i.operandSize == 8 ? control(i) : Hot.GENERAL;
            default -> Hot.GENERAL;
        };
    }

    private static boolean high(Operand o) {
        return o.kind() == Kind.HIGH;
    }

    private static int sizeIndex(int size) {
        return size == 1 ? Hot.B : size == 4 ? Hot.D : Hot.Q;
    }

    /** A code for a doubleword or quadword. */
    private static int sized(int code, Operand o) {
        return o.size() < 4 ? Hot.GENERAL : code + sizeIndex(o.size());
    }

    private static int arithmetic(Instruction i, int operation) {
        if (i.a.size() == 2) {
            return Hot.GENERAL;
        }
        int shape;
        if (i.a.kind() == Kind.GPR) {
            shape = i.b.kind() == Kind.GPR ? Hot.RR : i.b.kind() == Kind.IMMEDIATE ? Hot.RI : Hot.RM;
        } else {
            shape = i.b.kind() == Kind.GPR ? Hot.MR : Hot.MI;
        }
        return operation + shape + sizeIndex(i.a.size());
    }

    private static int wordMove(Instruction i) {
        if (i.a.kind() == Kind.MEMORY) {
            return i.b.kind() == Kind.GPR ? Hot.STORE16 : Hot.STORE16_I;
        }
        return i.b.kind() == Kind.MEMORY ? Hot.LOAD16 : Hot.GENERAL;
    }

    private static int extension(Instruction i, int first) {
        return first + (i.b.kind() == Kind.MEMORY ? 2 : 0) + (i.b.size() == 1 ? 0 : 1);
    }

    private static int signExtension(Instruction i) {
        int size = i.b.size() == 1 ? 0 : i.b.size() == 2 ? 1 : 2;
        return Hot.MOVSX64_R8 + (i.b.kind() == Kind.MEMORY ? 3 : 0) + size;
    }

    private static int shift(Instruction i, int byImmediate, int byCl) {
        return i.a.kind() != Kind.GPR ? Hot.GENERAL : sized(i.b.kind() == Kind.IMMEDIATE ? byImmediate : byCl, i.a);
    }

    private static int doubleShift(Instruction i, int byImmediate) {
        return i.a.kind() == Kind.GPR && i.c.kind() == Kind.IMMEDIATE ? sized(byImmediate, i.a) : Hot.GENERAL;
    }

    private static int unary(Instruction i, int register, int memory) {
        if (i.a.kind() == Kind.GPR) {
            return sized(register, i.a);
        }
        return memory == Hot.GENERAL ? Hot.GENERAL : sized(memory, i.a);
    }

    private static int control(Instruction i) {
        Kind kind = i.a.kind();
        return switch (i.op) {
            case PUSH ->
                kind == Kind.GPR
                        ? Hot.PUSH_R
                        : kind == Kind.IMMEDIATE ? Hot.PUSH_I : kind == Kind.MEMORY ? Hot.PUSH_M : Hot.GENERAL;
            case POP -> kind == Kind.GPR ? Hot.POP_R : Hot.GENERAL;
            case LEAVE -> Hot.LEAVE;
            case CALL -> kind == Kind.RELATIVE ? Hot.CALL : kind == Kind.GPR ? Hot.CALL_R : Hot.CALL_M;
            case JMP -> kind == Kind.RELATIVE ? Hot.JMP : kind == Kind.GPR ? Hot.JMP_R : Hot.JMP_M;
            case JCC -> Hot.JCC + i.condition;
            default -> kind == Kind.NONE ? Hot.RET : Hot.GENERAL;
        };
    }
}
