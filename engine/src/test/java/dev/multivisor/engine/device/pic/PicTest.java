package dev.multivisor.engine.device.pic;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.multivisor.api.EngineException;
import dev.multivisor.engine.device.PortBus;
import dev.multivisor.engine.device.States;
import dev.multivisor.engine.device.Wire;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class PicTest {
    private final Wire intr = new Wire();
    private final PortBus ports = new PortBus();
    private Pic pic;

    @BeforeEach
    void initialize() {
        pic = new Pic(intr);
        pic.map(ports);
        initialize(0x01);
        ports.out(0x21, 1, 0);
        ports.out(0xa1, 1, 0);
    }

    /** As init_8259A of Linux does. */
    private void initialize(int icw4) {
        ports.out(0x20, 1, 0x11);
        ports.out(0x21, 1, 0x30);
        ports.out(0x21, 1, 0x04);
        ports.out(0x21, 1, icw4);
        ports.out(0xa0, 1, 0x11);
        ports.out(0xa1, 1, 0x38);
        ports.out(0xa1, 1, 0x02);
        ports.out(0xa1, 1, 0x01);
    }

    private void pulse(int irq) {
        pic.set(irq, true);
        pic.set(irq, false);
    }

    @Test
    void maskRegisterIsFoundByTheProbe() {
        ports.out(0xa1, 1, 0xff);
        ports.out(0x21, 1, 0xfb);
        assertEquals(0xfb, ports.in(0x21, 1));
    }

    @Test
    void servesByPriorityThroughTheCascade() {
        pulse(4);
        pulse(12);
        assertTrue(intr.level);
        assertEquals(0x3c, pic.acknowledge());
        assertFalse(intr.level, "4 is below the cascade, which is in service");
        ports.out(0xa0, 1, 0x20);
        ports.out(0x20, 1, 0x20);
        assertTrue(intr.level);
        assertEquals(0x34, pic.acknowledge());
        ports.out(0x20, 1, 0x0b);
        assertEquals(0x10, ports.in(0x20, 1));
        ports.out(0x20, 1, 0x64);
        assertEquals(0, ports.in(0x20, 1));
        assertFalse(intr.level);
    }

    @Test
    void aSecondSlaveRequestFollowsTheFirst() {
        pulse(10);
        assertEquals(0x3a, pic.acknowledge());
        pulse(9);
        ports.out(0x20, 1, 0x62);
        assertTrue(intr.level);
        assertEquals(0x39, pic.acknowledge());
        pulse(11);
        ports.out(0xa0, 1, 0x61);
        ports.out(0xa0, 1, 0x62);
        ports.out(0x20, 1, 0x62);
        assertEquals(0x3b, pic.acknowledge());
    }

    @Test
    void aRequestThatWentIsSpurious() {
        ports.out(0x4d0, 1, 0x20);
        pic.set(5, true);
        pic.set(5, false);
        assertFalse(intr.level);
        assertEquals(0x37, pic.acknowledge());
    }

    @Test
    void levelTriggeredInputsAskAgain() {
        ports.out(0x4d0, 1, 0xff);
        assertEquals(0xf8, ports.in(0x4d0, 1));
        pic.set(5, true);
        assertEquals(0x35, pic.acknowledge());
        ports.out(0x20, 1, 0x65);
        assertTrue(intr.level);
        pic.set(5, false);
        assertFalse(intr.level);
    }

    @Test
    void autoEndOfInterruptAndRotation() {
        initialize(0x03);
        pulse(0);
        assertEquals(0x30, pic.acknowledge());
        pulse(1);
        assertEquals(0x31, pic.acknowledge(), "0 is no longer in service");
        initialize(0x01);
        pulse(3);
        assertEquals(0x33, pic.acknowledge());
        ports.out(0x20, 1, 0xa0);
        pulse(3);
        pulse(4);
        assertEquals(0x34, pic.acknowledge(), "3 has the lowest priority now");
    }

    @Test
    void pollTakesTheRequest() {
        pulse(6);
        ports.out(0x20, 1, 0x0c);
        assertEquals(0x86, ports.in(0x20, 1));
        assertFalse(intr.level);
    }

    @Test
    void specialMaskLetsLowerPrioritiesThrough() {
        pulse(1);
        pic.acknowledge();
        ports.out(0x20, 1, 0x68);
        ports.out(0x21, 1, 0x02);
        pulse(7);
        assertEquals(0x37, pic.acknowledge());
    }

    @Test
    void stateTravels() {
        pulse(9);
        pic.acknowledge();
        pulse(4);
        pic.set(14, true);
        ports.out(0x20, 1, 0x0b);
        ports.out(0xa0, 1, 0x11);
        ports.out(0xa1, 1, 0x70);
        PicState state = pic.save();
        Pic restored = new Pic(intr, States.travel(state, PicState.class));
        States.assertSame(state, restored.save());
        ports.unmap(0x20, 2);
        ports.unmap(0xa0, 2);
        ports.unmap(0x4d0, 2);
        restored.map(ports);
        ports.out(0xa1, 1, 0x02);
        ports.out(0xa1, 1, 0x01);
        ports.out(0x20, 1, 0x62);
        assertEquals(0x34, restored.acknowledge());
    }

    @Test
    void badStateIsNamed() {
        PicState state = pic.save();
        PicState.Chip bad = new PicState.Chip(0, 0x100, 0, 0, 0, 0, 0, 0, 0);
        EngineException e = assertThrows(EngineException.class, () -> new Pic(intr, new PicState(state.master(), bad)));
        assertTrue(e.getMessage().startsWith("pic.slave.irr"), e.getMessage());
        assertThrows(EngineException.class, () -> new Pic(intr, new PicState(null, bad)));
    }
}
