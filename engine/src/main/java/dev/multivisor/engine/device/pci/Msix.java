package dev.multivisor.engine.device.pci;

import dev.multivisor.engine.device.MmioHandler;
import dev.multivisor.engine.device.StateCheck;

/** MSI-X table and pending bits of a function (PCI 3.0, section 6.8.2), in a memory BAR of their own. */
final class Msix implements MmioHandler {
    /** Bytes of the BAR; the pending bits are in its upper half. */
    static final int BAR_SIZE = 0x1000;

    static final int PENDING = 0x800;

    private static final int WORDS = 4;
    private static final int VECTOR_CONTROL = 3;

    private final int vectors;
    private final MessageSink sink;
    private final int[] table;
    private final long[] pending;
    private boolean enabled;
    private boolean masked;

    Msix(int vectors, MessageSink sink) {
        this.vectors = StateCheck.range("MSI-X vectors", vectors, 1, PENDING / 16);
        this.sink = sink;
        table = new int[vectors * WORDS];
        pending = new long[(vectors + 63) / 64];
        for (int i = 0; i < vectors; i++) {
            table[i * WORDS + VECTOR_CONTROL] = 1;
        }
    }

    synchronized int[] saveTable() {
        return table.clone();
    }

    synchronized long[] savePending() {
        return pending.clone();
    }

    synchronized void restore(String name, int[] savedTable, long[] savedPending) {
        System.arraycopy(StateCheck.copy(name + ".msixTable", savedTable, table.length), 0, table, 0, table.length);
        System.arraycopy(
                StateCheck.copy(name + ".msixPending", savedPending, pending.length), 0, pending, 0, pending.length);
    }

    /** Takes over the message control register. */
    synchronized void control(int value, boolean send) {
        enabled = (value & 0x8000) != 0;
        masked = (value & 0x4000) != 0;
        if (send) {
            for (int i = 0; i < vectors; i++) {
                sendPending(i);
            }
        }
    }

    synchronized boolean enabled() {
        return enabled;
    }

    private boolean open(int vector) {
        return enabled && !masked && (table[vector * WORDS + VECTOR_CONTROL] & 1) == 0;
    }

    /** Sends a vector's message, now or when it is unmasked. */
    synchronized void signal(int vector) {
        if (vector < 0 || vector >= vectors || !enabled) {
            return;
        }
        pending[vector >>> 6] |= 1L << vector;
        sendPending(vector);
    }

    private void sendPending(int vector) {
        long bit = 1L << vector;
        if ((pending[vector >>> 6] & bit) != 0 && open(vector)) {
            pending[vector >>> 6] &= ~bit;
            int entry = vector * WORDS;
            sink.message(table[entry] & 0xffffffffL | (long) table[entry + 1] << 32, table[entry + 2]);
        }
    }

    @Override
    public synchronized long read(int cpu, long offset, int size) {
        long value = word((int) offset >>> 2) & 0xffffffffL;
        if (size == 8) {
            return value | (long) word(((int) offset >>> 2) + 1) << 32;
        }
        return value >>> (offset & 3) * 8;
    }

    private int word(int index) {
        if (index < table.length) {
            return table[index];
        }
        int bits = index - PENDING / 4;
        return bits >= 0 && bits < pending.length * 2 ? (int) (pending[bits >>> 1] >>> (bits & 1) * 32) : 0;
    }

    @Override
    public synchronized void write(int cpu, long offset, int size, long value) {
        if ((offset & 3) != 0 || size < 4) {
            return;
        }
        write((int) offset >>> 2, (int) value);
        if (size == 8) {
            write(((int) offset >>> 2) + 1, (int) (value >>> 32));
        }
    }

    private void write(int index, int value) {
        if (index < table.length) {
            int part = index % WORDS;
            table[index] = part == VECTOR_CONTROL ? value & 1 : part == 0 ? value & ~3 : value;
            sendPending(index / WORDS);
        }
    }
}
