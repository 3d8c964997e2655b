package dev.multivisor.engine.cpu;

import static dev.multivisor.engine.cpu.Hot.*;

/**
 * Forms that have small methods of their own, but are not frequent enough for the {@link Interpreter}'s loop: HotSpot puts
 * what a method calls in line until it has 18,000 nodes (NodeCountInliningCutoff), the last cases first.
 */
final class SeldomForms {
    private SeldomForms() {}

    /** Executes an instruction after which its block goes on. */
    static void execute(Cpu cpu, long[] r, Step s, long start) {
        switch (s.code) {
            case ADD + MR + Q -> Fast64.addMr(cpu, r, s, start);
            case ADD + MI + Q -> Fast64.addMi(cpu, r, s, start);
            case TEST + MR + Q -> Fast64.testMr(cpu, r, s, start);
            case TEST + MI + Q -> Fast64.testMi(cpu, r, s, start);
            case SUB + MR + Q -> Fast64.subMr(cpu, r, s, start);
            case SUB + MI + Q -> Fast64.subMi(cpu, r, s, start);
            case AND + RM + Q -> Fast64.andRm(cpu, r, s, start);
            case AND + MR + Q -> Fast64.andMr(cpu, r, s, start);
            case AND + MI + Q -> Fast64.andMi(cpu, r, s, start);
            case XOR + RM + Q -> Fast64.xorRm(cpu, r, s, start);
            case XOR + MR + Q -> Fast64.xorMr(cpu, r, s, start);
            case XOR + MI + Q -> Fast64.xorMi(cpu, r, s, start);
            case OR + RI + Q -> Fast64.orRi(cpu, r, s);
            case OR + RM + Q -> Fast64.orRm(cpu, r, s, start);
            case OR + MR + Q -> Fast64.orMr(cpu, r, s, start);
            case OR + MI + Q -> Fast64.orMi(cpu, r, s, start);
            case ADC + RR + Q -> Fast64.adcRr(cpu, r, s);
            case ADC + RI + Q -> Fast64.adcRi(cpu, r, s);
            case ADC + RM + Q -> Fast64.adcRm(cpu, r, s, start);
            case ADC + MR + Q -> Fast64.adcMr(cpu, r, s, start);
            case ADC + MI + Q -> Fast64.adcMi(cpu, r, s, start);
            case SBB + RR + Q -> Fast64.sbbRr(cpu, r, s);
            case SBB + RI + Q -> Fast64.sbbRi(cpu, r, s);
            case SBB + RM + Q -> Fast64.sbbRm(cpu, r, s, start);
            case SBB + MR + Q -> Fast64.sbbMr(cpu, r, s, start);
            case SBB + MI + Q -> Fast64.sbbMi(cpu, r, s, start);
            case ADD + MR + D -> Fast32.addMr(cpu, r, s, start);
            case ADD + MI + D -> Fast32.addMi(cpu, r, s, start);
            case TEST + MR + D -> Fast32.testMr(cpu, r, s, start);
            case TEST + MI + D -> Fast32.testMi(cpu, r, s, start);
            case SUB + MR + D -> Fast32.subMr(cpu, r, s, start);
            case SUB + MI + D -> Fast32.subMi(cpu, r, s, start);
            case AND + RM + D -> Fast32.andRm(cpu, r, s, start);
            case AND + MR + D -> Fast32.andMr(cpu, r, s, start);
            case AND + MI + D -> Fast32.andMi(cpu, r, s, start);
            case XOR + RM + D -> Fast32.xorRm(cpu, r, s, start);
            case XOR + MR + D -> Fast32.xorMr(cpu, r, s, start);
            case XOR + MI + D -> Fast32.xorMi(cpu, r, s, start);
            case OR + RM + D -> Fast32.orRm(cpu, r, s, start);
            case OR + MR + D -> Fast32.orMr(cpu, r, s, start);
            case OR + MI + D -> Fast32.orMi(cpu, r, s, start);
            case ADC + RR + D -> Fast32.adcRr(cpu, r, s);
            case ADC + RI + D -> Fast32.adcRi(cpu, r, s);
            case ADC + RM + D -> Fast32.adcRm(cpu, r, s, start);
            case ADC + MR + D -> Fast32.adcMr(cpu, r, s, start);
            case ADC + MI + D -> Fast32.adcMi(cpu, r, s, start);
            case SBB + RR + D -> Fast32.sbbRr(cpu, r, s);
            case SBB + RI + D -> Fast32.sbbRi(cpu, r, s);
            case SBB + RM + D -> Fast32.sbbRm(cpu, r, s, start);
            case SBB + MR + D -> Fast32.sbbMr(cpu, r, s, start);
            case SBB + MI + D -> Fast32.sbbMi(cpu, r, s, start);
            case PUSH_M -> FastControl.pushM(cpu, r, s, start);
            case LOAD16 -> FastOther.load16(cpu, r, s, start);
            case STORE16 -> FastOther.store16(cpu, r, s, start);
            case STORE16_I -> FastOther.store16Immediate(cpu, r, s, start);
            case MOVZX_R16 -> FastOther.movzxR16(cpu, r, s);
            case MOVSX32_R8 -> FastOther.movsx32R8(cpu, r, s);
            case MOVSX32_R16 -> FastOther.movsx32R16(cpu, r, s);
            case MOVSX32_M8 -> FastOther.movsx32M8(cpu, r, s, start);
            case MOVSX32_M16 -> FastOther.movsx32M16(cpu, r, s, start);
            case MOVSX64_R8 -> FastOther.movsx64R8(cpu, r, s);
            case MOVSX64_R16 -> FastOther.movsx64R16(cpu, r, s);
            case MOVSX64_M8 -> FastOther.movsx64M8(cpu, r, s, start);
            case MOVSX64_M16 -> FastOther.movsx64M16(cpu, r, s, start);
            case SHL_CL + D -> FastOther.shlCl32(cpu, r, s);
            case SHL_CL + Q -> FastOther.shlCl64(cpu, r, s);
            case SHR_CL + D -> FastOther.shrCl32(cpu, r, s);
            case SHR_CL + Q -> FastOther.shrCl64(cpu, r, s);
            case SAR_I + D -> FastOther.sarI32(cpu, r, s);
            case SAR_CL + D -> FastOther.sarCl32(cpu, r, s);
            case SAR_CL + Q -> FastOther.sarCl64(cpu, r, s);
            case ROL_I + D -> FastOther.rolI32(cpu, r, s);
            case ROL_CL + D -> FastOther.rolCl32(cpu, r, s);
            case ROL_I + Q -> FastOther.rolI64(cpu, r, s);
            case ROL_CL + Q -> FastOther.rolCl64(cpu, r, s);
            case ROR_I + D -> FastOther.rorI32(cpu, r, s);
            case ROR_CL + D -> FastOther.rorCl32(cpu, r, s);
            case ROR_I + Q -> FastOther.rorI64(cpu, r, s);
            case ROR_CL + Q -> FastOther.rorCl64(cpu, r, s);
            case INC + D -> FastOther.inc32(cpu, r, s);
            case DEC + D -> FastOther.dec32(cpu, r, s);
            case NEG + D -> FastOther.neg32(cpu, r, s);
            case NOT + D -> FastOther.not32(cpu, r, s);
            case INC_M + D -> FastOther.incM32(cpu, r, s, start);
            case DEC_M + D -> FastOther.decM32(cpu, r, s, start);
            case IMUL_RR + D -> FastOther.imulRr32(cpu, r, s);
            case IMUL_RRI + D -> FastOther.imulRri32(cpu, r, s);
            case IMUL_RM + D -> FastOther.imulRm32(cpu, r, s, start);
            case CMOV_M + D -> FastOther.cmovM32(cpu, r, s, start);
            case BT_R + D -> FastOther.btR32(cpu, r, s);
            case BT_I + D -> FastOther.btI32(cpu, r, s);
            case XCHG + D -> FastOther.xchg32(cpu, r, s);
            case SHLD_I + D -> FastOther.shldI32(cpu, r, s);
            case SHRD_I + D -> FastOther.shrdI32(cpu, r, s);
            case INC + Q -> FastOther.inc64(cpu, r, s);
            case DEC + Q -> FastOther.dec64(cpu, r, s);
            case NEG + Q -> FastOther.neg64(cpu, r, s);
            case NOT + Q -> FastOther.not64(cpu, r, s);
            case INC_M + Q -> FastOther.incM64(cpu, r, s, start);
            case DEC_M + Q -> FastOther.decM64(cpu, r, s, start);
            case IMUL_RRI + Q -> FastOther.imulRri64(cpu, r, s);
            case IMUL_RM + Q -> FastOther.imulRm64(cpu, r, s, start);
            case CMOV_M + Q -> FastOther.cmovM64(cpu, r, s, start);
            case BT_R + Q -> FastOther.btR64(cpu, r, s);
            case BT_I + Q -> FastOther.btI64(cpu, r, s);
            case XCHG + Q -> FastOther.xchg64(cpu, r, s);
            case SHLD_I + Q -> FastOther.shldI64(cpu, r, s);
            case SHRD_I + Q -> FastOther.shrdI64(cpu, r, s);
            case CBW + D -> FastOther.cwde(cpu, r, s);
            case CBW + Q -> FastOther.cdqe(cpu, r, s);
            case CWD + D -> FastOther.cdq(cpu, r, s);
            case CWD + Q -> FastOther.cqo(cpu, r, s);
            case SETCC_M -> FastOther.setccM(cpu, r, s, start);
            case MUL64_R -> FastOther.mulR64(cpu, r, s);
            case MUL64_M -> FastOther.mulM64(cpu, r, s, start);
            case BSWAP64 -> FastOther.bswap64(cpu, r, s);
            case BSWAP32 -> FastOther.bswap32(cpu, r, s);
            case ADD + RR + B -> Fast8.addRr(cpu, r, s);
            case ADD + RI + B -> Fast8.addRi(cpu, r, s);
            case ADD + RM + B -> Fast8.addRm(cpu, r, s, start);
            case ADD + MR + B -> Fast8.addMr(cpu, r, s, start);
            case ADD + MI + B -> Fast8.addMi(cpu, r, s, start);
            case CMP + RR + B -> Fast8.cmpRr(cpu, r, s);
            case CMP + MR + B -> Fast8.cmpMr(cpu, r, s, start);
            case TEST + MR + B -> Fast8.testMr(cpu, r, s, start);
            case SUB + RR + B -> Fast8.subRr(cpu, r, s);
            case SUB + RI + B -> Fast8.subRi(cpu, r, s);
            case SUB + RM + B -> Fast8.subRm(cpu, r, s, start);
            case SUB + MR + B -> Fast8.subMr(cpu, r, s, start);
            case SUB + MI + B -> Fast8.subMi(cpu, r, s, start);
            case AND + RR + B -> Fast8.andRr(cpu, r, s);
            case AND + RI + B -> Fast8.andRi(cpu, r, s);
            case AND + RM + B -> Fast8.andRm(cpu, r, s, start);
            case AND + MR + B -> Fast8.andMr(cpu, r, s, start);
            case AND + MI + B -> Fast8.andMi(cpu, r, s, start);
            case XOR + RR + B -> Fast8.xorRr(cpu, r, s);
            case XOR + RI + B -> Fast8.xorRi(cpu, r, s);
            case XOR + RM + B -> Fast8.xorRm(cpu, r, s, start);
            case XOR + MR + B -> Fast8.xorMr(cpu, r, s, start);
            case XOR + MI + B -> Fast8.xorMi(cpu, r, s, start);
            case OR + RR + B -> Fast8.orRr(cpu, r, s);
            case OR + RI + B -> Fast8.orRi(cpu, r, s);
            case OR + RM + B -> Fast8.orRm(cpu, r, s, start);
            case OR + MR + B -> Fast8.orMr(cpu, r, s, start);
            case OR + MI + B -> Fast8.orMi(cpu, r, s, start);
            case ADC + RR + B -> Fast8.adcRr(cpu, r, s);
            case ADC + RI + B -> Fast8.adcRi(cpu, r, s);
            case ADC + RM + B -> Fast8.adcRm(cpu, r, s, start);
            case ADC + MR + B -> Fast8.adcMr(cpu, r, s, start);
            case ADC + MI + B -> Fast8.adcMi(cpu, r, s, start);
            case SBB + RR + B -> Fast8.sbbRr(cpu, r, s);
            case SBB + RI + B -> Fast8.sbbRi(cpu, r, s);
            case SBB + RM + B -> Fast8.sbbRm(cpu, r, s, start);
            case SBB + MR + B -> Fast8.sbbMr(cpu, r, s, start);
            case SBB + MI + B -> Fast8.sbbMi(cpu, r, s, start);
            default -> {
                r[Cpu.RIP] = start + s.offset;
                Dispatch.execute(cpu, s.instruction);
            }
        }
    }
}
