package dev.multivisor.engine.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.math.BigInteger;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** DIV and IDIV of 128 by 64 bits against {@link BigInteger}, #DE included. */
class DivisionTest {
    private final TestCpu guest = new TestCpu();
    private final Cpu cpu = guest.cpu;
    private final Random random = new Random(2);

    private long number() {
        long[] edges = {0, 1, -1, 2, Long.MIN_VALUE, Long.MAX_VALUE, 0xffffffffL, 1L << 32, 3};
        return random.nextInt(4) == 0 ? edges[random.nextInt(edges.length)] : random.nextLong() >> random.nextInt(64);
    }

    @Test
    void unsignedAndSigned() {
        byte[] div = TestCpu.assemble("div %rbx; hlt");
        byte[] idiv = TestCpu.assemble("idiv %rbx; hlt");
        for (int n = 0; n < 4_000; n++) {
            boolean signed = n >= 2_000;
            if (n % 2_000 == 0) {
                guest.program(signed ? idiv : div);
            }
            long low = number();
            long high = random.nextInt(4) == 0 ? low >> 63 : number();
            if (random.nextBoolean()) {
                high >>= 1 + random.nextInt(62);
            }
            divide(signed, high, low, number());
        }
    }

    private void divide(boolean signed, long high, long low, long divisor) {
        cpu.r[Cpu.RAX] = low;
        cpu.r[Cpu.RDX] = high;
        cpu.r[Cpu.RBX] = divisor;
        cpu.r[Cpu.RSP] = TestCpu.STACK;
        cpu.r[Cpu.RIP] = TestCpu.CODE;
        guest.run();
        BigInteger dividend = value(signed, high).shiftLeft(64).add(value(false, low));
        BigInteger by = value(signed, divisor);
        BigInteger[] result = by.signum() == 0 ? null : dividend.divideAndRemainder(by);
        boolean fits = result != null && (signed ? result[0].bitLength() < 64 : result[0].bitLength() <= 64);
        String what = dividend + " / " + by;
        assertEquals(fits ? -1 : CpuFault.DE, guest.vector(), what);
        assertEquals(fits ? result[0].longValue() : low, cpu.r[Cpu.RAX], what);
        assertEquals(fits ? result[1].longValue() : high, cpu.r[Cpu.RDX], what);
    }

    private static BigInteger value(boolean signed, long value) {
        return signed ? BigInteger.valueOf(value) : new BigInteger(Long.toUnsignedString(value));
    }
}
