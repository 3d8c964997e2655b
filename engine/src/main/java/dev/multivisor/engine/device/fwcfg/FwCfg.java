package dev.multivisor.engine.device.fwcfg;

import dev.multivisor.engine.device.PortBus;
import dev.multivisor.engine.device.PortHandler;
import dev.multivisor.engine.device.StateCheck;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * QEMU's firmware configuration device (its specification: docs/specs/fw_cfg), read-only and without DMA: a 16-bit
 * selector at port 0x510 and the item's bytes at port 0x511.
 */
public final class FwCfg implements PortHandler {
    private static final int SELECTOR = 0x510;
    private static final int DATA = 0x511;

    private static final int KEY_SIGNATURE = 0x00;
    private static final int KEY_ID = 0x01;
    private static final int KEY_RAM_SIZE = 0x03;
    private static final int KEY_CPUS = 0x05;
    private static final int KEY_MAX_CPUS = 0x0f;
    private static final int KEY_DIRECTORY = 0x19;
    private static final int KEY_FIRST_FILE = 0x20;
    private static final int NAME_SIZE = 56;

    private final Map<Integer, byte[]> items = new TreeMap<>();
    private int selector;
    private int offset;

    /**
     * With what every guest may ask.
     *
     * @param files further items by name, such as {@code opt/org.example/key}
     */
    public FwCfg(int cpus, long ramSize, SortedMap<String, byte[]> files) {
        items.put(KEY_SIGNATURE, "QEMU".getBytes(StandardCharsets.US_ASCII));
        items.put(KEY_ID, little(4).putInt(1).array());
        items.put(KEY_RAM_SIZE, little(8).putLong(ramSize).array());
        items.put(KEY_CPUS, little(2).putShort((short) cpus).array());
        items.put(KEY_MAX_CPUS, little(2).putShort((short) cpus).array());
        ByteBuffer directory = ByteBuffer.allocate(4 + files.size() * (8 + NAME_SIZE));
        directory.putInt(files.size());
        int key = KEY_FIRST_FILE;
        for (Map.Entry<String, byte[]> file : files.entrySet()) {
            byte[] name = file.getKey().getBytes(StandardCharsets.US_ASCII);
            if (name.length >= NAME_SIZE) {
                throw new IllegalArgumentException("fw_cfg file name is too long: " + file.getKey());
            }
            items.put(key, file.getValue().clone());
            int next = directory.position() + 8 + NAME_SIZE;
            directory
                    .putInt(file.getValue().length)
                    .putShort((short) key)
                    .putShort((short) 0)
                    .put(name);
            directory.position(next);
            key++;
        }
        items.put(KEY_DIRECTORY, directory.array());
    }

    /** Restores what is selected. */
    public FwCfg(int cpus, long ramSize, SortedMap<String, byte[]> files, FwCfgState state) {
        this(cpus, ramSize, files);
        selector = StateCheck.range("fwCfg.selector", state.selector(), 0, 0xffff);
        offset = StateCheck.range("fwCfg.offset", state.offset(), 0, Integer.MAX_VALUE);
    }

    private static ByteBuffer little(int size) {
        return ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
    }

    /** What is selected. */
    public synchronized FwCfgState save() {
        return new FwCfgState(selector, offset);
    }

    /** Claims the ports. */
    public void map(PortBus ports) {
        ports.map(SELECTOR, 2, 2, this);
    }

    @Override
    public synchronized int in(int port, int size) {
        if (port != DATA) {
            return size == 2 ? 0xff | read() << 8 : 0xff;
        }
        return read();
    }

    private int read() {
        byte[] item = items.getOrDefault(selector, new byte[0]);
        return offset < item.length ? item[offset++] & 0xff : 0;
    }

    @Override
    public synchronized void out(int port, int size, int value) {
        if (port == SELECTOR && size == 2) {
            selector = value & 0xffff;
            offset = 0;
        }
    }
}
