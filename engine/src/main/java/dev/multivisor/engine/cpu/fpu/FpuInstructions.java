package dev.multivisor.engine.cpu.fpu;

import dev.multivisor.engine.cpu.Cpu;
import dev.multivisor.engine.cpu.CpuFault;
import dev.multivisor.engine.isa.Instruction;

/** The x87 FPU: finds the handler of an instruction. */
public final class FpuInstructions {
    private FpuInstructions() {}

    /** Executes an x87 instruction. CR0 has been checked, and for a waiting one that no exception is pending. */
    public static void execute(Cpu cpu, Instruction i) {
        int before = cpu.fpuStatus;
        operate(cpu, i);
        if ((cpu.fpuStatus & ~before & Registers.ES) != 0) {
            Registers.opcode(cpu, i);
        }
    }

    private static void operate(Cpu cpu, Instruction i) {
        switch (i.op) {
            // Transfers
            case FLD -> Transfers.fld(cpu, i);
            case FST -> Transfers.fst(cpu, i, 0);
            case FSTP -> Transfers.fst(cpu, i, 1);
            case FILD -> Transfers.fild(cpu, i);
            case FIST -> Transfers.fist(cpu, i, false, 0);
            case FISTP -> Transfers.fist(cpu, i, false, 1);
            case FISTTP -> Transfers.fist(cpu, i, true, 1);
            case FBLD -> Transfers.fbld(cpu, i);
            case FBSTP -> Transfers.fbstp(cpu, i);
            case FXCH -> Transfers.fxch(cpu, i);
            case FCMOVCC -> Transfers.fcmov(cpu, i);
            case FLD1, FLDL2T, FLDL2E, FLDPI, FLDLG2, FLDLN2, FLDZ -> Transfers.constant(cpu, i);

            // Arithmetic
            case FADD -> Operations.arithmetic(cpu, i, Operations.ADD, false, 0);
            case FADDP -> Operations.arithmetic(cpu, i, Operations.ADD, false, 1);
            case FIADD -> Operations.arithmetic(cpu, i, Operations.ADD, true, 0);
            case FSUB -> Operations.arithmetic(cpu, i, Operations.SUB, false, 0);
            case FSUBP -> Operations.arithmetic(cpu, i, Operations.SUB, false, 1);
            case FISUB -> Operations.arithmetic(cpu, i, Operations.SUB, true, 0);
            case FSUBR -> Operations.arithmetic(cpu, i, Operations.SUBR, false, 0);
            case FSUBRP -> Operations.arithmetic(cpu, i, Operations.SUBR, false, 1);
            case FISUBR -> Operations.arithmetic(cpu, i, Operations.SUBR, true, 0);
            case FMUL -> Operations.arithmetic(cpu, i, Operations.MUL, false, 0);
            case FMULP -> Operations.arithmetic(cpu, i, Operations.MUL, false, 1);
            case FIMUL -> Operations.arithmetic(cpu, i, Operations.MUL, true, 0);
            case FDIV -> Operations.arithmetic(cpu, i, Operations.DIV, false, 0);
            case FDIVP -> Operations.arithmetic(cpu, i, Operations.DIV, false, 1);
            case FIDIV -> Operations.arithmetic(cpu, i, Operations.DIV, true, 0);
            case FDIVR -> Operations.arithmetic(cpu, i, Operations.DIVR, false, 0);
            case FDIVRP -> Operations.arithmetic(cpu, i, Operations.DIVR, false, 1);
            case FIDIVR -> Operations.arithmetic(cpu, i, Operations.DIVR, true, 0);
            case FSQRT -> Operations.fsqrt(cpu, i);
            case FRNDINT -> Operations.frndint(cpu, i);
            case FCHS -> Operations.sign(cpu, i, false);
            case FABS -> Operations.sign(cpu, i, true);
            case FSCALE -> Operations.fscale(cpu, i);
            case FPREM -> Operations.fprem(cpu, i, false);
            case FPREM1 -> Operations.fprem(cpu, i, true);
            case FXTRACT -> Operations.fxtract(cpu, i);

            // Transcendental functions
            case FSIN -> Functions.fsin(cpu, i, false);
            case FCOS -> Functions.fsin(cpu, i, true);
            case FSINCOS -> Functions.fsincos(cpu, i);
            case FPTAN -> Functions.fptan(cpu, i);
            case FPATAN -> Functions.fpatan(cpu, i);
            case F2XM1 -> Functions.f2xm1(cpu, i);
            case FYL2X -> Functions.fyl2x(cpu, i);
            case FYL2XP1 -> Functions.fyl2xp1(cpu, i);

            // Comparisons
            case FCOM -> Comparisons.compare(cpu, i, false, false, 0);
            case FCOMP -> Comparisons.compare(cpu, i, false, false, 1);
            case FCOMPP -> Comparisons.compare(cpu, i, false, false, 2);
            case FUCOM -> Comparisons.compare(cpu, i, false, true, 0);
            case FUCOMP -> Comparisons.compare(cpu, i, false, true, 1);
            case FUCOMPP -> Comparisons.compare(cpu, i, false, true, 2);
            case FICOM -> Comparisons.compare(cpu, i, true, false, 0);
            case FICOMP -> Comparisons.compare(cpu, i, true, false, 1);
            case FCOMI -> Comparisons.compareFlags(cpu, i, false, 0);
            case FCOMIP -> Comparisons.compareFlags(cpu, i, false, 1);
            case FUCOMI -> Comparisons.compareFlags(cpu, i, true, 0);
            case FUCOMIP -> Comparisons.compareFlags(cpu, i, true, 1);
            case FTST -> Comparisons.ftst(cpu, i);
            case FXAM -> Comparisons.fxam(cpu, i);

            // Control
            case FNINIT -> Environment.fninit(cpu);
            case FNCLEX -> Environment.fnclex(cpu);
            case FNSTSW -> Environment.fnstsw(cpu, i);
            case FNSTCW -> Environment.fnstcw(cpu, i);
            case FLDCW -> Environment.fldcw(cpu, i);
            case FNSTENV -> Environment.fnstenv(cpu, i);
            case FLDENV -> Environment.fldenv(cpu, i);
            case FNSAVE -> Environment.fnsave(cpu, i);
            case FRSTOR -> Environment.frstor(cpu, i);
            case FINCSTP -> Environment.incrementTop(cpu, 1);
            case FDECSTP -> Environment.incrementTop(cpu, 7);
            case FFREE -> Environment.ffree(cpu, i, 0);
            case FFREEP -> Environment.ffree(cpu, i, 1);
            case FNOP, FWAIT -> {}
            default -> throw cpu.fault(CpuFault.UD);
        }
    }
}
