package dev.multivisor.engine.device.debug;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.multivisor.engine.device.PortBus;
import dev.multivisor.engine.device.TestConsole;
import dev.multivisor.engine.device.TestControl;
import java.util.List;
import org.junit.jupiter.api.Test;

class DebugTest {
    private final PortBus ports = new PortBus();

    @Test
    void consoleTakesBytes() {
        TestConsole console = new TestConsole();
        new DebugConsole(console).map(ports);
        assertEquals(0xe9, ports.in(0xe9, 1));
        ports.out(0xe9, 1, 'o');
        ports.out(0xe9, 1, 'k');
        assertEquals("ok", console.written());
    }

    @Test
    void exitTellsAStatus() {
        TestControl control = new TestControl();
        new DebugExit(control).map(ports);
        ports.out(0xf4, 1, 0x10);
        ports.out(0xf4, 4, 3);
        assertEquals(List.of("exit 33", "exit 7"), control.asked);
    }
}
