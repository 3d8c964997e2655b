package dev.multivisor.engine.device.serial;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.multivisor.engine.device.PortBus;
import dev.multivisor.engine.device.States;
import dev.multivisor.engine.device.TestConsole;
import dev.multivisor.engine.device.Wire;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class SerialTest {
    private static final int RBR = 0x3f8;
    private static final int IER = 0x3f9;
    private static final int IIR = 0x3fa;
    private static final int FCR = 0x3fa;
    private static final int LCR = 0x3fb;
    private static final int MCR = 0x3fc;
    private static final int LSR = 0x3fd;
    private static final int MSR = 0x3fe;
    private static final int SCR = 0x3ff;

    private final TestConsole console = new TestConsole();
    private final Wire irq = new Wire();
    private final PortBus ports = new PortBus();
    private Serial serial;

    @BeforeEach
    void map() {
        serial = new Serial(console, irq);
        serial.map(ports);
        serial.listen();
    }

    private int in(int port) {
        return ports.in(port, 1);
    }

    private void out(int port, int value) {
        ports.out(port, 1, value);
    }

    /** The steps of autoconfig in Linux' 8250 driver, up to its finding a 16550A. */
    @Test
    void autoconfigFinds16550A() {
        out(IER, 0);
        assertEquals(0, in(IER) & 0x0f);
        out(IER, 0x0f);
        assertEquals(0x0f, in(IER) & 0x0f);
        out(IER, 0);
        out(MCR, 0x10 | 0x0a);
        assertEquals(0x90, in(MSR) & 0xf0);
        out(MCR, 0);
        out(LCR, 0xbf);
        out(0x3fa, 0);
        out(LCR, 0);
        out(FCR, 1);
        assertEquals(3, in(IIR) >> 6);
        out(LCR, 0x80);
        assertTrue(in(0x3fa) != 0, "no EFR");
        out(LCR, 0);
        out(FCR, 0x21);
        assertEquals(6, in(IIR) >> 5, "no 64-byte FIFO");
        out(IER, 0x40);
        assertEquals(0, in(IER), "no UART unit enable bit");
        out(SCR, 0xa5);
        assertEquals(0xa5, in(SCR));
    }

    /** serial8250_do_startup's test for transmitters that forget their interrupt. */
    @Test
    void transmitterInterruptComesAgainWhenEnabled() {
        out(IER, 2);
        assertTrue(irq.level);
        assertEquals(2, in(IIR) & 0x0f);
        assertEquals(1, in(IIR) & 0x0f);
        assertFalse(irq.level);
        out(IER, 0);
        out(IER, 2);
        assertEquals(2, in(IIR) & 0x0f);
    }

    @Test
    void sendsAtOnceAndAsksForMore() {
        out(FCR, 1);
        out(IER, 2);
        in(IIR);
        int before = irq.edges;
        for (byte b : "hello".getBytes(StandardCharsets.US_ASCII)) {
            assertEquals(0x60, in(LSR) & 0x60);
            out(RBR, b);
        }
        assertEquals("hello", console.written());
        assertEquals(before + 1, irq.edges);
        assertEquals(0xc2, in(IIR));
        assertEquals(0xc1, in(IIR));
    }

    @Test
    void receivesThroughTheFifoWithoutLoss() {
        out(FCR, 0xc1);
        out(IER, 1);
        console.type("x");
        assertTrue(irq.level);
        assertEquals(0xcc, in(IIR), "below the trigger level: timeout");
        assertEquals('x', in(RBR));
        assertFalse(irq.level);
        console.type("0123456789abcdefghijklmnop");
        assertEquals(0xc4, in(IIR));
        StringBuilder got = new StringBuilder();
        while ((in(LSR) & 1) != 0) {
            got.append((char) in(RBR));
        }
        assertEquals("0123456789abcdefghijklmnop", got.toString());
        assertEquals(0xc1, in(IIR));
    }

    @Test
    void withoutFifoOneByteAtATime() {
        out(IER, 1);
        console.type("ab");
        assertEquals(0x04, in(IIR));
        assertEquals('a', in(RBR));
        assertEquals('b', in(RBR));
        assertEquals(0x60, in(LSR));
    }

    @Test
    void loopsBack() {
        out(FCR, 1);
        out(MCR, 0x1f);
        out(RBR, 'z');
        assertEquals("", console.written());
        assertEquals('z', in(RBR));
        assertEquals(0xf0, in(MSR) & 0xf0);
        out(MCR, 0x1b);
        assertEquals(0xb4, in(MSR), "trailing edge of RI");
        assertEquals(0xb0, in(MSR));
    }

    @Test
    void overrunInLoopbackIsReported() {
        out(MCR, 0x10);
        out(IER, 4);
        out(RBR, 'a');
        out(RBR, 'b');
        assertTrue(irq.level);
        assertEquals(6, in(IIR));
        assertEquals(0x63, in(LSR));
        assertEquals(0x61, in(LSR));
        assertFalse(irq.level);
    }

    @Test
    void divisorLatch() {
        out(LCR, 0x83);
        out(RBR, 0x01);
        out(IER, 0x02);
        assertEquals(0x01, in(RBR));
        assertEquals(0x02, in(IER));
        out(LCR, 0x03);
        assertEquals("", console.written());
        assertEquals(0, in(IER));
    }

    @Test
    void stateTravels() {
        out(FCR, 0x81);
        out(MCR, 0x0b);
        out(LCR, 0x13);
        out(SCR, 7);
        console.type("0123456789abcdefghijkl");
        for (int i = 0; i < 5; i++) {
            in(RBR);
        }
        out(IER, 7);
        SerialState state = serial.save();
        Wire other = new Wire();
        other.level = irq.level;
        Serial restored = new Serial(console, other, States.travel(state, SerialState.class));
        States.assertSame(state, restored.save());
        for (int i = 5; i < 22; i++) {
            assertEquals("0123456789abcdefghijkl".charAt(i), restored.in(RBR, 1));
        }
        assertEquals(0xc2, restored.in(IIR, 1));
        assertFalse(other.level);
    }
}
