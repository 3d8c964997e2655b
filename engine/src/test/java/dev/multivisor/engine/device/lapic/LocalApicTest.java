package dev.multivisor.engine.device.lapic;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.multivisor.api.EngineException;
import dev.multivisor.engine.device.InvalidMsrException;
import dev.multivisor.engine.device.ManualTime;
import dev.multivisor.engine.device.States;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class LocalApicTest {
    private static final int CPUS = 18;
    private static final int TSC_OFFSET = 500;

    private final ManualTime time = new ManualTime();
    private final List<Integer> woken = new ArrayList<>();
    private final List<Integer> ended = new ArrayList<>();
    private LocalApics apics;

    @BeforeEach
    void build() {
        time.now = 1_000;
        apics = new LocalApics(CPUS, time, (cpu, tsc) -> tsc - TSC_OFFSET, woken::add);
        apics.onEoi(ended::add);
    }

    private int read(int cpu, int offset) {
        return (int) apics.read(cpu, offset, 4);
    }

    private void write(int cpu, int offset, int value) {
        apics.write(cpu, offset, 4, value);
    }

    private void enable(int cpu) {
        write(cpu, 0xf0, 0x1ff);
    }

    private void x2apic(int cpu) {
        apics.apic(cpu).writeMsr(0x1b, apics.apic(cpu).readMsr(0x1b) | 0x400);
    }

    @Test
    void identifiesItself() {
        assertEquals(0x50014, read(0, 0x30));
        assertEquals(3 << 24, read(3, 0x20));
        assertEquals(0xfee00900L, apics.apic(0).readMsr(0x1b));
        assertEquals(0xfee00800L, apics.apic(1).readMsr(0x1b));
        assertEquals(0xff, read(0, 0xf0));
        assertEquals(0x700, read(0, 0x350));
        assertEquals(0x10000, read(1, 0x350));
    }

    @Test
    void servesByPriority() {
        LocalApic apic = apics.apic(0);
        enable(0);
        apics.deliver(0, false, 0, 0x41, false);
        apics.deliver(0, false, 0, 0x52, false);
        assertTrue(apic.pending());
        assertEquals(0x52, apic.acknowledge());
        assertEquals(0x50, read(0, 0xa0));
        assertFalse(apic.pending());
        assertEquals(-1, apic.acknowledge());
        assertEquals(1 << 0x12, read(0, 0x120));
        assertEquals(2, read(0, 0x220));
        write(0, 0xb0, 0);
        assertTrue(apic.pending());
        apic.taskPriority(4);
        assertFalse(apic.interruptPending());
        assertEquals(-1, apic.acknowledge());
        assertEquals(0x40, read(0, 0x80));
        apic.taskPriority(3);
        assertEquals(0x41, apic.acknowledge());
        assertEquals(List.of(), ended, "edge triggered");
    }

    @Test
    void levelInterruptsEndAtTheIoApic() {
        enable(0);
        apics.deliver(0, false, 0, 0x41, true);
        assertEquals(2, read(0, 0x1a0));
        assertEquals(0x41, apics.apic(0).acknowledge());
        write(0, 0xb0, 0);
        assertEquals(List.of(0x41), ended);
    }

    @Test
    void aDisabledOneTakesNothing() {
        apics.deliver(0, false, 0, 0x41, false);
        assertEquals(-1, apics.apic(0).acknowledge());
        apics.nmi(0);
        assertTrue(apics.apic(0).pending());
        assertTrue(apics.apic(0).takeNmi());
        assertFalse(apics.apic(0).takeNmi());
        assertFalse(apics.apic(0).pending());
    }

    @Test
    void startsProcessors() {
        write(0, 0x310, 1 << 24);
        write(0, 0x300, 0xc500);
        write(0, 0x300, 0x8500);
        write(0, 0x300, 0x0699);
        assertEquals(List.of(1, 1), woken);
        assertTrue(apics.apic(1).takeInit());
        assertEquals(0x99, apics.apic(1).takeStartup());
        assertEquals(-1, apics.apic(1).takeStartup());
        assertFalse(apics.apic(2).pending());
    }

    @Test
    void shorthands() {
        for (int cpu = 0; cpu < CPUS; cpu++) {
            enable(cpu);
        }
        write(2, 0x300, 0xc4041);
        write(2, 0x300, 0x44042);
        for (int cpu = 0; cpu < CPUS; cpu++) {
            assertEquals(cpu == 2 ? 0x42 : 0x41, apics.apic(cpu).acknowledge());
        }
        write(2, 0x300, 0x84053);
        assertEquals(0x53, apics.apic(0).acknowledge());
    }

    @Test
    void logicalDestinations() {
        for (int cpu = 0; cpu < 8; cpu++) {
            enable(cpu);
            write(cpu, 0xd0, 1 << cpu + 24);
        }
        apics.deliver(0x06, true, 0, 0x61, false);
        assertEquals(List.of(1, 2), woken);
        woken.clear();
        apics.deliver(0xff, true, 1, 0x33, false);
        assertEquals(List.of(0x33 % 8), woken, "lowest priority goes to one");
        woken.clear();
        for (int cpu = 0; cpu < 8; cpu++) {
            write(cpu, 0xe0, 0x0fffffff);
            write(cpu, 0xd0, (cpu / 4 << 4 | 1 << cpu % 4) << 24);
        }
        apics.deliver(0x1a, true, 0, 0x62, false);
        assertEquals(List.of(5, 7), woken);
    }

    @Test
    void x2apicMode() {
        LocalApic apic = apics.apic(17);
        assertThrows(InvalidMsrException.class, () -> apic.readMsr(0x802));
        x2apic(17);
        x2apic(0);
        assertEquals(-1, apics.read(17, 0x20, 4));
        assertEquals(17, apic.readMsr(0x802));
        assertEquals(0x00010002, apic.readMsr(0x80d));
        apic.writeMsr(0x80f, 0x1ff);
        apics.apic(0).writeMsr(0x830, 17L << 32 | 0x4000 | 0x71);
        assertEquals(0x71, apic.acknowledge());
        apic.writeMsr(0x80b, 0);
        apics.apic(0).writeMsr(0x830, 0x00010002L << 32 | 0x800 | 0x72);
        assertEquals(0x72, apic.acknowledge());
        apic.writeMsr(0x83f, 0x81);
        assertEquals(0x81, apic.acknowledge());
        assertThrows(InvalidMsrException.class, () -> apic.readMsr(0x80b));
        assertThrows(InvalidMsrException.class, () -> apic.readMsr(0x80e));
        assertThrows(InvalidMsrException.class, () -> apic.writeMsr(0x802, 1));
        assertThrows(InvalidMsrException.class, () -> apic.writeMsr(0x80b, 1));
        assertThrows(InvalidMsrException.class, () -> apic.writeMsr(0x808, 1L << 32));
        assertThrows(InvalidMsrException.class, () -> apic.writeMsr(0x1b, 0xfee00800L), "back to xAPIC");
        apic.writeMsr(0x1b, 0xfee00000L);
        apic.writeMsr(0x1b, 0xfee00800L);
        assertEquals(0xff, read(17, 0xf0));
    }

    @Test
    void externalInterruptsComeThroughLint0() {
        apics.onExternalAcknowledge(() -> {
            apics.externalInterrupt(false);
            return 0x30;
        });
        apics.externalInterrupt(true);
        assertEquals(0x30, apics.apic(0).acknowledge());
        assertFalse(apics.apic(0).pending());
        enable(0);
        write(0, 0x350, 0x10700);
        apics.externalInterrupt(true);
        assertEquals(-1, apics.apic(0).acknowledge());
        write(0, 0x350, 0x700);
        assertTrue(apics.apic(0).pending());
        assertEquals(0x30, apics.apic(0).acknowledge());
    }

    @Test
    void timerCountsOnceOrForEver() {
        LocalApic apic = apics.apic(0);
        enable(0);
        write(0, 0x3e0, 0x3);
        write(0, 0x320, 0xec);
        write(0, 0x380, 1000);
        assertEquals(1_000 + 16_000, apic.nextDeadline());
        time.now += 8_000;
        assertEquals(500, read(0, 0x390));
        apic.poll(time.now);
        assertFalse(apic.pending());
        time.now += 8_000;
        apic.poll(time.now);
        assertEquals(0xec, apic.acknowledge());
        write(0, 0xb0, 0);
        assertEquals(0, read(0, 0x390));
        assertEquals(Long.MAX_VALUE, apic.nextDeadline());

        write(0, 0x3e0, 0xb);
        write(0, 0x320, 0x200ed);
        write(0, 0x380, 100);
        long start = time.now;
        time.now += 350;
        apic.poll(time.now);
        assertEquals(0xed, apic.acknowledge());
        assertEquals(50, read(0, 0x390));
        assertEquals(start + 400, apic.nextDeadline());
        write(0, 0x380, 0);
        assertEquals(Long.MAX_VALUE, apic.nextDeadline());
    }

    @Test
    void timerFiresAtATscDeadline() {
        LocalApic apic = apics.apic(0);
        enable(0);
        apic.writeMsr(0x6e0, 77);
        assertEquals(0, apic.readMsr(0x6e0), "another mode");
        write(0, 0x320, 0x400ee);
        apic.writeMsr(0x6e0, 5_500);
        assertEquals(5_000, apic.nextDeadline());
        assertEquals(5_500, apic.readMsr(0x6e0));
        time.now = 5_000;
        apic.poll(time.now);
        assertEquals(0xee, apic.acknowledge());
        assertEquals(0, apic.readMsr(0x6e0));
        apic.writeMsr(0x6e0, 9_000);
        apic.writeMsr(0x6e0, 0);
        assertEquals(Long.MAX_VALUE, apic.nextDeadline());
    }

    @Test
    void errorsAreLatched() {
        enable(0);
        write(0, 0x370, 0xfe);
        write(0, 0x300, 0x4005);
        assertEquals(0, read(0, 0x280));
        write(0, 0x280, 0);
        assertEquals(0x20, read(0, 0x280));
        assertEquals(0xfe, apics.apic(0).acknowledge());
        write(0, 0x280, 0);
        assertEquals(0, read(0, 0x280));
    }

    @Test
    void stateTravels() {
        enable(0);
        enable(1);
        x2apic(1);
        write(0, 0xd0, 1 << 24);
        write(0, 0x320, 0x200ed);
        write(0, 0x380, 100);
        apics.deliver(0, false, 0, 0x41, true);
        apics.apic(0).acknowledge();
        apics.deliver(0, false, 0, 0x52, false);
        apics.nmi(0);
        apics.externalInterrupt(true);
        List<LocalApicState> states = apics.save();
        List<LocalApicState> travelled =
                states.stream().map(s -> States.travel(s, LocalApicState.class)).toList();
        LocalApics restored = new LocalApics(CPUS, time, (cpu, tsc) -> tsc, woken::add, travelled);
        States.assertSame(states, restored.save());
        assertTrue(restored.apic(0).pending());
        assertFalse(restored.apic(1).pending());
        assertEquals(apics.apic(0).nextDeadline(), restored.apic(0).nextDeadline());
        assertEquals(1, restored.apic(1).readMsr(0x802));
        EngineException e = assertThrows(
                EngineException.class, () -> new LocalApics(1, time, (cpu, tsc) -> tsc, woken::add, states));
        assertTrue(e.getMessage().startsWith("localApics"), e.getMessage());
    }
}
