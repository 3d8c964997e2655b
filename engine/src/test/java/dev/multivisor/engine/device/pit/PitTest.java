package dev.multivisor.engine.device.pit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.multivisor.engine.device.ManualTime;
import dev.multivisor.engine.device.PortBus;
import dev.multivisor.engine.device.States;
import dev.multivisor.engine.device.Timers;
import dev.multivisor.engine.device.Wire;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class PitTest {
    private static final long MILLI = 1_000_000;

    private final ManualTime time = new ManualTime();
    private final Timers timers = new Timers(() -> {});
    private final Wire irq = new Wire();
    private final PortBus ports = new PortBus();
    private Pit pit;

    @BeforeEach
    void map() {
        time.now = 12345;
        pit = new Pit(time, timers, irq);
        pit.map(ports);
    }

    /** pit_calibrate_tsc of Linux: channel 2 in mode 0, gated by port 0x61, until its output is seen there. */
    @Test
    void calibrationThroughPort61() {
        ports.out(0x61, 1, ports.in(0x61, 1) & ~2 | 1);
        ports.out(0x43, 1, 0xb0);
        int latch = 1193182 / (1000 / 10);
        ports.out(0x42, 1, latch & 0xff);
        ports.out(0x42, 1, latch >> 8);
        long start = time.now;
        int loops = 0;
        while ((ports.in(0x61, 1) & 0x20) == 0) {
            time.now += 1000;
            loops++;
        }
        assertEquals(10.0, (time.now - start) / 1e6, 0.01);
        assertTrue(loops > 1000);
    }

    /** quick_pit_calibrate of Linux watches the high byte of the count. */
    @Test
    void countsDownFromTheTop() {
        ports.out(0x61, 1, 1);
        ports.out(0x43, 1, 0xb0);
        ports.out(0x42, 1, 0xff);
        ports.out(0x42, 1, 0xff);
        ports.in(0x42, 1);
        assertEquals(0xff, ports.in(0x42, 1));
        time.now += 257_000_000_000L / 1_193_182;
        ports.in(0x42, 1);
        assertEquals(0xfe, ports.in(0x42, 1));
    }

    @Test
    void refreshBitToggles() {
        int first = ports.in(0x61, 1) & 0x10;
        time.now += 15_085;
        assertEquals(first ^ 0x10, ports.in(0x61, 1) & 0x10);
    }

    @Test
    void rateGeneratorInterruptsAtItsRate() {
        ports.out(0x43, 1, 0x34);
        int latch = (1193182 + 125) / 250;
        ports.out(0x40, 1, latch & 0xff);
        ports.out(0x40, 1, latch >> 8);
        int before = irq.edges;
        time.advance(1000 * MILLI, timers);
        assertEquals(250, irq.edges - before, 1);
        ports.out(0x43, 1, 0x30);
        assertFalse(irq.level);
        assertEquals(Timers.NEVER, timers.next());
    }

    @Test
    void oneShotInterruptsOnce() {
        ports.out(0x43, 1, 0x38);
        ports.out(0x40, 1, 0xa9);
        ports.out(0x40, 1, 0x04);
        int before = irq.edges;
        time.advance(100 * MILLI, timers);
        assertEquals(before + 1, irq.edges);
        ports.out(0x43, 1, 0x30);
        ports.out(0x40, 1, 0x10);
        ports.out(0x40, 1, 0);
        time.advance(MILLI, timers);
        assertEquals(before + 2, irq.edges);
        assertEquals(Timers.NEVER, timers.next());
    }

    @Test
    void squareWaveIsHighHalfOfTheTime() {
        ports.out(0x61, 1, 1);
        ports.out(0x43, 1, 0xb6);
        ports.out(0x42, 1, 0xe8);
        ports.out(0x42, 1, 0x03);
        int high = 0;
        for (int i = 0; i < 1000; i++) {
            time.now += 8380;
            high += ports.in(0x61, 1) >> 5 & 1;
        }
        assertEquals(500, high, 20);
    }

    @Test
    void gateStopsAndTriggers() {
        ports.out(0x43, 1, 0xb0);
        ports.out(0x42, 1, 100);
        ports.out(0x42, 1, 0);
        time.now += MILLI;
        assertEquals(0, ports.in(0x61, 1) & 0x20);
        ports.out(0x61, 1, 1);
        time.now += MILLI;
        assertEquals(0x20, ports.in(0x61, 1) & 0x20);
        ports.out(0x61, 1, 0);
        ports.out(0x43, 1, 0xb2);
        ports.out(0x42, 1, 100);
        ports.out(0x42, 1, 0);
        time.now += MILLI;
        assertEquals(0x20, ports.in(0x61, 1) & 0x20, "mode 1 waits for its gate");
        ports.out(0x61, 1, 1);
        assertEquals(0, ports.in(0x61, 1) & 0x20);
        time.now += MILLI;
        assertEquals(0x20, ports.in(0x61, 1) & 0x20);
    }

    @Test
    void latchAndReadBack() {
        ports.out(0x43, 1, 0x34);
        ports.out(0x40, 1, 0);
        ports.out(0x40, 1, 0x80);
        time.now += MILLI;
        ports.out(0x43, 1, 0x00);
        time.now += MILLI;
        int low = ports.in(0x40, 1);
        int latched = low | ports.in(0x40, 1) << 8;
        assertEquals(0x8000 - 1193, latched, 1);
        ports.out(0x43, 1, 0xc2);
        assertEquals(0xb4, ports.in(0x40, 1));
        low = ports.in(0x40, 1);
        assertEquals(0x8000 - 2386, low | ports.in(0x40, 1) << 8, 2);
    }

    @Test
    void countsInDecimal() {
        ports.out(0x43, 1, 0x35);
        ports.out(0x40, 1, 0x00);
        ports.out(0x40, 1, 0x10);
        time.now += 8381;
        ports.out(0x43, 1, 0x00);
        assertEquals(0x90, ports.in(0x40, 1));
        assertEquals(0x09, ports.in(0x40, 1));
    }

    @Test
    void stateTravelsWithItsDeadline() {
        ports.out(0x43, 1, 0x34);
        ports.out(0x40, 1, 0x34);
        ports.out(0x40, 1, 0x12);
        ports.out(0x61, 1, 3);
        ports.out(0x43, 1, 0xb6);
        ports.out(0x42, 1, 0x10);
        time.now += MILLI;
        ports.out(0x43, 1, 0xc2);
        PitState state = pit.save();
        Timers others = new Timers(() -> {});
        Pit restored = new Pit(time, others, irq, States.travel(state, PitState.class));
        States.assertSame(state, restored.save());
        assertEquals(timers.next(), others.next());
    }
}
