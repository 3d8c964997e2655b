package dev.multivisor.engine.cpu.sse;

import dev.multivisor.engine.cpu.Cpu;
import dev.multivisor.engine.isa.Instruction;

/** MMX, SSE, SSE2, SSE3, SSSE3, SSE4.1, SSE4.2 and SHA: finds the handler of an instruction. */
public final class SseInstructions {
    private SseInstructions() {}

    /**
     * Executes an instruction whose form has the attribute MMX or SSE, or FXSAVE, FXRSTOR, LDMXCSR, STMXCSR. CR0 and
     * CR4 have been checked; the alignment of memory operands is checked here.
     */
    public static void execute(Cpu cpu, Instruction i) {
        switch (i.op) {
            // Moves
            case MOVAPS, MOVAPD, MOVDQA, MOVNTPS, MOVNTPD, MOVNTDQ, MOVNTDQA -> Moves.movaps(cpu, i);
            case MOVUPS, MOVUPD, MOVDQU, LDDQU -> Moves.movups(cpu, i);
            case MOVSD -> Moves.movsd(cpu, i);
            case MOVSS -> Moves.movss(cpu, i);
            case MOVD, MOVQ -> Moves.movq(cpu, i);
            case MOVQ2DQ, MOVDQ2Q -> Moves.movq2dq(cpu, i);
            case MOVLPS, MOVLPD -> Moves.moveHalf(cpu, i, 0);
            case MOVHPS, MOVHPD -> Moves.moveHalf(cpu, i, 1);
            case MOVHLPS -> Moves.movhlps(cpu, i);
            case MOVLHPS -> Moves.movlhps(cpu, i);
            case MOVDDUP -> Moves.movddup(cpu, i);
            case MOVSLDUP -> Moves.movsldup(cpu, i);
            case MOVSHDUP -> Moves.movshdup(cpu, i);
            case MOVMSKPS -> Moves.movmskps(cpu, i);
            case MOVMSKPD -> Moves.movmskpd(cpu, i);
            case PMOVMSKB -> Moves.pmovmskb(cpu, i);
            case MOVNTQ -> Moves.movntq(cpu, i);
            case MASKMOVQ, MASKMOVDQU -> Moves.maskmov(cpu, i);
            case EMMS -> Vectors.emms(cpu);

            // Floating point
            case ADDSD -> FloatArithmetic.addsd(cpu, i);
            case SUBSD -> FloatArithmetic.subsd(cpu, i);
            case MULSD -> FloatArithmetic.mulsd(cpu, i);
            case DIVSD -> FloatArithmetic.divsd(cpu, i);
            case SQRTSD -> FloatArithmetic.sqrtsd(cpu, i);
            case ADDSS, SUBSS, MULSS, DIVSS, SQRTSS -> FloatArithmetic.scalarSingle(cpu, i);
            case ADDPD, SUBPD, MULPD, DIVPD, SQRTPD, ADDSUBPD -> FloatArithmetic.packedDouble(cpu, i);
            case ADDPS, SUBPS, MULPS, DIVPS, SQRTPS, ADDSUBPS -> FloatArithmetic.packedSingle(cpu, i);
            case HADDPD -> Horizontal.pd(cpu, i, false);
            case HSUBPD -> Horizontal.pd(cpu, i, true);
            case HADDPS -> Horizontal.ps(cpu, i, false);
            case HSUBPS -> Horizontal.ps(cpu, i, true);
            case DPPS -> Horizontal.dpps(cpu, i);
            case DPPD -> Horizontal.dppd(cpu, i);
            case RCPPS -> Approximations.packed(cpu, i, false);
            case RCPSS -> Approximations.scalar(cpu, i, false);
            case RSQRTPS -> Approximations.packed(cpu, i, true);
            case RSQRTSS -> Approximations.scalar(cpu, i, true);
            case COMISD -> FloatComparisons.comisd(cpu, i, true);
            case UCOMISD -> FloatComparisons.comisd(cpu, i, false);
            case COMISS -> FloatComparisons.comiss(cpu, i, true);
            case UCOMISS -> FloatComparisons.comiss(cpu, i, false);
            case CMPSD -> FloatComparisons.cmpsd(cpu, i);
            case CMPSS -> FloatComparisons.cmpss(cpu, i);
            case CMPPD -> FloatComparisons.cmppd(cpu, i);
            case CMPPS -> FloatComparisons.cmpps(cpu, i);
            case MINSD -> FloatComparisons.extremeScalarDouble(cpu, i, false);
            case MAXSD -> FloatComparisons.extremeScalarDouble(cpu, i, true);
            case MINSS -> FloatComparisons.extremeScalarSingle(cpu, i, false);
            case MAXSS -> FloatComparisons.extremeScalarSingle(cpu, i, true);
            case MINPD -> FloatComparisons.extremePackedDouble(cpu, i, false);
            case MAXPD -> FloatComparisons.extremePackedDouble(cpu, i, true);
            case MINPS -> FloatComparisons.extremePackedSingle(cpu, i, false);
            case MAXPS -> FloatComparisons.extremePackedSingle(cpu, i, true);

            // Conversions
            case CVTSI2SD -> Conversions.cvtsi2sd(cpu, i);
            case CVTSI2SS -> Conversions.cvtsi2ss(cpu, i);
            case CVTDQ2PD, CVTPI2PD -> Conversions.cvtdq2pd(cpu, i);
            case CVTDQ2PS -> Conversions.cvtdq2ps(cpu, i);
            case CVTPI2PS -> Conversions.cvtpi2ps(cpu, i);
            case CVTSD2SI -> Conversions.cvtsd2si(cpu, i, false);
            case CVTTSD2SI -> Conversions.cvtsd2si(cpu, i, true);
            case CVTSS2SI -> Conversions.cvtss2si(cpu, i, false);
            case CVTTSS2SI -> Conversions.cvtss2si(cpu, i, true);
            case CVTPS2DQ -> Conversions.cvtps2dq(cpu, i, false);
            case CVTTPS2DQ -> Conversions.cvtps2dq(cpu, i, true);
            case CVTPD2DQ -> Conversions.cvtpd2dq(cpu, i, false);
            case CVTTPD2DQ -> Conversions.cvtpd2dq(cpu, i, true);
            case CVTPS2PI -> Conversions.cvtps2pi(cpu, i, false);
            case CVTTPS2PI -> Conversions.cvtps2pi(cpu, i, true);
            case CVTPD2PI -> Conversions.cvtpd2pi(cpu, i, false);
            case CVTTPD2PI -> Conversions.cvtpd2pi(cpu, i, true);
            case CVTSD2SS -> Conversions.cvtsd2ss(cpu, i);
            case CVTSS2SD -> Conversions.cvtss2sd(cpu, i);
            case CVTPD2PS -> Conversions.cvtpd2ps(cpu, i);
            case CVTPS2PD -> Conversions.cvtps2pd(cpu, i);
            case ROUNDSD -> Conversions.roundsd(cpu, i);
            case ROUNDSS -> Conversions.roundss(cpu, i);
            case ROUNDPD -> Conversions.roundpd(cpu, i);
            case ROUNDPS -> Conversions.roundps(cpu, i);

            default -> integer(cpu, i);
        }
    }

    /** Integer instructions, shuffles and state. */
    private static void integer(Cpu cpu, Instruction i) {
        switch (i.op) {
            case PADDB,
                    PADDW,
                    PADDD,
                    PADDQ,
                    PADDSB,
                    PADDSW,
                    PADDUSB,
                    PADDUSW,
                    PSUBB,
                    PSUBW,
                    PSUBD,
                    PSUBQ,
                    PSUBSB,
                    PSUBSW,
                    PSUBUSB,
                    PSUBUSW,
                    PAND,
                    PANDN,
                    POR,
                    PXOR,
                    ANDPS,
                    ANDPD,
                    ANDNPS,
                    ANDNPD,
                    ORPS,
                    ORPD,
                    XORPS,
                    XORPD -> IntegerArithmetic.addOrLogical(cpu, i);
            case PMULLW, PMULHW, PMULHUW, PMULHRSW, PMULLD, PMULUDQ, PMULDQ, PMADDWD, PMADDUBSW, PSADBW ->
                IntegerArithmetic.multiply(cpu, i);
            case PCMPEQB,
                    PCMPEQW,
                    PCMPEQD,
                    PCMPEQQ,
                    PCMPGTB,
                    PCMPGTW,
                    PCMPGTD,
                    PCMPGTQ,
                    PMAXSB,
                    PMAXSW,
                    PMAXSD,
                    PMAXUB,
                    PMAXUW,
                    PMAXUD,
                    PMINSB,
                    PMINSW,
                    PMINSD,
                    PMINUB,
                    PMINUW,
                    PMINUD,
                    PABSB,
                    PABSW,
                    PABSD,
                    PSIGNB,
                    PSIGNW,
                    PSIGND,
                    PAVGB,
                    PAVGW -> IntegerComparisons.execute(cpu, i);
            case PSLLW, PSLLD, PSLLQ, PSRLW, PSRLD, PSRLQ, PSRAW, PSRAD -> Shifts.execute(cpu, i);
            case PSLLDQ -> Shifts.pslldq(cpu, i);
            case PSRLDQ -> Shifts.psrldq(cpu, i);
            case PALIGNR -> Shifts.palignr(cpu, i);

            case PACKSSWB, PACKSSDW, PACKUSWB, PACKUSDW, PHADDW, PHADDD, PHADDSW, PHSUBW, PHSUBD, PHSUBSW ->
                Shuffles.combine(cpu, i);
            case PUNPCKLBW, PUNPCKLWD, PUNPCKLDQ, UNPCKLPS -> Shuffles.unpackLow(cpu, i);
            case PUNPCKHBW, PUNPCKHWD, PUNPCKHDQ, UNPCKHPS -> Shuffles.unpackHigh(cpu, i);
            case PUNPCKLQDQ, UNPCKLPD -> Shuffles.unpackLowQuadwords(cpu, i);
            case PUNPCKHQDQ, UNPCKHPD -> Shuffles.unpackHighQuadwords(cpu, i);
            case PSHUFB -> Shuffles.pshufb(cpu, i);
            case PSHUFW -> Shuffles.pshufw(cpu, i);
            case PSHUFD -> Shuffles.pshufd(cpu, i);
            case PSHUFHW -> Shuffles.pshufhw(cpu, i);
            case PSHUFLW -> Shuffles.pshuflw(cpu, i);
            case SHUFPS -> Shuffles.shufps(cpu, i);
            case SHUFPD -> Shuffles.shufpd(cpu, i);
            case PMOVSXBW,
                    PMOVSXBD,
                    PMOVSXBQ,
                    PMOVSXWD,
                    PMOVSXWQ,
                    PMOVSXDQ,
                    PMOVZXBW,
                    PMOVZXBD,
                    PMOVZXBQ,
                    PMOVZXWD,
                    PMOVZXWQ,
                    PMOVZXDQ -> Shuffles.widen(cpu, i);
            case PBLENDVB -> Shuffles.blendVariable(cpu, i, Lanes.H8);
            case BLENDVPS -> Shuffles.blendVariable(cpu, i, Lanes.H32);
            case BLENDVPD -> Shuffles.blendvpd(cpu, i);
            case PBLENDW -> Shuffles.blend(cpu, i, 16);
            case BLENDPS -> Shuffles.blend(cpu, i, 32);
            case BLENDPD -> Shuffles.blend(cpu, i, 64);

            case PINSRB -> Elements.insert(cpu, i, 1);
            case PINSRW -> Elements.insert(cpu, i, 2);
            case PINSRD -> Elements.insert(cpu, i, 4);
            case PINSRQ -> Elements.insert(cpu, i, 8);
            case PEXTRB -> Elements.extract(cpu, i, 1);
            case PEXTRW -> Elements.extract(cpu, i, 2);
            case PEXTRD, EXTRACTPS -> Elements.extract(cpu, i, 4);
            case PEXTRQ -> Elements.extract(cpu, i, 8);
            case INSERTPS -> Elements.insertps(cpu, i);
            case PHMINPOSUW -> Elements.phminposuw(cpu, i);
            case MPSADBW -> Elements.mpsadbw(cpu, i);
            case PTEST -> Elements.ptest(cpu, i);
            case PCMPESTRI -> StringComparisons.execute(cpu, i, true, true);
            case PCMPESTRM -> StringComparisons.execute(cpu, i, true, false);
            case PCMPISTRI -> StringComparisons.execute(cpu, i, false, true);
            case PCMPISTRM -> StringComparisons.execute(cpu, i, false, false);

            case SHA1RNDS4 -> Sha.sha1rnds4(cpu, i);
            case SHA1NEXTE -> Sha.sha1nexte(cpu, i);
            case SHA1MSG1 -> Sha.sha1msg1(cpu, i);
            case SHA1MSG2 -> Sha.sha1msg2(cpu, i);
            case SHA256RNDS2 -> Sha.sha256rnds2(cpu, i);
            case SHA256MSG1 -> Sha.sha256msg1(cpu, i);
            case SHA256MSG2 -> Sha.sha256msg2(cpu, i);

            case FXSAVE -> FxState.fxsave(cpu, i);
            case FXRSTOR -> FxState.fxrstor(cpu, i);
            case LDMXCSR -> FxState.ldmxcsr(cpu, i);
            case STMXCSR -> FxState.stmxcsr(cpu, i);
            default -> throw new IllegalArgumentException("not an SSE instruction: " + i.op);
        }
    }
}
