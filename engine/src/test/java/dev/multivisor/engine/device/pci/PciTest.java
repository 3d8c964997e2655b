package dev.multivisor.engine.device.pci;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.multivisor.api.EngineException;
import dev.multivisor.engine.device.MmioHandler;
import dev.multivisor.engine.device.PortBus;
import dev.multivisor.engine.device.PortHandler;
import dev.multivisor.engine.device.States;
import dev.multivisor.engine.device.TestControl;
import dev.multivisor.engine.device.TestMmio;
import dev.multivisor.engine.device.Wire;
import dev.multivisor.engine.device.i8042.ResetControl;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class PciTest {
    private final PortBus ports = new PortBus();
    private final TestMmio mmio = new TestMmio();
    private final Wire wire = new Wire();
    private final TestControl control = new TestControl();
    private final List<String> messages = new ArrayList<>();
    private final MmioHandler memory = new MmioHandler() {
        @Override
        public long read(int cpu, long offset, int size) {
            return 0;
        }

        @Override
        public void write(int cpu, long offset, int size, long value) {}
    };
    private final PortHandler registers = new PortHandler() {
        @Override
        public int in(int port, int size) {
            return port;
        }

        @Override
        public void out(int port, int size, int value) {}
    };
    private PciBus bus;
    private PciFunction function;

    @BeforeEach
    void build() {
        bus = new PciBus(ports, mmio, irq -> wire, new ResetControl(control));
        bus.map();
        function = function();
        bus.add(3, function);
    }

    private PciFunction function() {
        PciFunction made = new PciFunction("pci.test", 0x1af4, 0x1041, 0x020000, 1);
        made.subsystem(0x1af4, 0x40);
        made.interruptPin();
        made.memoryBar(0, 0x4000, true, memory);
        made.portBar(2, 0x20, registers);
        made.msix(3, 3, (address, data) -> messages.add(Long.toHexString(address) + ":" + data));
        return made;
    }

    private int read(int slot, int offset, int size) {
        ports.out(0xcf8, 4, 0x80000000 | slot << 11 | offset & 0xfc);
        return ports.in(0xcfc + (offset & 3), size);
    }

    private void write(int slot, int offset, int size, int value) {
        ports.out(0xcf8, 4, 0x80000000 | slot << 11 | offset & 0xfc);
        ports.out(0xcfc + (offset & 3), size, value);
    }

    /** pci_sanity_check of Linux, and a walk over the slots. */
    @Test
    void busIsFound() {
        ports.out(0xcf8, 4, 0x80000000);
        assertEquals(0x80000000, ports.in(0xcf8, 4));
        assertEquals(0x0600, read(0, 0x0a, 2));
        for (int slot = 1; slot < 32; slot++) {
            assertEquals(slot == 3 ? 0x10411af4 : -1, read(slot, 0, 4));
        }
        MmioHandler ecam = mmio.mapped.get(PciBus.ECAM);
        assertEquals(0x10411af4, (int) ecam.read(0, 3 << 15, 4));
        assertEquals(0x1041, ecam.read(0, (3 << 15) + 2, 2));
        assertEquals(-1, ecam.read(0, 4 << 15, 4));
        assertEquals(0, ecam.read(0, (3 << 15) + 0x100, 4));
        ports.out(0xcf8, 4, 0);
        assertEquals(-1, ports.in(0xcfc, 4));
    }

    @Test
    void resetRegisterIsAmongThePorts() {
        ports.out(0xcf9, 1, 2);
        ports.out(0xcf9, 1, 6);
        assertEquals(List.of("reset"), control.asked);
    }

    @Test
    void barsAreSizedAndMoved() {
        assertEquals(0xc0000004, read(3, 0x10, 4));
        assertSame(memory, mmio.mapped.get(0xc0000000L));
        assertEquals(0xc001, read(3, 0x18, 4));
        assertEquals(4, ports.in(0xc004, 1));
        int command = read(3, 4, 2);
        assertEquals(3, command & 3);
        write(3, 4, 2, command & ~3);
        assertEquals(1, mmio.mapped.size(), "ECAM only");
        assertEquals(0xff, ports.in(0xc004, 1));
        write(3, 0x10, 4, -1);
        write(3, 0x14, 4, -1);
        write(3, 0x18, 4, -1);
        assertEquals(0xffffc004, read(3, 0x10, 4));
        assertEquals(-1, read(3, 0x14, 4));
        assertEquals(0xffffffe1, read(3, 0x18, 4));
        assertEquals(0, read(3, 0x24, 4));
        write(3, 0x10, 4, 0xd0000000);
        write(3, 0x14, 4, 0x1);
        write(3, 0x18, 4, 0xd000);
        write(3, 4, 2, 7);
        assertSame(memory, mmio.mapped.get(0x1_d0000000L));
        assertEquals(6, ports.in(0xd006, 1));
        assertTrue(function.busMaster());
    }

    @Test
    void intxFollowsTheCommandRegister() {
        assertEquals(19, read(3, 0x3c, 1));
        function.interrupt(true);
        assertTrue(wire.level);
        assertEquals(8, read(3, 6, 2) & 8);
        write(3, 4, 2, 0x407);
        assertFalse(wire.level);
        write(3, 4, 2, 7);
        assertTrue(wire.level);
        function.interrupt(false);
        assertFalse(wire.level);
    }

    private Msix msix() {
        int capability = read(3, 0x34, 1);
        assertEquals(0x11, read(3, capability, 1));
        assertEquals(2, read(3, capability + 2, 2));
        assertEquals(0x803, read(3, capability + 8, 4));
        return (Msix) mmio.mapped.get(read(3, 0x1c, 4) & 0xffffffffL);
    }

    @Test
    void msixSendsMessages() {
        Msix table = msix();
        function.signal(1);
        assertEquals(0, table.read(0, 0x800, 4), "off: nothing is kept");
        write(3, 0x42, 2, 0xc000);
        table.write(0, 16, 8, 0xfee01000L);
        table.write(0, 24, 4, 0x51);
        table.write(0, 28, 4, 0);
        assertEquals(0x51, table.read(0, 24, 8));
        function.signal(1);
        function.signal(2);
        assertEquals(6, table.read(0, 0x800, 8));
        write(3, 0x42, 2, 0x8000);
        assertEquals(List.of("fee01000:81"), messages);
        table.write(0, 44, 4, 0);
        assertEquals(List.of("fee01000:81", "0:0"), messages);
        function.interrupt(true);
        assertFalse(wire.level);
        assertTrue(function.msixEnabled());
    }

    @Test
    void stateTravels() {
        Msix table = msix();
        write(3, 0x42, 2, 0x8000);
        table.write(0, 16, 4, 0xfee01000L);
        table.write(0, 24, 4, 0x51);
        function.signal(1);
        function.interrupt(true);
        write(3, 0x10, 4, 0xd0000000);
        PciFunctionState state = States.travel(function.saveFunction(), PciFunctionState.class);
        PciBusState busState = States.travel(bus.save(), PciBusState.class);
        mmio.mapped.clear();
        messages.clear();
        PciBus restoredBus = new PciBus(new PortBus(), mmio, irq -> wire, new ResetControl(control), busState);
        PciFunction restored = function();
        restored.restoreFunction(state);
        restoredBus.add(3, restored);
        States.assertSame(state, restored.saveFunction());
        States.assertSame(busState, restoredBus.save());
        assertSame(memory, mmio.mapped.get(0xd0000000L));
        assertEquals(List.of(), messages);
        mmio.mapped.get(restored.config32(0x1c) & 0xffffffffL).write(0, 28, 4, 0);
        assertEquals(List.of("fee01000:81"), messages);
    }

    @Test
    void stateOfAnotherDeviceIsRefused() {
        PciFunction other = new PciFunction("pci.other", 0x1af4, 0x1042, 0x010000, 1);
        EngineException e = assertThrows(EngineException.class, () -> other.restoreFunction(function.saveFunction()));
        assertTrue(e.getMessage().contains("pci.other.config"), e.getMessage());
    }
}
