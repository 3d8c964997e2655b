package dev.multivisor.engine.cpu.sse;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.multivisor.engine.cpu.Cpu;
import dev.multivisor.engine.cpu.CpuFault;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

class SseInstructionsTest {
    private final SseGuest guest = new SseGuest();
    private final Cpu cpu = guest.cpu;

    private void text(int register, String text) {
        ByteBuffer bytes = ByteBuffer.wrap(Arrays.copyOf(text.getBytes(StandardCharsets.US_ASCII), 16));
        bytes.order(ByteOrder.LITTLE_ENDIAN);
        guest.xmm(register, bytes.getLong(0), bytes.getLong(8));
    }

    @Test
    void scalarArithmeticKeepsTheUpperHalfAndSetsFlags() {
        guest.xmm(0, Double.doubleToRawLongBits(1), 77);
        guest.xmm(1, 3.0);
        guest.run("f20f5ec1"); // divsd xmm0, xmm1
        assertEquals(1.0 / 3, guest.low(0));
        assertEquals(77, cpu.xmm[1]);
        assertEquals(0x1f80 | Mxcsr.PE, cpu.mxcsr);
        guest.xmm(1, 0.0);
        guest.run("f20f5ec1");
        assertEquals(Double.POSITIVE_INFINITY, guest.low(0));
        assertEquals(0x1f80 | Mxcsr.PE | Mxcsr.ZE, cpu.mxcsr);
    }

    @Test
    void anUnmaskedExceptionLeavesTheDestination() {
        cpu.mxcsr = 0x1f80 & ~(Mxcsr.ZE << Mxcsr.MASKS);
        guest.xmm(0, 1.0);
        guest.xmm(1, 0.0);
        assertEquals(CpuFault.XM, assertThrows(CpuFault.class, () -> guest.run("f20f5ec1")).vector);
        assertEquals(1.0, guest.low(0));
        assertEquals(Mxcsr.ZE, cpu.mxcsr & 0x3f);
        assertEquals(0, cpu.simdExceptions);
        cpu.cr4 &= ~Cpu.CR4_OSXMMEXCPT;
        assertEquals(CpuFault.UD, assertThrows(CpuFault.class, () -> guest.run("f20f5ec1")).vector);
    }

    @Test
    void theFirstNanWinsAndIsQuieted() {
        guest.xmm(0, 0xfff0000000000123L, 0);
        guest.xmm(1, 0x7ff8000000000456L, 0);
        guest.run("f20f58c1"); // addsd xmm0, xmm1
        assertEquals(0xfff8000000000123L, cpu.xmm[0]);
        assertEquals(Mxcsr.IE, cpu.mxcsr & 0x3f);
    }

    @Test
    void denormalsAreZerosAndResultsAreFlushed() {
        cpu.mxcsr = 0x1f80 | Mxcsr.FTZ;
        guest.xmm(0, Double.MIN_NORMAL);
        guest.xmm(1, 0.75);
        guest.run("f20f59c1"); // mulsd xmm0, xmm1
        assertEquals(0, cpu.xmm[0]);
        assertEquals(Mxcsr.UE | Mxcsr.PE, cpu.mxcsr & 0x3f);
        cpu.mxcsr = 0x1f80 | Mxcsr.DAZ;
        guest.xmm(0, -Double.MIN_VALUE);
        guest.run("f20f59c1");
        assertEquals(Long.MIN_VALUE, cpu.xmm[0]);
        assertEquals(0, cpu.mxcsr & 0x3f);
    }

    @Test
    void comparisonsSetFlags() {
        cpu.setFlags(Cpu.ARITHMETIC);
        guest.xmm(0, 1.0);
        guest.xmm(1, 2.0);
        guest.run("660f2ec1"); // ucomisd xmm0, xmm1
        assertEquals(Cpu.CF, cpu.flags() & Cpu.ARITHMETIC);
        guest.xmm(1, Double.NaN);
        guest.run("660f2ec1");
        assertEquals(Cpu.ZF | Cpu.PF | Cpu.CF, cpu.flags() & Cpu.ARITHMETIC);
        assertEquals(0, cpu.mxcsr & Mxcsr.IE);
        guest.run("660f2fc1"); // comisd xmm0, xmm1
        assertEquals(Mxcsr.IE, cpu.mxcsr & Mxcsr.IE);
    }

    @Test
    void conversionsRoundAndReportWhatDoesNotFit() {
        guest.xmm(1, 2.5);
        guest.run("f2480f2dc1"); // cvtsd2si rax, xmm1
        assertEquals(2, cpu.r[Cpu.RAX]);
        cpu.mxcsr |= Mxcsr.UP << 13;
        guest.run("f20f2dc1"); // cvtsd2si eax, xmm1
        assertEquals(3, cpu.r[Cpu.RAX]);
        guest.xmm(1, 0x1p31);
        guest.run("f20f2cc1"); // cvttsd2si eax, xmm1
        assertEquals(0x80000000L, cpu.r[Cpu.RAX]);
        assertEquals(Mxcsr.IE, cpu.mxcsr & Mxcsr.IE);
    }

    @Test
    void mmxRegistersLieInTheX87Stack() {
        cpu.fpuStatus = 5 << 11;
        cpu.r[Cpu.RAX] = 0x1122334455667788L;
        guest.run("480f6ed8"); // movq mm3, rax
        assertEquals(0x1122334455667788L, cpu.stSignificand[3]);
        assertEquals(0xffff, cpu.stExponent[3]);
        assertEquals(0xff, cpu.fpuTags);
        assertEquals(0, cpu.fpuStatus);
        guest.run("0ffcdb"); // paddb mm3, mm3
        assertEquals(0x22446688aaccee10L, cpu.stSignificand[3]);
        guest.run("0f77"); // emms
        assertEquals(0, cpu.fpuTags);
    }

    @Test
    void alignmentIsDemandedWhereTheManualSays() {
        cpu.r[Cpu.RSI] = SseGuest.DATA + 8;
        assertEquals(CpuFault.GP, assertThrows(CpuFault.class, () -> guest.run("0f2806")).vector); // movaps
        assertEquals(CpuFault.GP, assertThrows(CpuFault.class, () -> guest.run("660ffe06")).vector); // paddd
        cpu.mmu.store64(SseGuest.DATA + 8, 5);
        guest.run("0f1006"); // movups xmm0, [rsi]
        assertEquals(5, cpu.xmm[0]);
        guest.run("660f3a630608"); // pcmpistri xmm0, [rsi], 8
    }

    @Test
    void stringComparisonFindsANeedle() {
        text(0, "vis");
        text(1, "multivisor");
        guest.run("660f3a63c10c"); // pcmpistri xmm0, xmm1, equal ordered
        assertEquals(5, cpu.r[Cpu.RCX]);
        assertEquals(Cpu.CF | Cpu.ZF | Cpu.SF, cpu.flags() & Cpu.ARITHMETIC);
        text(0, "az");
        text(1, "abC9");
        guest.run("660f3a62c104"); // pcmpistrm xmm0, xmm1, ranges
        assertEquals(0b11, cpu.xmm[0]);
    }

    @Test
    void shufflesAndShifts() {
        guest.xmm(1, 0x0000000200000001L, 0x0000000400000003L);
        guest.run("660f70c11b"); // pshufd xmm0, xmm1, 0x1b
        assertEquals(0x0000000300000004L, cpu.xmm[0]);
        assertEquals(0x0000000100000002L, cpu.xmm[1]);
        guest.run("660f73f904"); // pslldq xmm1, 4
        assertEquals(0x0000000100000000L, cpu.xmm[2]);
        assertEquals(0x0000000300000002L, cpu.xmm[3]);
        guest.xmm(0, 0x0706050403020100L, 0x0f0e0d0c0b0a0908L);
        guest.xmm(1, 0x80_01_0f_08_07_00_ff_02L, 0);
        guest.run("660f3800c1"); // pshufb xmm0, xmm1
        assertEquals(0x00_01_0f_08_07_00_00_02L, cpu.xmm[0]);
        assertEquals(0, cpu.xmm[1]);
    }

    @Test
    void approximationsAreWithinTheManualsError() {
        for (float value = 0.01f; value < 100; value *= 1.01f) {
            guest.xmm(1, Float.floatToRawIntBits(value), 0);
            guest.run("f30f53c1"); // rcpss xmm0, xmm1
            float reciprocal = Float.intBitsToFloat((int) cpu.xmm[0]);
            assertTrue(Math.abs((double) reciprocal * value - 1) <= 1.5 / 4096, () -> "1 / " + reciprocal);
            guest.run("f30f52c1"); // rsqrtss xmm0, xmm1
            float root = Float.intBitsToFloat((int) cpu.xmm[0]);
            assertTrue(Math.abs(root * Math.sqrt(value) - 1) <= 1.5 / 4096, () -> "1 / sqrt " + root);
        }
    }

    @Test
    void fxsaveAndFxrstorAreInverse() {
        for (int n = 0; n < 32; n++) {
            cpu.xmm[n] = n * 0x0123456789abcdefL;
        }
        for (int n = 0; n < 8; n++) {
            cpu.stSignificand[n] = -n;
            cpu.stExponent[n] = n << 8;
        }
        cpu.fpuStatus = 3 << 11;
        cpu.fpuTags = 0x18;
        cpu.fpuIp = 0x123456789aL;
        cpu.fpuDp = 0xba987654321L;
        cpu.mxcsr = 0x9fc0;
        guest.run("480fae06"); // fxsave64 [rsi]
        assertEquals(-3, cpu.mmu.load64(SseGuest.DATA + 32), "ST(0) is register 3");
        assertEquals(0xffff, cpu.mmu.load32(SseGuest.DATA + 28), "MXCSR_MASK");
        SseGuest other = new SseGuest();
        for (int n = 0; n < 512; n++) {
            other.cpu.mmu.store8(SseGuest.DATA + n, cpu.mmu.load8(SseGuest.DATA + n));
        }
        other.run("480fae0e"); // fxrstor64 [rsi]
        assertEquals(Arrays.toString(Arrays.copyOf(cpu.xmm, 32)), Arrays.toString(Arrays.copyOf(other.cpu.xmm, 32)));
        assertEquals(Arrays.toString(cpu.stSignificand), Arrays.toString(other.cpu.stSignificand));
        assertEquals(Arrays.toString(cpu.stExponent), Arrays.toString(other.cpu.stExponent));
        assertEquals(cpu.fpuTags, other.cpu.fpuTags);
        assertEquals(cpu.fpuIp, other.cpu.fpuIp);
        assertEquals(cpu.fpuDp, other.cpu.fpuDp);
        assertEquals(cpu.mxcsr, other.cpu.mxcsr);
        other.cpu.mmu.store32(SseGuest.DATA + 24, 0x10000);
        assertEquals(CpuFault.GP, assertThrows(CpuFault.class, () -> other.run("480fae0e")).vector);
        other.cpu.r[Cpu.RSI] += 8;
        assertEquals(CpuFault.GP, assertThrows(CpuFault.class, () -> other.run("480fae0e")).vector);
    }
}
