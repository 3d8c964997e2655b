package dev.multivisor.engine.device.pci;

import dev.multivisor.engine.device.MmioBus;
import dev.multivisor.engine.device.MmioHandler;
import dev.multivisor.engine.device.PortBus;
import dev.multivisor.engine.device.PortHandler;

/** A base address register and what it maps: memory or, if the handler is of that kind, ports. */
final class PciBar {
    private static final long UNMAPPED = -1;

    final int index;
    final long size;
    final boolean wide;
    private final MmioHandler memory;
    private final PortHandler ports;
    private final PortHandler relative = new PortHandler() {
        @Override
        public int in(int port, int bytes) {
            return ports.in(port - (int) mapped, bytes);
        }

        @Override
        public void out(int port, int bytes, int value) {
            ports.out(port - (int) mapped, bytes, value);
        }
    };

    private volatile long mapped = UNMAPPED;

    PciBar(int index, long size, boolean wide, MmioHandler memory) {
        this.index = index;
        this.size = size;
        this.wide = wide;
        this.memory = memory;
        ports = null;
    }

    PciBar(int index, int size, PortHandler ports) {
        this.index = index;
        this.size = size;
        wide = false;
        memory = null;
        this.ports = ports;
    }

    boolean isPorts() {
        return ports != null;
    }

    /** The read-only bits. */
    int type() {
        return isPorts() ? 1 : wide ? 4 : 0;
    }

    /** Bits of the address that can be written. */
    long addressBits() {
        return -size;
    }

    /** Maps at an address, or nowhere if it is not decoded. */
    void move(boolean decoded, long address, MmioBus mmio, PortBus portBus) {
        long wanted = decoded && address != 0 ? address : UNMAPPED;
        if (wanted == mapped) {
            return;
        }
        if (mapped != UNMAPPED) {
            if (isPorts()) {
                portBus.unmap((int) mapped, (int) size);
            } else {
                mmio.unmap(mapped, size, memory);
            }
            mapped = UNMAPPED;
        }
        if (wanted == UNMAPPED) {
            return;
        }
        if (!isPorts()) {
            mapped = wanted;
            mmio.map(wanted, size, memory);
        } else if (wanted + size <= 0x10000 && portBus.free((int) wanted, (int) size)) {
            mapped = wanted;
            portBus.map((int) wanted, (int) size, 4, relative);
        }
    }
}
