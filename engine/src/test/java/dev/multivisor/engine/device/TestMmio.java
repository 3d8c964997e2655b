package dev.multivisor.engine.device;

import java.util.Map;
import java.util.TreeMap;

/** Remembers what is mapped where. */
public final class TestMmio implements MmioBus {
    public final Map<Long, MmioHandler> mapped = new TreeMap<>();

    @Override
    public void map(long base, long size, MmioHandler handler) {
        mapped.put(base, handler);
    }

    @Override
    public void unmap(long base, long size, MmioHandler handler) {
        mapped.remove(base, handler);
    }
}
