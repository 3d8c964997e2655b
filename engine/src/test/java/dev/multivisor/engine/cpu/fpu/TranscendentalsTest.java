package dev.multivisor.engine.cpu.fpu;

import static dev.multivisor.engine.cpu.fpu.Extended.DE;
import static dev.multivisor.engine.cpu.fpu.Extended.IE;
import static dev.multivisor.engine.cpu.fpu.Extended.PE;
import static dev.multivisor.engine.cpu.fpu.Extended.UE;
import static dev.multivisor.engine.cpu.fpu.Extended.ZE;
import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

/** Values worked out with 300 bits. */
class TranscendentalsTest {
    private static final String FSIN = "d9fe",
            FCOS = "d9ff",
            FSINCOS = "d9fb",
            FPTAN = "d9f2",
            FPATAN = "d9f3",
            F2XM1 = "d9f0",
            FYL2X = "d9f1",
            FYL2XP1 = "d9f9";

    private final FpuGuest guest = new FpuGuest();

    @Test
    void sineAndCosine() {
        assertEquals("3ffed76aa47848677021", guest.push(1).run(FSIN).st(0));
        assertEquals(PE, guest.exceptions());
        assertEquals("3ffe8a51407da8345c92", guest.push(1).run(FCOS).st(0));
        guest.run("dbe3").push(1).run(FSINCOS);
        assertEquals("3ffe8a51407da8345c92", guest.st(0));
        assertEquals("3ffed76aa47848677021", guest.st(1));
    }

    @Test
    void argumentsAreReducedByA66BitPi() {
        assertEquals("bffdcfb89143d3c63219", guest.push(0x1p40).run(FSIN).st(0));
        assertEquals("c03e8000000000000000", guest.push(-0x1p63).run(FSIN).st(0));
        assertEquals(4, guest.conditions()); // C2: out of range
        guest.push(1).run(FSIN);
        assertEquals(0, guest.conditions() & 4);
    }

    @Test
    void tangents() {
        guest.push(1).run(FPTAN);
        assertEquals(1.0, guest.pop());
        assertEquals("3fffc75922e5f71d2dc5", guest.st(0));
        assertEquals("4000ab63739cbfad72cc", guest.push(1).push(-2).run(FPATAN).st(0));
        assertEquals(
                "4000c90fdaa22168c235", guest.push(0).push(-0.0).run(FPATAN).st(0));
        assertEquals(
                "bffec90fdaa22168c235",
                guest.push(Double.NEGATIVE_INFINITY)
                        .push(Double.POSITIVE_INFINITY)
                        .run(FPATAN)
                        .st(0));
    }

    @Test
    void powers() {
        assertEquals("3ffdd413cccfe7799211", guest.push(0.5).run(F2XM1).st(0));
        assertEquals("bffca2ec0cd4a58a542f", guest.push(-0.25).run(F2XM1).st(0));
        guest.run("dbe2");
        assertEquals("bffe8000000000000000", guest.push(-1).run(F2XM1).st(0));
        assertEquals("80000000000000000000", guest.push(-0.0).run(F2XM1).st(0));
        assertEquals(0, guest.exceptions());
    }

    @Test
    void logarithms() {
        assertEquals("40029f73da38d9d4a83f", guest.push(3).push(10).run(FYL2X).st(0));
        assertEquals(
                "3fd7b8aa3b295bbb9b9e", guest.push(1).push(0x1p-40).run(FYL2XP1).st(0));
        guest.run("dbe2");
        assertEquals("c002a000000000000000", guest.push(-2).push(32).run(FYL2X).st(0));
        assertEquals(0, guest.exceptions());
        assertEquals("ffff8000000000000000", guest.push(1).push(0).run(FYL2X).st(0));
        assertEquals(ZE, guest.exceptions());
        guest.push(1).push(-1).run(FYL2X);
        assertEquals(ZE | IE, guest.exceptions());
    }

    @Test
    void tinyArgumentsStay() {
        assertEquals(
                "3f008000000000000000",
                guest.push("3f008000000000000000").run(FSIN).st(0));
        assertEquals(PE, guest.exceptions());
        assertEquals(
                "00000000000000001000",
                guest.push("00000000000000001000").run(FSIN).st(0));
        assertEquals(PE | UE | DE, guest.exceptions());
        assertEquals("80000000000000000000", guest.push(-0.0).run(FSIN).st(0));
        assertEquals("3fff8000000000000000", guest.push(0).run(FCOS).st(0));
    }
}
