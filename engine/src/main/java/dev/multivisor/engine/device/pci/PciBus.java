package dev.multivisor.engine.device.pci;

import dev.multivisor.engine.device.IrqLine;
import dev.multivisor.engine.device.MmioBus;
import dev.multivisor.engine.device.MmioHandler;
import dev.multivisor.engine.device.PortBus;
import dev.multivisor.engine.device.PortHandler;
import dev.multivisor.engine.device.StateCheck;
import java.util.function.IntFunction;

/**
 * The PCI host bridge and bus 0 behind it: configuration through ports 0xcf8 and 0xcfc (PCI 3.0, section 3.2.2.3.2)
 * and through memory (ECAM, PCI Express 4.0, section 7.2.2). BARs get addresses here as firmware would give them.
 */
public final class PciBus implements PortHandler {
    /** Guest-physical address of ECAM. */
    public static final long ECAM = 0xe000_0000L;

    /** Bytes of ECAM: one bus. */
    public static final long ECAM_SIZE = 0x10_0000;

    /** Where memory BARs are placed: also the end of RAM below 4 GiB. */
    public static final long MEMORY_WINDOW = 0xc000_0000L;

    /** Bytes of the memory window. */
    public static final long MEMORY_WINDOW_SIZE = ECAM - MEMORY_WINDOW;

    /** I/O APIC pin of the first PCI interrupt. */
    public static final int FIRST_IRQ = 16;

    /** PCI interrupts. */
    public static final int IRQS = 8;

    private static final int CONFIG_ADDRESS = 0xcf8;
    private static final int CONFIG_DATA = 0xcfc;
    private static final int PORT_WINDOW = 0xc000;
    private static final int SLOTS = 32;

    private final PciFunction[] functions = new PciFunction[SLOTS];
    private final PortBus ports;
    private final MmioBus mmio;
    private final IntFunction<IrqLine> lines;
    private final PortHandler resetControl;
    private long nextMemory = MEMORY_WINDOW;
    private int nextPort = PORT_WINDOW;
    private int address;

    /**
     * A bus with nothing but the host bridge at 00:00.0.
     *
     * @param lines gives a device its wire of an interrupt, {@link #FIRST_IRQ} and up
     * @param resetControl takes accesses of one byte at 0xcf9
     */
    public PciBus(PortBus ports, MmioBus mmio, IntFunction<IrqLine> lines, PortHandler resetControl) {
        this(ports, mmio, lines, resetControl, new PciBusState(0, powerOnHostBridge()));
    }

    /** Restores the bus and its host bridge; other functions are restored before they are added. */
    public PciBus(
            PortBus ports, MmioBus mmio, IntFunction<IrqLine> lines, PortHandler resetControl, PciBusState state) {
        this.ports = ports;
        this.mmio = mmio;
        this.lines = lines;
        this.resetControl = resetControl;
        address = state.address();
        functions[0] = hostBridge();
        functions[0].restoreFunction(StateCheck.present("pci.hostBridge", state.hostBridge()));
        functions[0].connect(mmio, ports, level -> {}, 0);
    }

    private static PciFunction hostBridge() {
        return new PciFunction("pci.hostBridge", 0x1b36, 0x0008, 0x060000, 0);
    }

    /** The host bridge's state after power-on. */
    public static PciFunctionState powerOnHostBridge() {
        return hostBridge().saveFunction();
    }

    /** The bus and its host bridge. */
    public synchronized PciBusState save() {
        return new PciBusState(address, functions[0].saveFunction());
    }

    /** Claims the ports and ECAM. */
    public void map() {
        ports.map(CONFIG_ADDRESS, 8, 4, this);
        mmio.map(ECAM, ECAM_SIZE, new Ecam());
    }

    /** The interrupt of pin A in a slot; the tables for the guest say the same. */
    public static int irq(int slot) {
        return FIRST_IRQ + slot % IRQS;
    }

    /**
     * Plugs a function in, as function 0 of a slot. To be done in the same order whenever the machine is built.
     *
     * @param slot 1 to 31
     */
    public synchronized void add(int slot, PciFunction function) {
        if (slot < 1 || slot >= SLOTS || functions[slot] != null) {
            throw new IllegalArgumentException("PCI slot " + slot + " is taken or does not exist");
        }
        functions[slot] = function;
        for (PciBar bar : function.bars()) {
            long size = bar.size;
            if (bar.isPorts()) {
                int base = nextPort + (int) size - 1 & (int) -size;
                nextPort = base + (int) size;
                assign(function, bar, base);
            } else {
                long base = nextMemory + size - 1 & -size;
                nextMemory = base + size;
                assign(function, bar, base);
            }
        }
        if (nextMemory > MEMORY_WINDOW + MEMORY_WINDOW_SIZE || nextPort > 0x10000) {
            throw new IllegalArgumentException("PCI windows are full at slot " + slot);
        }
        function.connect(mmio, ports, lines.apply(irq(slot)), irq(slot));
    }

    private static void assign(PciFunction function, PciBar bar, long base) {
        if (!function.restored()) {
            function.assign(bar, base);
        }
    }

    private PciFunction function(int bus, int devfn) {
        return bus == 0 && (devfn & 7) == 0 ? functions[devfn >>> 3] : null;
    }

    private static int ones(int size) {
        return size == 4 ? -1 : (1 << size * 8) - 1;
    }

    @Override
    public int in(int port, int size) {
        if (port < CONFIG_DATA) {
            if (size == 4) {
                return address();
            }
            return size == 1 ? resetControl.in(port, 1) : ones(size);
        }
        int chosen = address();
        PciFunction function = chosen < 0 ? function(chosen >>> 16 & 0xff, chosen >>> 8 & 0xff) : null;
        return function == null ? ones(size) : function.readConfig(chosen & 0xfc | port & 3, size);
    }

    @Override
    public void out(int port, int size, int value) {
        if (port < CONFIG_DATA) {
            if (size == 4) {
                address(value);
            } else if (size == 1) {
                resetControl.out(port, 1, value);
            }
            return;
        }
        int chosen = address();
        PciFunction function = chosen < 0 ? function(chosen >>> 16 & 0xff, chosen >>> 8 & 0xff) : null;
        if (function != null) {
            function.writeConfig(chosen & 0xfc | port & 3, size, value);
        }
    }

    private synchronized int address() {
        return address;
    }

    private synchronized void address(int value) {
        address = value & 0x80fffffc;
    }

    /** Configuration space in memory: 4096 bytes for each function. */
    private final class Ecam implements MmioHandler {
        @Override
        public long read(int cpu, long offset, int size) {
            if (size == 8) {
                return read(cpu, offset, 4) & 0xffffffffL | read(cpu, offset + 4, 4) << 32;
            }
            PciFunction function = function((int) (offset >>> 20), (int) (offset >>> 12) & 0xff);
            return function == null ? ones(size) : function.readConfig((int) offset & 0xfff, size);
        }

        @Override
        public void write(int cpu, long offset, int size, long value) {
            PciFunction function = function((int) (offset >>> 20), (int) (offset >>> 12) & 0xff);
            if (function == null) {
                return;
            }
            function.writeConfig((int) offset & 0xfff, Math.min(size, 4), (int) value);
            if (size == 8) {
                function.writeConfig(((int) offset & 0xfff) + 4, 4, (int) (value >>> 32));
            }
        }
    }
}
