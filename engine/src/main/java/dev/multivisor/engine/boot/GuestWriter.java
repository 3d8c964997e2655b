package dev.multivisor.engine.boot;

import dev.multivisor.api.EngineException;
import dev.multivisor.api.GuestMemory;
import dev.multivisor.engine.mmu.PhysicalMemory;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/**
 * Places what a boot needs in guest memory: every part claims its range first, and a part that is in no RAM or on top
 * of another one is refused by its name. Memory that nothing is written to stays untouched, and so zero.
 */
final class GuestWriter {
    private static final long PAGE = 4096;

    private record Claim(String name, long start, long end) {}

    private final GuestMemory memory;
    private final MemoryMap map;
    private final List<Claim> claims = new ArrayList<>();

    GuestWriter(GuestMemory memory, MemoryMap map) {
        this.memory = memory;
        this.map = map;
        claims.add(new Claim("the first page", 0, PAGE));
    }

    MemoryMap map() {
        return map;
    }

    /** Takes a range for a part of the boot. The name is that of the image and the field, for errors. */
    void claim(String name, long start, long size) {
        if (size == 0) {
            return;
        }
        if (!usable(start, size)) {
            throw new EngineException(name + ": " + Long.toUnsignedString(size) + " bytes at " + ImageReader.hex(start)
                    + " are not in guest memory (" + describeRam() + ")");
        }
        for (Claim claim : claims) {
            if (start < claim.end && claim.start < start + size) {
                throw new EngineException(name + ": " + ImageReader.hex(start) + " to "
                        + ImageReader.hex(start + size - 1) + " overlaps " + claim.name);
            }
        }
        claims.add(new Claim(name, start, start + size));
    }

    /** Claims the lowest free pages below a limit. */
    long allocateLow(String name, long size, long from, long limit) {
        long address = align(from);
        for (boolean moved = true; moved; ) {
            moved = false;
            for (Claim claim : claims) {
                if (address < claim.end && claim.start < address + Math.max(size, 1)) {
                    address = align(claim.end);
                    moved = true;
                }
            }
            if (!moved && !usable(address, size)) {
                long next = nextRam(address);
                moved = next > address;
                address = moved ? next : limit;
            }
        }
        if (address > limit - size || !usable(address, size)) {
            throw noRoom(name, size);
        }
        claim(name, address, size);
        return address;
    }

    /** Claims the highest free pages below a limit. */
    long allocateHigh(String name, long size, long limit) {
        List<MemoryMap.Range> ram = map.ram();
        for (int i = ram.size() - 1; i >= 0; i--) {
            MemoryMap.Range range = ram.get(i);
            long address = (Math.min(range.end(), limit) - size) & -PAGE;
            for (boolean moved = true; moved && address >= range.start(); ) {
                moved = false;
                for (Claim claim : claims) {
                    if (address < claim.end && claim.start < address + size) {
                        address = (claim.start - size) & -PAGE;
                        moved = true;
                    }
                }
            }
            if (address >= range.start() && size <= range.size()) {
                claim(name, address, size);
                return address;
            }
        }
        throw noRoom(name, size);
    }

    private EngineException noRoom(String name, long size) {
        return new EngineException(name + ": no room for " + size + " bytes in guest memory (" + describeRam() + ")");
    }

    private static long align(long address) {
        return address + PAGE - 1 & -PAGE;
    }

    private long nextRam(long address) {
        for (MemoryMap.Range range : map.ram()) {
            if (range.start() > address) {
                return range.start();
            }
        }
        return address;
    }

    /** Whether a range is wholly in RAM that the guest is told of. */
    private boolean usable(long start, long size) {
        for (MemoryMap.Range range : map.ram()) {
            if (start >= range.start() && start <= range.end() && size >= 0 && size <= range.end() - start) {
                return true;
            }
        }
        return false;
    }

    private String describeRam() {
        long total = 0;
        for (GuestMemory.Region region : memory.regions()) {
            total += region.size();
        }
        return (total >>> 20) + " MiB";
    }

    void write(long address, MemorySegment source) {
        MemorySegment.copy(source, 0, at(address, source.byteSize()), 0, source.byteSize());
    }

    void write(long address, byte[] source) {
        write(address, MemorySegment.ofArray(source));
    }

    void put8(long address, int value) {
        at(address, 1).set(ValueLayout.JAVA_BYTE, 0, (byte) value);
    }

    void put16(long address, int value) {
        at(address, 2).set(PhysicalMemory.SHORT, 0, (short) value);
    }

    void put32(long address, long value) {
        at(address, 4).set(PhysicalMemory.INT, 0, (int) value);
    }

    void put64(long address, long value) {
        at(address, 8).set(PhysicalMemory.LONG, 0, value);
    }

    private MemorySegment at(long address, long size) {
        for (GuestMemory.Region region : memory.regions()) {
            long offset = address - region.guestAddress();
            if (offset >= 0 && offset <= region.size() && size <= region.size() - offset) {
                return memory.bytes().asSlice(region.offset() + offset, size);
            }
        }
        throw new EngineException(
                "boot: " + size + " bytes at " + ImageReader.hex(address) + " are not in guest memory");
    }
}
