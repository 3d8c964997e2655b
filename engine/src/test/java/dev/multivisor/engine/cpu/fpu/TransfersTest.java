package dev.multivisor.engine.cpu.fpu;

import static dev.multivisor.engine.cpu.fpu.Extended.IE;
import static dev.multivisor.engine.cpu.fpu.Extended.OE;
import static dev.multivisor.engine.cpu.fpu.Extended.PE;
import static dev.multivisor.engine.cpu.fpu.FpuGuest.DATA;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.multivisor.engine.cpu.Cpu;
import org.junit.jupiter.api.Test;

class TransfersTest {
    private final FpuGuest guest = new FpuGuest();

    @Test
    void constantsFollowTheRoundingMode() {
        String[] codes = {"d9e9", "d9ea", "d9eb", "d9ec", "d9ed"}; // fldl2t fldl2e fldpi fldlg2 fldln2
        String[] nearest = {
            "4000d49a784bcd1b8afe",
            "3fffb8aa3b295c17f0bc",
            "4000c90fdaa22168c235",
            "3ffd9a209a84fbcff799",
            "3ffeb17217f7d1cf79ac"
        };
        for (int n = 0; n < codes.length; n++) {
            for (int mode = 0; mode < 4; mode++) {
                guest.run("dbe3");
                guest.control(0x37f | mode << 10);
                guest.run(codes[n]);
                int adjust = n == 0 ? mode == Extended.UP ? 1 : 0 : (mode & 1) != 0 ? -1 : 0;
                long last = Long.parseUnsignedLong(nearest[n], 4, 20, 16) + adjust;
                assertEquals(nearest[n].substring(0, 4) + String.format("%016x", last), guest.st(0), codes[n] + mode);
            }
        }
    }

    @Test
    void doublesAndSinglesKeepTheirValues() {
        double[] doubles = {1, -2.5, Double.MIN_VALUE, Double.MIN_NORMAL, Double.MAX_VALUE, 1e-310, -0.0};
        for (double value : doubles) {
            assertEquals(value, guest.push(value).pop());
        }
        for (float value : new float[] {1, -2.5f, Float.MIN_VALUE, Float.MIN_NORMAL, Float.MAX_VALUE, -0f}) {
            guest.mmu.store32(DATA, Float.floatToRawIntBits(value));
            guest.run("d906", "d95e08"); // fld, fstp dword
            assertEquals(value, Float.intBitsToFloat((int) guest.mmu.load32(DATA + 8)));
        }
    }

    @Test
    void storesRound() {
        guest.push(1e300).run("d91e"); // fstp dword
        assertEquals(Float.POSITIVE_INFINITY, Float.intBitsToFloat((int) guest.mmu.load32(DATA)));
        assertEquals(OE | PE, guest.exceptions());
        guest.run("dbe2").push("3fff8000000000000401");
        assertEquals(1 + 0x1p-52, guest.pop());
        assertEquals(PE, guest.exceptions());
        assertEquals(2, guest.conditions());
    }

    @Test
    void anUnmaskedOverflowStoresNothing() {
        guest.control(0x37f & ~OE);
        guest.push(1e300);
        guest.mmu.store32(DATA, 0x1234);
        guest.run("d91e");
        assertEquals(0x1234, guest.mmu.load32(DATA));
        assertEquals(OE | 0x80, guest.exceptions());
        assertEquals(7, guest.cpu.fpuStatus >> 11 & 7);
    }

    @Test
    void integers() {
        guest.push(2.5).run("df16"); // fist word
        assertEquals(2, guest.mmu.load16(DATA));
        guest.run("db0e"); // fisttp dword
        assertEquals(2, guest.mmu.load32(DATA));
        guest.push(-1e19).run("df3e"); // fistp qword
        assertEquals(Long.MIN_VALUE, guest.mmu.load64(DATA));
        assertEquals(IE, guest.exceptions() & IE);
        guest.run("dbe2").push(-0x1p63).run("df3e");
        assertEquals(Long.MIN_VALUE, guest.mmu.load64(DATA));
        assertEquals(0, guest.exceptions());
        guest.run("df2e"); // fild qword
        assertEquals(-0x1p63, guest.pop());
    }

    @Test
    void packedDecimals() {
        guest.push(-1234567890123456.0).run("df36"); // fbstp
        assertEquals(0x1234567890123456L, guest.mmu.load64(DATA));
        assertEquals(0x8000, guest.mmu.load16(DATA + 8));
        guest.run("df26"); // fbld
        assertEquals(-1234567890123456.0, guest.pop());
        guest.push(1e18).run("df36");
        assertEquals(0xc000000000000000L, guest.mmu.load64(DATA));
        assertEquals(0xffff, guest.mmu.load16(DATA + 8));
        assertEquals(IE, guest.exceptions());
    }

    @Test
    void roundingToAnInteger() {
        double[][] expected = {{-2, 2}, {-3, 2}, {-2, 3}, {-2, 2}};
        for (int mode = 0; mode < 4; mode++) {
            guest.control(0x37f | mode << 10);
            assertEquals(expected[mode][0], guest.push(-2.5).run("d9fc").pop());
            assertEquals(expected[mode][1], guest.push(2.5).run("d9fc").pop());
        }
        assertEquals(-0.0, guest.push(-0.25).run("d9fc").pop());
    }

    @Test
    void exchangesAndConditionalMoves() {
        guest.push(1).push(2).run("d9c9"); // fxch
        assertEquals("3fff8000000000000000", guest.st(0));
        guest.cpu.setArithmeticFlags(Cpu.ZF);
        guest.run("dbc9"); // fcmovne: not taken
        assertEquals("3fff8000000000000000", guest.st(0));
        guest.run("dac9"); // fcmove
        assertEquals("40008000000000000000", guest.st(0));
    }

    @Test
    void comparisons() {
        guest.push(1).push(2).run("dbf1"); // fcomi
        assertEquals(0, guest.cpu.flags() & Cpu.ARITHMETIC);
        guest.run("d9c9", "dbf1");
        assertEquals(Cpu.CF, guest.cpu.flags() & Cpu.ARITHMETIC);
        guest.run("dbf0");
        assertEquals(Cpu.ZF, guest.cpu.flags() & Cpu.ARITHMETIC);
        guest.push(Double.NaN).run("dbe9"); // fucomi
        assertEquals(Cpu.ZF | Cpu.PF | Cpu.CF, guest.cpu.flags() & Cpu.ARITHMETIC);
        assertEquals(0, guest.exceptions());
        guest.run("ded9"); // fcompp
        assertEquals(IE, guest.exceptions());
        assertEquals(0b1101, guest.conditions());
    }

    @Test
    void examining() {
        String[] values = {
            "3fff4000000000000000",
            "7fffc000000000000000",
            "c0008000000000000000",
            "ffff8000000000000000",
            "00000000000000000000",
            "80000000000000000001"
        };
        int[] kinds = {0b0000, 0b0001, 0b0110, 0b0111, 0b1000, 0b1110};
        for (int n = 0; n < values.length; n++) {
            guest.push(values[n]).run("d9e5"); // fxam
            assertEquals(kinds[n], guest.conditions(), values[n]);
            guest.run("ddd8");
        }
        guest.run("dbe3", "d9e5");
        assertEquals(0b1001, guest.conditions() & 0b1101);
    }
}
