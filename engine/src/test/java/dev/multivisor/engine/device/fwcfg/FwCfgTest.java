package dev.multivisor.engine.device.fwcfg;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.multivisor.engine.device.PortBus;
import dev.multivisor.engine.device.States;
import java.nio.charset.StandardCharsets;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

class FwCfgTest {
    private final TreeMap<String, byte[]> files = new TreeMap<>();
    private final PortBus ports = new PortBus();

    private FwCfg device() {
        files.put("opt/key", "value".getBytes(StandardCharsets.US_ASCII));
        return new FwCfg(3, 0x1_2000_0000L, files);
    }

    private long read(int key, int bytes, boolean bigEndian) {
        ports.out(0x510, 2, key);
        long value = 0;
        for (int i = 0; i < bytes; i++) {
            long next = ports.in(0x511, 1);
            value = bigEndian ? value << 8 | next : value | next << i * 8;
        }
        return value;
    }

    @Test
    void tellsWhatItKnows() {
        device().map(ports);
        assertEquals(0x51454d55, read(0, 4, true));
        assertEquals(1, read(1, 4, false));
        assertEquals(0x1_2000_0000L, read(3, 8, false));
        assertEquals(3, read(5, 2, false));
        assertEquals(0, read(0x7777, 4, false));
        assertEquals(1, read(0x19, 4, true));
        long sizeAndKey = 0;
        for (int i = 0; i < 8; i++) {
            sizeAndKey = sizeAndKey << 8 | ports.in(0x511, 1);
        }
        assertEquals(5L << 32 | 0x20 << 16, sizeAndKey);
        assertEquals('o', ports.in(0x511, 1));
        assertEquals(0x76616c7565L, read(0x20, 5, true));
        assertEquals(0, ports.in(0x511, 1));
    }

    @Test
    void stateTravels() {
        FwCfg device = device();
        device.map(ports);
        read(0, 2, true);
        FwCfgState state = device.save();
        FwCfg restored = new FwCfg(3, 1, files, States.travel(state, FwCfgState.class));
        States.assertSame(state, restored.save());
        assertEquals('M', restored.in(0x511, 1));
    }
}
