package dev.multivisor.engine.device.acpi;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.multivisor.engine.device.ManualTime;
import dev.multivisor.engine.device.PortBus;
import dev.multivisor.engine.device.States;
import dev.multivisor.engine.device.TestControl;
import dev.multivisor.engine.device.Timers;
import dev.multivisor.engine.device.Wire;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class AcpiPmTest {
    private final ManualTime time = new ManualTime();
    private final Timers timers = new Timers(() -> {});
    private final Wire sci = new Wire();
    private final TestControl control = new TestControl();
    private final PortBus ports = new PortBus();
    private AcpiPm pm;

    @BeforeEach
    void map() {
        pm = new AcpiPm(time, timers, sci, control);
        pm.map(ports);
    }

    @Test
    void timerRuns() {
        time.now = 2_000_000_000L;
        assertEquals(2 * 3_579_545, ports.in(0x608, 4));
        assertEquals(2 * 3_579_545 >> 8 & 0xff, ports.in(0x609, 1));
    }

    @Test
    void timerInterruptsWhenItsTopBitChanges() {
        ports.out(0x602, 2, 1);
        time.advance(600_000_000_000L, timers);
        assertTrue(sci.level);
        assertEquals(1, ports.in(0x600, 2));
        ports.out(0x600, 2, 1);
        assertFalse(sci.level);
        assertEquals(0, ports.in(0x600, 2));
    }

    @Test
    void switchesOff() {
        assertEquals(1, ports.in(0x604, 2));
        ports.out(0x604, 2, 5 << 10);
        assertEquals(List.of(), control.asked);
        assertEquals(5 << 10 | 1, ports.in(0x604, 2));
        ports.out(0x604, 2, 5 << 10 | 1 << 13);
        assertEquals(List.of("off"), control.asked);
    }

    @Test
    void powerButtonInterrupts() {
        ports.out(0x602, 2, 1 << 8);
        pm.powerButton();
        assertTrue(sci.level);
        assertEquals(1 << 8, ports.in(0x600, 2));
        ports.out(0x601, 1, 1);
        assertFalse(sci.level);
    }

    @Test
    void generalPurposeEvents() {
        pm.event(3);
        assertFalse(sci.level);
        ports.out(0x612, 1, 8);
        assertTrue(sci.level);
        ports.out(0x610, 1, 8);
        assertFalse(sci.level);
        assertEquals(0x00080000, ports.in(0x610, 4));
    }

    @Test
    void stateTravels() {
        ports.out(0x602, 2, 0x101);
        ports.out(0x604, 2, 5 << 10);
        ports.out(0x612, 2, 0x1234);
        pm.event(7);
        time.now = 700_000_000_000L;
        AcpiPmState state = pm.save();
        Timers others = new Timers(() -> {});
        AcpiPm restored = new AcpiPm(time, others, sci, control, States.travel(state, AcpiPmState.class));
        States.assertSame(state, restored.save());
        assertEquals(1, restored.in(0x600, 2) & 1);
    }
}
