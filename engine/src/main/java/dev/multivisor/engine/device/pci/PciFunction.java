package dev.multivisor.engine.device.pci;

import dev.multivisor.api.EngineException;
import dev.multivisor.engine.device.IrqLine;
import dev.multivisor.engine.device.MmioBus;
import dev.multivisor.engine.device.MmioHandler;
import dev.multivisor.engine.device.PortBus;
import dev.multivisor.engine.device.PortHandler;
import dev.multivisor.engine.device.StateCheck;
import java.util.ArrayList;
import java.util.List;

/**
 * A function on the PCI bus: its configuration space (PCI 3.0, chapter 6), base address registers, capabilities, INTx
 * and MSI-X. A device makes one, declares its BARs and capabilities, restores it if it has state, and puts it on a
 * {@link PciBus}.
 */
public class PciFunction {
    static final int COMMAND = 0x04;
    static final int COMMAND_PORTS = 1;
    static final int COMMAND_MEMORY = 2;

    private static final int SIZE = 256;
    private static final int STATUS = 0x06;
    private static final int STATUS_INTERRUPT = 1 << 3;
    private static final int STATUS_CAPABILITIES = 1 << 4;
    private static final int COMMAND_INTERRUPT_DISABLE = 1 << 10;
    private static final int COMMAND_BITS = 0x0547;
    private static final int BARS = 0x10;
    private static final int CAPABILITIES = 0x34;
    private static final int INTERRUPT_LINE = 0x3c;
    private static final int INTERRUPT_PIN = 0x3d;
    private static final int CAPABILITY_MSIX = 0x11;

    private final String name;
    private final byte[] config = new byte[SIZE];
    private final byte[] writable = new byte[SIZE];
    private final List<PciBar> bars = new ArrayList<>();
    private int capabilityEnd = 0x40;
    private int lastCapability = CAPABILITIES;
    private Msix msix;
    private int msixOffset;
    private boolean interrupt;
    private boolean restored;
    private IrqLine wire = level -> {};
    private MmioBus mmio;
    private PortBus ports;

    /**
     * A function without BARs, capabilities and interrupts.
     *
     * @param name names it in errors about state
     * @param classCode class, subclass and programming interface in 24 bits
     */
    public PciFunction(String name, int vendor, int device, int classCode, int revision) {
        this.name = name;
        put16(0x00, vendor);
        put16(0x02, device);
        config[0x08] = (byte) revision;
        config[0x09] = (byte) classCode;
        put16(0x0a, classCode >>> 8);
        writable16(COMMAND, COMMAND_BITS);
        writable[0x0c] = -1;
        writable[INTERRUPT_LINE] = -1;
    }

    // ---- Declarations, before it is put on a bus ----

    /** Subsystem vendor and subsystem. */
    public final void subsystem(int vendor, int id) {
        put16(0x2c, vendor);
        put16(0x2e, id);
    }

    /** Interrupt pin A. */
    public final void interruptPin() {
        config[INTERRUPT_PIN] = 1;
    }

    /**
     * A BAR for memory.
     *
     * @param size a power of two, at least 4096
     * @param wide whether it is of 64 bits and takes the next register too
     */
    public final void memoryBar(int index, long size, boolean wide, MmioHandler handler) {
        add(new PciBar(index, size, wide, handler));
    }

    /** A BAR for ports: the handler is called with their distance from its start. The size is a power of two. */
    public final void portBar(int index, int size, PortHandler handler) {
        add(new PciBar(index, size, handler));
    }

    private void add(PciBar bar) {
        int offset = BARS + bar.index * 4;
        put32(offset, bar.type());
        writable32(offset, (int) bar.addressBits());
        if (bar.wide) {
            writable32(offset + 4, (int) (bar.addressBits() >>> 32));
        }
        bars.add(bar);
    }

    /**
     * Appends a capability.
     *
     * @param length with its two bytes of header
     * @return where it begins
     */
    public final int capability(int id, int length) {
        int offset = capabilityEnd;
        capabilityEnd = offset + length + 3 & ~3;
        if (capabilityEnd > SIZE) {
            throw new IllegalArgumentException(name + ": capabilities do not fit");
        }
        config[lastCapability] = (byte) offset;
        lastCapability = offset + 1;
        config[offset] = (byte) id;
        put16(STATUS, config16(STATUS) | STATUS_CAPABILITIES);
        return offset;
    }

    /** MSI-X with its table in a BAR of its own. */
    public final void msix(int bar, int vectors, MessageSink sink) {
        msix = new Msix(vectors, sink);
        memoryBar(bar, Msix.BAR_SIZE, false, msix);
        msixOffset = capability(CAPABILITY_MSIX, 12);
        put16(msixOffset + 2, vectors - 1);
        writable16(msixOffset + 2, 0xc000);
        put32(msixOffset + 4, bar);
        put32(msixOffset + 8, Msix.PENDING | bar);
    }

    /** A byte of configuration space as a guest finds it first. */
    public final void put8(int offset, int value) {
        config[offset] = (byte) value;
    }

    /** Two bytes of configuration space as a guest finds them first. */
    public final void put16(int offset, int value) {
        put8(offset, value);
        put8(offset + 1, value >>> 8);
    }

    /** Four bytes of configuration space as a guest finds them first. */
    public final void put32(int offset, int value) {
        put16(offset, value);
        put16(offset + 2, value >>> 16);
    }

    /** Which bits of two bytes a guest can change. */
    public final void writable16(int offset, int mask) {
        writable[offset] = (byte) mask;
        writable[offset + 1] = (byte) (mask >>> 8);
    }

    /** Which bits of four bytes a guest can change. */
    public final void writable32(int offset, int mask) {
        writable16(offset, mask);
        writable16(offset + 2, mask >>> 16);
    }

    // ---- State ----

    /** Configuration space and interrupts. */
    public final synchronized PciFunctionState saveFunction() {
        return new PciFunctionState(
                config.clone(),
                interrupt,
                msix == null ? new int[0] : msix.saveTable(),
                msix == null ? new long[0] : msix.savePending());
    }

    /** Takes state over, after the declarations. What a guest cannot write must be as declared. */
    public final synchronized void restoreFunction(PciFunctionState state) {
        byte[] saved = StateCheck.copy(name + ".config", state.config(), SIZE);
        for (int i = 0; i < SIZE; i++) {
            int fixed = i == STATUS ? ~STATUS_INTERRUPT : -1;
            if (((saved[i] ^ config[i]) & ~writable[i] & fixed & 0xff) != 0) {
                throw new EngineException(String.format("%s.config: byte 0x%02x is of another device", name, i));
            }
        }
        System.arraycopy(saved, 0, config, 0, SIZE);
        interrupt = state.interrupt();
        if (msix != null) {
            msix.restore(name, state.msixTable(), state.msixPending());
            msix.control(config16(msixOffset + 2), false);
        }
        restored = true;
    }

    // ---- On the bus ----

    final List<PciBar> bars() {
        return bars;
    }

    final boolean restored() {
        return restored;
    }

    final synchronized void connect(MmioBus mmioBus, PortBus portBus, IrqLine line, int irq) {
        mmio = mmioBus;
        ports = portBus;
        wire = line;
        if (!restored && config[INTERRUPT_PIN] != 0) {
            config[INTERRUPT_LINE] = (byte) irq;
        }
        moveBars();
    }

    /** Sets a BAR as firmware does. */
    final synchronized void assign(PciBar bar, long address) {
        int offset = BARS + bar.index * 4;
        put32(offset, (int) address | bar.type());
        if (bar.wide) {
            put32(offset + 4, (int) (address >>> 32));
        }
        put16(COMMAND, config16(COMMAND) | (bar.isPorts() ? COMMAND_PORTS : COMMAND_MEMORY));
    }

    private void moveBars() {
        int command = config16(COMMAND);
        for (PciBar bar : bars) {
            int offset = BARS + bar.index * 4;
            long address = config32(offset) & 0xffffffffL & bar.addressBits();
            if (bar.wide) {
                address |= (long) config32(offset + 4) << 32;
            }
            boolean decoded = (command & (bar.isPorts() ? COMMAND_PORTS : COMMAND_MEMORY)) != 0;
            bar.move(decoded, address, mmio, ports);
        }
    }

    /** Whether the function may access memory: bit 2 of the command register. */
    public final synchronized boolean busMaster() {
        return (config16(COMMAND) & 4) != 0;
    }

    /** Two bytes of configuration space. */
    protected final int config16(int offset) {
        return config[offset] & 0xff | (config[offset + 1] & 0xff) << 8;
    }

    /** Four bytes of configuration space. */
    protected final int config32(int offset) {
        return config16(offset) | config16(offset + 2) << 16;
    }

    /** Reads 1, 2 or 4 bytes of configuration space; a device that shows more than bytes overrides it. */
    protected synchronized int readConfig(int offset, int size) {
        int value = 0;
        for (int i = 0; i < size && offset + i < SIZE; i++) {
            value |= (config[offset + i] & 0xff) << i * 8;
        }
        return value;
    }

    /** Writes 1, 2 or 4 bytes of configuration space; a device that acts on more overrides it. */
    protected synchronized void writeConfig(int offset, int size, int value) {
        for (int i = 0; i < size && offset + i < SIZE; i++) {
            int mask = writable[offset + i];
            config[offset + i] = (byte) (config[offset + i] & ~mask | value >>> i * 8 & mask);
        }
        if (offset < BARS + 24 && offset + size > COMMAND) {
            moveBars();
            driveInterrupt();
        }
        if (msix != null && offset < msixOffset + 4 && offset + size > msixOffset + 2) {
            msix.control(config16(msixOffset + 2), true);
            driveInterrupt();
        }
    }

    // ---- Interrupts ----

    /** Whether the guest has switched MSI-X on, so that INTx is not used. */
    public final boolean msixEnabled() {
        return msix != null && msix.enabled();
    }

    /** Sends an MSI-X message; nothing happens unless MSI-X is on. */
    public final void signal(int vector) {
        if (msix != null) {
            msix.signal(vector);
        }
    }

    /** Asks for INTx or stops to; it stays off the wire while MSI-X is on or the command register disables it. */
    public final synchronized void interrupt(boolean level) {
        interrupt = level;
        int status = config[STATUS];
        config[STATUS] = (byte) (level ? status | STATUS_INTERRUPT : status & ~STATUS_INTERRUPT);
        driveInterrupt();
    }

    private void driveInterrupt() {
        wire.set(interrupt && (config16(COMMAND) & COMMAND_INTERRUPT_DISABLE) == 0 && !msixEnabled());
    }
}
