package dev.multivisor.engine.device.i8042;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.multivisor.engine.device.PortBus;
import dev.multivisor.engine.device.States;
import dev.multivisor.engine.device.TestControl;
import java.util.List;
import org.junit.jupiter.api.Test;

class I8042Test {
    private final TestControl control = new TestControl();
    private final I8042 i8042 = new I8042(control);
    private final PortBus ports = new PortBus();

    I8042Test() {
        i8042.map(ports);
        new ResetControl(control).map(ports);
    }

    private int command(int value) {
        ports.out(0x64, 1, value);
        return (ports.in(0x64, 1) & 1) == 0 ? -1 : ports.in(0x60, 1);
    }

    @Test
    void answersItsCommands() {
        assertEquals(0x14, ports.in(0x64, 1));
        assertEquals(0x55, command(0xaa));
        assertEquals(0x00, command(0xab));
        assertEquals(0x04, command(0x20));
        command(0xad);
        assertEquals(0x14, command(0x20));
        command(0x60);
        ports.out(0x60, 1, 0x47);
        assertEquals(0x47, command(0x20));
        command(0xd3);
        ports.out(0x60, 1, 0xa5);
        assertEquals(0x35, ports.in(0x64, 1));
        assertEquals(0xa5, ports.in(0x60, 1));
        assertEquals(0x03, command(0xd0));
    }

    @Test
    void nothingIsPluggedIn() {
        ports.out(0x60, 1, 0xff);
        assertEquals(0x14, ports.in(0x64, 1));
    }

    @Test
    void resets() {
        ports.out(0x64, 1, 0xfe);
        command(0xd1);
        ports.out(0x60, 1, 0xfe);
        ports.out(0x92, 1, 1);
        assertEquals(List.of("reset", "reset", "reset"), control.asked);
        ports.out(0x64, 1, 0xff);
        ports.out(0x92, 1, 2);
        assertEquals(3, control.asked.size());
    }

    @Test
    void stateTravels() {
        ports.out(0x64, 1, 0xaa);
        ports.out(0x64, 1, 0x60);
        I8042State state = i8042.save();
        I8042 restored = new I8042(control, States.travel(state, I8042State.class));
        States.assertSame(state, restored.save());
    }
}
