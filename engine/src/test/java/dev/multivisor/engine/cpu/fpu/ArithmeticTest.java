package dev.multivisor.engine.cpu.fpu;

import static dev.multivisor.engine.cpu.fpu.Extended.DE;
import static dev.multivisor.engine.cpu.fpu.Extended.IE;
import static dev.multivisor.engine.cpu.fpu.Extended.OE;
import static dev.multivisor.engine.cpu.fpu.Extended.PE;
import static dev.multivisor.engine.cpu.fpu.Extended.SF;
import static dev.multivisor.engine.cpu.fpu.Extended.UE;
import static dev.multivisor.engine.cpu.fpu.Extended.ZE;
import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class ArithmeticTest {
    private static final String DEFAULT_NAN = "ffffc000000000000000";
    private static final int NEAREST = 0x37f, DOWN = 0x77f, UP = 0xb7f, SINGLE = 0x07f, DOUBLE = 0x27f;
    private static final int SUMMARY = 0x80;

    private final FpuGuest guest = new FpuGuest();

    @Test
    void divisionRoundsTo64Bits() {
        guest.push(1).push(3).run("def9"); // fdivp
        assertEquals("3ffdaaaaaaaaaaaaaaab", guest.st(0));
        assertEquals(PE, guest.exceptions());
        assertEquals(2, guest.conditions()); // C1: rounded up
    }

    @Test
    void precisionControlCutsTheSignificand() {
        guest.control(SINGLE);
        guest.push(1).push(3).run("def9");
        assertEquals("3ffdaaaaab0000000000", guest.st(0));
        guest.control(DOUBLE);
        guest.push(1).push(3).run("def9");
        assertEquals("3ffdaaaaaaaaaaaaa800", guest.st(0));
    }

    @Test
    void directedRounding() {
        guest.control(DOWN);
        guest.push(-1).push(3).run("def9");
        assertEquals("bffdaaaaaaaaaaaaaaab", guest.st(0));
        guest.control(UP);
        guest.push(-1).push(3).run("def9");
        assertEquals("bffdaaaaaaaaaaaaaaaa", guest.st(0));
        guest.push(5).push(-5).run("dec1"); // faddp
        assertEquals("00000000000000000000", guest.st(0));
        guest.control(DOWN);
        guest.push(5).push(-5).run("dec1");
        assertEquals("80000000000000000000", guest.st(0));
    }

    @Test
    void cancellationKeepsTheLastBits() {
        guest.push("40008000000000000000").push("3fffffffffffffffffff").run("dee9"); // fsubp
        assertEquals("3fc08000000000000000", guest.st(0));
        assertEquals(0, guest.exceptions());
    }

    @Test
    void squareRoots() {
        guest.push(2).run("d9fa");
        assertEquals("3fffb504f333f9de6484", guest.st(0));
        assertEquals(PE, guest.exceptions());
        guest.push(-0.0).run("d9fa");
        assertEquals("80000000000000000000", guest.st(0));
        guest.push(-1).run("d9fa");
        assertEquals(DEFAULT_NAN, guest.st(0));
        assertEquals(PE | IE, guest.exceptions());
    }

    @Test
    void invalidOperationsGiveTheDefaultNan() {
        guest.push(0).push(Double.POSITIVE_INFINITY).run("dec9"); // fmulp
        assertEquals(DEFAULT_NAN, guest.st(0));
        assertEquals(IE, guest.exceptions());
        guest.run("dbe2").push("3fff4000000000000000").push(1).run("dec1"); // an unnormal
        assertEquals(DEFAULT_NAN, guest.st(0));
        assertEquals(IE, guest.exceptions());
    }

    @Test
    void theLargerNanIsQuietedAndPropagated() {
        guest.push("7fff8000000000000123").push("7fff8000000000000456").run("dec1");
        assertEquals("7fffc000000000000456", guest.st(0));
        assertEquals(IE, guest.exceptions());
        guest.run("dbe2")
                .push("ffffc000000000000001")
                .push("7fffa000000000000000")
                .run("dec1");
        assertEquals("ffffc000000000000001", guest.st(0));
        assertEquals(IE, guest.exceptions());
    }

    @Test
    void zeroDivide() {
        guest.push(1).push(-0.0).run("def9");
        assertEquals("ffff8000000000000000", guest.st(0));
        assertEquals(ZE, guest.exceptions());
    }

    @Test
    void anUnmaskedZeroDivideLeavesTheStack() {
        guest.control(NEAREST & ~ZE);
        guest.push(1).push(0).run("def9");
        assertEquals("00000000000000000000", guest.st(0));
        assertEquals("3fff8000000000000000", guest.st(1));
        assertEquals(ZE | SUMMARY, guest.exceptions());
        assertEquals(0x6f9, guest.cpu.fpuOpcode);
    }

    @Test
    void overflow() {
        guest.push("7ffeffffffffffffffff").run("d8c0"); // fadd st, st
        assertEquals("7fff8000000000000000", guest.st(0));
        assertEquals(OE | PE, guest.exceptions());
        guest.run("dbe2");
        guest.control(DOWN);
        guest.push("7ffeffffffffffffffff").run("d8c0");
        assertEquals("7ffeffffffffffffffff", guest.st(0));
        guest.run("dbe2");
        guest.control(NEAREST & ~OE);
        guest.push("7ffeffffffffffffffff").run("d8c0");
        assertEquals(String.format("%04xffffffffffffffff", 0x7fff - 24576), guest.st(0));
        assertEquals(OE | SUMMARY, guest.exceptions());
    }

    @Test
    void underflow() {
        guest.push("0001c000000000000001").push(0.5).run("dec9");
        assertEquals("00006000000000000000", guest.st(0));
        assertEquals(UE | PE, guest.exceptions());
        guest.run("dbe2").push("0001c000000000000000").push(0.5).run("dec9");
        assertEquals("00006000000000000000", guest.st(0));
        assertEquals(0, guest.exceptions());
        guest.control(NEAREST & ~UE);
        guest.push("0001c000000000000000").push(0.5).run("dec9");
        assertEquals(String.format("%04xc000000000000000", 24576), guest.st(0));
        assertEquals(UE | SUMMARY, guest.exceptions());
    }

    @Test
    void denormalOperands() {
        guest.push("00000000000000000001").push(1).run("dec1");
        assertEquals(DE | PE, guest.exceptions());
        // A pseudo-denormal has the value of exponent 1.
        guest.run("dbe2").push("00008000000000000000").push(1).run("dec9");
        assertEquals("00018000000000000000", guest.st(0));
        assertEquals(DE, guest.exceptions());
    }

    @Test
    void stackFaults() {
        guest.run("d9e8", "d8c1"); // fld1; fadd st, st(1)
        assertEquals(DEFAULT_NAN, guest.st(0));
        assertEquals(IE | SF, guest.exceptions());
        assertEquals(0, guest.conditions());
        guest.run("dbe3");
        for (int n = 0; n < 9; n++) {
            guest.run("d9e8");
        }
        assertEquals(DEFAULT_NAN, guest.st(0));
        assertEquals(IE | SF, guest.exceptions());
        assertEquals(2, guest.conditions()); // C1: overflow
    }

    @Test
    void remaindersComeInParts() {
        guest.push(0x1p-3).push(0x1p100 + 0x1p48).run("d9f8"); // fprem
        assertEquals(4, guest.conditions()); // C2: not done
        guest.run("d9f8", "d9f8", "d9f8");
        assertEquals(0.0, guest.pop());
        guest.run("dbe3").push(4).push(30).run("d9f8");
        assertEquals(0b1011, guest.conditions()); // 7: C0 = 4, C3 = 2, C1 = 1
        assertEquals(2.0, guest.pop());
        guest.push(30).run("d9f5"); // fprem1
        assertEquals(-2.0, guest.pop());
    }

    @Test
    void scalingAndExtracting() {
        guest.push(-3.9).push(1.5).run("d9fd"); // fscale: 1.5 * 2^-3
        assertEquals(0.1875, guest.pop());
        guest.push(-40).run("d9f4"); // fxtract
        assertEquals(-1.25, guest.pop());
        assertEquals(5.0, guest.pop());
        guest.push(0).run("d9f4");
        assertEquals(ZE, guest.exceptions() & ZE);
        assertEquals(0.0, guest.pop());
        assertEquals(Double.NEGATIVE_INFINITY, guest.pop());
    }
}
