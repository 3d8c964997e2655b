package dev.multivisor.engine.mmu;

import dev.multivisor.engine.device.MmioHandler;
import java.util.ArrayList;
import java.util.List;

/** Device ranges in guest-physical memory: an immutable list, replaced whole when a range comes, goes or moves. */
final class MmioRanges {
    static final MmioRanges NONE = new MmioRanges(List.of());

    /** One device's range. */
    record Range(long base, long size, MmioHandler handler) {
        boolean holds(long address) {
            return Long.compareUnsigned(address - base, size) < 0;
        }

        boolean holds(long address, int bytes) {
            return holds(address) && holds(address + bytes - 1);
        }
    }

    private final Range[] ranges;

    private MmioRanges(List<Range> list) {
        ranges = list.toArray(Range[]::new);
    }

    /** Later ranges come first: what was mapped last wins where guests let BARs overlap. */
    MmioRanges with(Range range) {
        List<Range> list = new ArrayList<>(List.of(ranges));
        list.addFirst(range);
        return new MmioRanges(list);
    }

    MmioRanges without(Range range) {
        List<Range> list = new ArrayList<>(List.of(ranges));
        list.remove(range);
        return new MmioRanges(list);
    }

    long load(int cpu, long address, int size) {
        for (Range range : ranges) {
            if (range.holds(address)) {
                if (range.holds(address, size)) {
                    return range.handler.read(cpu, address - range.base, size) & -1L >>> 64 - size * 8;
                }
                return loadBytes(cpu, address, size);
            }
        }
        return -1L >>> 64 - size * 8;
    }

    private long loadBytes(int cpu, long address, int size) {
        long value = 0;
        for (int n = 0; n < size; n++) {
            value |= load(cpu, address + n, 1) << n * 8;
        }
        return value;
    }

    void store(int cpu, long address, int size, long value) {
        for (Range range : ranges) {
            if (range.holds(address)) {
                if (range.holds(address, size)) {
                    range.handler.write(cpu, address - range.base, size, value & -1L >>> 64 - size * 8);
                } else {
                    for (int n = 0; n < size; n++) {
                        store(cpu, address + n, 1, value >>> n * 8);
                    }
                }
                return;
            }
        }
    }
}
