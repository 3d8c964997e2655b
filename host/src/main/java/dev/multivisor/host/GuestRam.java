package dev.multivisor.host;

import dev.multivisor.api.GuestMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * A guest's memory: one anonymous mapping whose pages appear when they are first touched. The guest sees up to 3 GiB
 * of it from address 0 and the rest from 4 GiB up, which leaves the addresses between to devices.
 */
public final class GuestRam implements GuestMemory, AutoCloseable {
    private static final long LOW_END = 3L << 30;
    private static final long HIGH_START = 4L << 30;

    private final Arena arena;
    private final MemorySegment bytes;
    private final List<Region> regions;
    private final String fallback;

    private GuestRam(Arena arena, MemorySegment bytes, String fallback) {
        this.arena = arena;
        this.bytes = bytes;
        this.regions = layout(bytes.byteSize());
        this.fallback = fallback;
    }

    /**
     * Makes zeroed memory.
     *
     * @param size in bytes; a multiple of 4096 from {@link MemorySize#MINIMUM} to {@link MemorySize#MAXIMUM}
     * @throws HostException if the size is out of range or the host refuses it
     */
    public static GuestRam allocate(long size) {
        MemorySize.check(size);
        String reason = Libc.reason();
        Arena arena = Arena.ofShared();
        try {
            if (reason.isEmpty()) {
                return new GuestRam(arena, map(arena, size), "");
            }
            return new GuestRam(arena, arena.allocate(size, 4096), reason);
        } catch (OutOfMemoryError e) {
            arena.close();
            throw new HostException("guest memory: the host has no " + MemorySize.format(size) + " to give", e);
        } catch (RuntimeException e) {
            arena.close();
            throw e;
        }
    }

    // Safety: the segment spans exactly the new mapping and dies with the arena, whose close unmaps it.
    @SuppressWarnings("restricted")
    private static MemorySegment map(Arena arena, long size) {
        long address = Libc.mapAnonymous(size);
        Libc.adviseGuestMemory(address, size);
        return MemorySegment.ofAddress(address).reinterpret(size, arena, gone -> Libc.unmap(address, size));
    }

    private static List<Region> layout(long size) {
        List<Region> regions = new ArrayList<>();
        regions.add(new Region(0, 0, Math.min(size, LOW_END)));
        if (size > LOW_END) {
            regions.add(new Region(HIGH_START, LOW_END, size - LOW_END));
        }
        return List.copyOf(regions);
    }

    @Override
    public MemorySegment bytes() {
        return bytes;
    }

    @Override
    public List<Region> regions() {
        return regions;
    }

    /** Why the memory is an ordinary allocation, with every page present from the start; empty if it is mapped. */
    String fallback() {
        return fallback;
    }

    /** Gives the memory back to the host. */
    @Override
    public void close() {
        if (arena.scope().isAlive()) {
            arena.close();
        }
    }
}
