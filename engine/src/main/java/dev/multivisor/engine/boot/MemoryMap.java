package dev.multivisor.engine.boot;

import dev.multivisor.api.GuestMemory;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * What the guest is told about its physical address space: RAM without the areas that firmware or devices use, and
 * those areas (ACPI specification 6.5, section 15, "System Address Map Interfaces").
 *
 * @param ranges ascending, without overlap
 */
public record MemoryMap(List<Range> ranges) {
    /** Where the RSDP and the ACPI tables may be: the last 128 KiB of the first megabyte. */
    public static final long FIRMWARE = 0xe0000;

    /** The end of the area for firmware tables. */
    public static final long FIRMWARE_END = 0x100000;

    /** Where base memory ends: above it a PC has its extended BIOS data area. */
    static final long BASE_MEMORY_END = 0x9fc00;

    /** The kinds of ranges that the guest needs to know. */
    public enum Kind {
        /** Usable memory. */
        RAM(1),
        /** Not to be used, such as the PCI configuration space. */
        RESERVED(2);

        /** The value in an E820 entry, the same in Multiboot and PVH. */
        final int code;

        Kind(int code) {
            this.code = code;
        }
    }

    /** Addresses from start (inclusive) to end (exclusive). */
    public record Range(long start, long end, Kind kind) {
        long size() {
            return end - start;
        }
    }

    public MemoryMap {
        ranges = List.copyOf(ranges);
    }

    /** The map of a machine's memory, with the holes of a PC in the first megabyte. */
    public static MemoryMap of(GuestMemory memory) {
        var ranges = new ArrayList<Range>();
        for (GuestMemory.Region region : memory.regions()) {
            ranges.add(new Range(region.guestAddress(), region.guestAddress() + region.size(), Kind.RAM));
        }
        return new MemoryMap(ranges)
                .without(BASE_MEMORY_END, FIRMWARE_END)
                .reserve(BASE_MEMORY_END, 0xa0000)
                .reserve(FIRMWARE, FIRMWARE_END);
    }

    /** This map with a range marked as not to be used. */
    public MemoryMap reserve(long start, long end) {
        var result = new ArrayList<>(without(start, end).ranges);
        result.add(new Range(start, end, Kind.RESERVED));
        result.sort(Comparator.comparingLong(Range::start));
        return new MemoryMap(result);
    }

    private MemoryMap without(long start, long end) {
        var result = new ArrayList<Range>();
        for (Range range : ranges) {
            if (range.end <= start || range.start >= end) {
                result.add(range);
                continue;
            }
            if (range.start < start) {
                result.add(new Range(range.start, start, range.kind));
            }
            if (range.end > end) {
                result.add(new Range(end, range.end, range.kind));
            }
        }
        return new MemoryMap(result);
    }

    /** The usable ranges. */
    List<Range> ram() {
        return ranges.stream().filter(range -> range.kind == Kind.RAM).toList();
    }
}
