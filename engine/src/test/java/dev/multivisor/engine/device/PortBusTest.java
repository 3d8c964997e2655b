package dev.multivisor.engine.device;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class PortBusTest {
    private final PortBus bus = new PortBus();
    private final List<String> log = new ArrayList<>();
    private final PortHandler device = new PortHandler() {
        @Override
        public int in(int port, int size) {
            log.add("in " + Integer.toHexString(port) + " " + size);
            return 0x11 * (port & 15);
        }

        @Override
        public void out(int port, int size, int value) {
            log.add("out " + Integer.toHexString(port) + " " + size + " " + Integer.toHexString(value));
        }
    };

    @Test
    void unclaimedPortsReadAllOnes() {
        assertEquals(0xff, bus.in(0x80, 1));
        assertEquals(0xffff, bus.in(0x80, 2));
        assertEquals(-1, bus.in(0xffff, 4));
        bus.out(0xfffe, 4, 0x12345678);
    }

    @Test
    void wideAccessesToByteDevicesAreSplit() {
        bus.map(0x101, 2, device);
        assertEquals(0xff2211ff, bus.in(0x100, 4));
        bus.out(0x100, 4, 0x44332211);
        assertEquals(List.of("in 101 1", "in 102 1", "out 101 1 22", "out 102 1 33"), log);
    }

    @Test
    void accessesBeyondTheClaimAreSplit() {
        bus.map(0x200, 4, 4, device);
        bus.out(0x200, 4, 0x44332211);
        bus.out(0x202, 4, 0x44332211);
        assertEquals(List.of("out 200 4 44332211", "out 202 2 2211"), log);
    }

    @Test
    void aPortHasOneOwner() {
        bus.map(0x300, 8, device);
        assertThrows(IllegalArgumentException.class, () -> bus.map(0x307, 1, device));
        bus.unmap(0x300, 8);
        bus.map(0x307, 1, device);
    }
}
