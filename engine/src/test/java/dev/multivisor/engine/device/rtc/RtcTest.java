package dev.multivisor.engine.device.rtc;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.multivisor.engine.device.ManualTime;
import dev.multivisor.engine.device.PortBus;
import dev.multivisor.engine.device.States;
import dev.multivisor.engine.device.Timers;
import dev.multivisor.engine.device.Wire;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class RtcTest {
    private static final long SECOND = 1_000_000_000L;

    private final ManualTime time = new ManualTime();
    private final Timers timers = new Timers(() -> {});
    private final Wire irq = new Wire();
    private final PortBus ports = new PortBus();
    private Rtc rtc;

    @BeforeEach
    void map() {
        time.wallAtStart = LocalDateTime.of(2024, 2, 28, 23, 59, 50).toEpochSecond(ZoneOffset.UTC) * SECOND;
        rtc = new Rtc(time, timers, irq, 3L << 30, 1L << 30);
        rtc.map(ports);
    }

    private int read(int register) {
        ports.out(0x70, 1, register | 0x80);
        return ports.in(0x71, 1);
    }

    private void write(int register, int value) {
        ports.out(0x70, 1, register);
        ports.out(0x71, 1, value);
    }

    @Test
    void showsTheWallTime() {
        time.now = 11 * SECOND;
        assertEquals(0x01, read(0));
        assertEquals(0x00, read(2));
        assertEquals(0x00, read(4));
        assertEquals(0x05, read(6), "a Thursday");
        assertEquals(0x29, read(7));
        assertEquals(0x02, read(8));
        assertEquals(0x24, read(9));
        assertEquals(0x20, read(0x32));
        assertEquals(0x80, read(0x0d));
    }

    @Test
    void updateInProgressComesOnceASecond() {
        assertEquals(0x26, read(0x0a));
        time.now = SECOND - 200_000;
        assertEquals(0xa6, read(0x0a));
        time.now = SECOND;
        assertEquals(0x26, read(0x0a));
    }

    /** mc146818_set_time of Linux. */
    @Test
    void canBeSet() {
        int control = read(0x0b);
        write(0x0b, control | 0x80);
        int select = read(0x0a);
        write(0x0a, select | 0x70);
        write(9, 0x30);
        write(8, 0x12);
        write(7, 0x31);
        write(4, 0x23);
        write(2, 0x59);
        write(0, 0x58);
        write(0x32, 0x20);
        write(0x0b, control);
        write(0x0a, select);
        time.now += 3 * SECOND;
        assertEquals(0x01, read(0));
        assertEquals(0x31, read(9));
        assertEquals(0x01, read(7));
    }

    @Test
    void binaryAndTwelveHours() {
        write(0x0b, 0x04);
        assertEquals(0x80 | 11, read(4));
        assertEquals(59, read(2));
        write(0x0b, 0x00);
        assertEquals(0x91, read(4));
    }

    @Test
    void updateInterrupt() {
        write(0x0b, 0x12);
        time.advance(SECOND, timers);
        assertTrue(irq.level);
        assertEquals(0x90, read(0x0c) & 0xb0);
        assertFalse(irq.level);
        assertEquals(0, read(0x0c));
        time.advance(3 * SECOND, timers);
        assertEquals(2, irq.edges);
    }

    @Test
    void alarmInterrupt() {
        write(1, 0x05);
        write(3, 0x00);
        write(5, 0x00);
        write(0x0b, 0x22);
        time.advance(14 * SECOND, timers);
        assertFalse(irq.level);
        time.advance(2 * SECOND, timers);
        assertTrue(irq.level);
        assertEquals(0xa0, read(0x0c) & 0xa0);
        assertEquals(timers.next(), (15 + 86_400) * SECOND, "the same time tomorrow");
        write(1, 0xff);
        write(3, 0xff);
        write(5, 0xff);
        assertEquals(17 * SECOND, timers.next(), "every second");
    }

    @Test
    void periodicInterrupt() {
        write(0x0a, 0x26);
        write(0x0b, 0x42);
        int count = 0;
        for (int i = 0; i < 2000; i++) {
            time.advance(500_000, timers);
            if (irq.level) {
                count++;
                read(0x0c);
            }
        }
        assertEquals(1024, count, 2);
        write(0x0b, 0x02);
        assertEquals(Timers.NEVER, timers.next());
    }

    @Test
    void memorySize() {
        assertEquals(640, read(0x15) | read(0x16) << 8);
        assertEquals(0xffff, read(0x17) | read(0x18) << 8);
        assertEquals((3 << 14) - 256, read(0x34) | read(0x35) << 8);
        assertEquals(1 << 14, read(0x5b) | read(0x5c) << 8 | read(0x5d) << 16);
    }

    @Test
    void stateTravels() {
        write(0x0f, 0x0a);
        write(1, 0x05);
        write(3, 0x00);
        write(5, 0x00);
        write(0x0b, 0x22);
        write(9, 0x25);
        time.now += SECOND / 2;
        RtcState state = rtc.save();
        Timers others = new Timers(() -> {});
        Rtc restored = new Rtc(time, others, irq, States.travel(state, RtcState.class));
        States.assertSame(state, restored.save());
        assertEquals(timers.next(), others.next());
    }
}
