package dev.multivisor.engine.boot;

import dev.multivisor.api.GuestMemory;
import dev.multivisor.engine.mmu.PhysicalMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;

/** RAM at 0 and, if there is more than the PCI hole leaves room for, from 4 GiB on. */
final class TestMemory implements GuestMemory {
    private final MemorySegment bytes;
    private final List<Region> regions;

    TestMemory(long size) {
        this(Arena.ofAuto().allocate(size, 4096), List.of(new Region(0, 0, size)));
    }

    TestMemory(MemorySegment bytes, List<Region> regions) {
        this.bytes = bytes;
        this.regions = regions;
    }

    @Override
    public MemorySegment bytes() {
        return bytes;
    }

    @Override
    public List<Region> regions() {
        return regions;
    }

    int int8(long address) {
        return bytes.get(ValueLayout.JAVA_BYTE, address) & 0xff;
    }

    int int32(long address) {
        return bytes.get(PhysicalMemory.INT, address);
    }

    long int64(long address) {
        return bytes.get(PhysicalMemory.LONG, address);
    }

    String text(long address) {
        return bytes.getString(address);
    }
}
