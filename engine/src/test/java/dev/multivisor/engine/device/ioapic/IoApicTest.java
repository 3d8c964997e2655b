package dev.multivisor.engine.device.ioapic;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.multivisor.engine.device.IrqLine;
import dev.multivisor.engine.device.ManualTime;
import dev.multivisor.engine.device.PortBus;
import dev.multivisor.engine.device.States;
import dev.multivisor.engine.device.Timers;
import dev.multivisor.engine.device.irq.InterruptRouter;
import dev.multivisor.engine.device.irq.InterruptRouterState;
import dev.multivisor.engine.device.lapic.LocalApic;
import dev.multivisor.engine.device.lapic.LocalApics;
import dev.multivisor.engine.device.pic.Pic;
import dev.multivisor.engine.device.pit.Pit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class IoApicTest {
    private final ManualTime time = new ManualTime();
    private final Timers timers = new Timers(() -> {});
    private final PortBus ports = new PortBus();
    private final LocalApics apics = new LocalApics(2, time, (cpu, tsc) -> tsc, cpu -> {});
    private final LocalApic apic = apics.apic(0);
    private final IoApic ioApic = new IoApic(apics, 2);
    private final Pic pic = new Pic(apics::externalInterrupt);
    private final InterruptRouter router = new InterruptRouter(pic, ioApic);

    @BeforeEach
    void enable() {
        apics.onExternalAcknowledge(pic::acknowledge);
        apics.write(0, 0xf0, 4, 0x1ff);
        pic.map(ports);
    }

    private int read(int register) {
        ioApic.write(0, 0, 4, register);
        return (int) ioApic.read(0, 0x10, 4);
    }

    private void write(int register, int value) {
        ioApic.write(0, 0, 4, register);
        ioApic.write(0, 0x10, 4, value);
    }

    private void end() {
        apics.write(0, 0xb0, 4, 0);
    }

    @Test
    void identifiesItself() {
        assertEquals(2 << 24, read(0));
        assertEquals(0x00170020, read(1));
        assertEquals(0x10000, read(0x10));
        assertEquals(0x10000, read(0x10 + 46));
        write(0x13, 0xffffffff);
        assertEquals(0xff000000, read(0x13));
        write(0x12, 0xffffffff);
        assertEquals(0x1afff, read(0x12));
    }

    @Test
    void edges() {
        write(0x10 + 8, 0x10031);
        IrqLine line = router.line(4);
        line.pulse();
        write(0x10 + 8, 0x31);
        assertEquals(-1, apic.acknowledge(), "masked edges are lost");
        line.set(true);
        assertEquals(0x31, apic.acknowledge());
        end();
        line.set(true);
        assertEquals(-1, apic.acknowledge());
        line.set(false);
        line.set(true);
        assertEquals(0x31, apic.acknowledge());
    }

    @Test
    void levels() {
        IrqLine first = router.line(20);
        IrqLine second = router.line(20);
        write(0x10 + 40, 0x1a051);
        first.set(true);
        write(0x10 + 40, 0x0a051);
        assertEquals(0x51, apic.acknowledge(), "asserted while masked");
        assertEquals(0x0e051, read(0x10 + 40));
        second.set(true);
        first.set(false);
        end();
        assertEquals(0x51, apic.acknowledge(), "still asserted by the second device");
        second.set(false);
        end();
        assertEquals(-1, apic.acknowledge());
        assertEquals(0x0a051, read(0x10 + 40));
    }

    @Test
    void endOfInterruptRegister() {
        write(0x10 + 40, 0x0a051);
        IrqLine line = router.line(20);
        line.set(true);
        apic.acknowledge();
        line.set(false);
        ioApic.write(0, 0x40, 4, 0x51);
        assertEquals(0x0a051, read(0x10 + 40));
    }

    /** check_timer of Linux: the 8259's timer is masked, and pin 2 must let the PIT's ticks through. */
    @Test
    void timerTicksArriveAtPin2() {
        Pit pit = new Pit(time, timers, router.line(Pit.IRQ));
        pit.map(ports);
        ports.out(0x20, 1, 0x11);
        ports.out(0x21, 1, 0x30);
        ports.out(0x21, 1, 4);
        ports.out(0x21, 1, 1);
        ports.out(0x21, 1, 0xfa);
        ports.out(0x43, 1, 0x34);
        ports.out(0x40, 1, 0xa9);
        ports.out(0x40, 1, 0x04);
        assertEquals(0x30, apic.acknowledge(), "through the 8259 first, by LINT0");
        ports.out(0x20, 1, 0x60);
        apics.write(0, 0x350, 4, 0x10700);
        ports.out(0x21, 1, 0xfb);
        write(0x15, 0);
        write(0x14, 0x30);
        int ticks = 0;
        for (int i = 0; i < 10; i++) {
            time.advance(1_000_000, timers);
            if (apic.acknowledge() == 0x30) {
                ticks++;
                end();
            }
        }
        assertTrue(ticks >= 9, "ticks " + ticks);
    }

    @Test
    void messagesReachLocalApics() {
        apics.write(1, 0xf0, 4, 0x1ff);
        apics.message(0xfee01000L, 0x4061);
        assertEquals(0x61, apics.apic(1).acknowledge());
        assertEquals(-1, apic.acknowledge());
    }

    @Test
    void stateTravels() {
        write(0x10 + 40, 0x0a051);
        write(0x10 + 8, 0x31);
        router.line(20).set(true);
        router.line(4).set(true);
        IoApicState state = ioApic.save();
        InterruptRouterState wires = router.save();
        LocalApics others = new LocalApics(2, time, (cpu, tsc) -> tsc, cpu -> {});
        IoApic restored = new IoApic(others, States.travel(state, IoApicState.class));
        States.assertSame(state, restored.save());
        InterruptRouter rewired =
                new InterruptRouter(new Pic(level -> {}), restored, States.travel(wires, InterruptRouterState.class));
        States.assertSame(wires, rewired.save());
        rewired.line(20).set(true);
        assertEquals(-1, others.apic(0).acknowledge(), "already delivered before");
    }
}
