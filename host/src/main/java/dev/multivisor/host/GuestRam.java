package dev.multivisor.host;

import dev.multivisor.api.GuestMemory;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;

/**
 * A guest's memory: one private mapping whose pages appear when they are first touched. The guest sees up to 3 GiB
 * of it from address 0 and the rest from 4 GiB up, which leaves the addresses between to devices.
 */
public final class GuestRam implements GuestMemory, AutoCloseable {
    private static final long LOW_END = 3L << 30;
    private static final long HIGH_START = 4L << 30;

    private static final long READ_SIZE = 1 << 30;

    private final Arena arena;
    private final MemorySegment bytes;
    private final List<Region> regions;
    private final String fallback;
    private final Mappings mappings;

    /** How many of them are this memory's. */
    private int mapped;

    private boolean copied;

    private GuestRam(Arena arena, MemorySegment bytes, Mappings mappings, String fallback) {
        this.arena = arena;
        this.bytes = bytes;
        this.regions = layout(bytes.byteSize());
        this.mappings = mappings;
        this.fallback = fallback;
    }

    /**
     * Memory with what some files hold, read when it is touched. What the guest writes goes to no file, and what it does
     * not write is in the host's memory once for all guests that have it from the same files, as far as one process can
     * have so many mappings; the rest is {@link #copied}.
     *
     * @throws HostException if a file cannot be used, or the host refuses
     */
    public static GuestRam map(MemoryImage image) {
        return map(image, Mappings.PROCESS);
    }

    static GuestRam map(MemoryImage image, Mappings mappings) {
        GuestRam ram = allocate(image.size(), mappings);
        try {
            for (MemoryImage.Layer layer : image.layers()) {
                ram.lay(layer);
            }
            if (ram.mapped > 0) {
                Libc.adviseGuestMemory(ram.bytes.address(), image.size());
            }
            return ram;
        } catch (Throwable e) {
            ram.close();
            throw e;
        }
    }

    private void lay(MemoryImage.Layer layer) {
        Path file = layer.file();
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            if (channel.size() != bytes.byteSize()) {
                throw new HostException(
                        "memory " + file + ": has " + channel.size() + " bytes, the machine " + bytes.byteSize());
            }
            // Without the C library everything is copied.
            int descriptor = fallback.isEmpty() ? Libc.open(file) : -1;
            try {
                PageRuns pages = layer.pages();
                for (int run = 0; run < pages.count(); run++) {
                    if (!lay(descriptor, pages.offset(run), pages.size(run))) {
                        read(channel, pages.offset(run), pages.size(run));
                    }
                }
            } finally {
                if (descriptor >= 0) {
                    Libc.close(descriptor);
                }
            }
        } catch (IOException e) {
            throw new HostException("memory " + file + ": cannot be read (" + e + ")", e);
        }
    }

    /** Maps a run, if the system lets a process have so many mappings. */
    private boolean lay(int descriptor, long offset, long size) {
        if (descriptor < 0) {
            return false;
        }
        if (!mappings.take()) {
            copied = true;
            return false;
        }
        mapped++;
        Libc.mapFile(descriptor, offset, bytes.address() + offset, size);
        return true;
    }

    private void read(FileChannel channel, long offset, long size) throws IOException {
        for (long at = offset; at < offset + size; ) {
            ByteBuffer target =
                    bytes.asSlice(at, Math.min(READ_SIZE, offset + size - at)).asByteBuffer();
            int read = channel.read(target, at);
            if (read < 0) {
                throw new IOException("it ends at " + at);
            }
            at += read;
        }
    }

    /**
     * Makes zeroed memory.
     *
     * @param size in bytes; a multiple of 4096 from {@link MemorySize#MINIMUM} to {@link MemorySize#MAXIMUM}
     * @throws HostException if the size is out of range or the host refuses it
     */
    public static GuestRam allocate(long size) {
        return allocate(size, Mappings.PROCESS);
    }

    private static GuestRam allocate(long size, Mappings mappings) {
        MemorySize.check(size);
        String reason = Libc.reason();
        Arena arena = Arena.ofShared();
        try {
            if (reason.isEmpty()) {
                return new GuestRam(arena, map(arena, size), mappings, "");
            }
            return new GuestRam(arena, arena.allocate(size, 4096), mappings, reason);
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

    /** Whether some of it was read from files instead of mapped, since the process can have no more mappings. */
    boolean copied() {
        return copied;
    }

    /** Gives the memory back to the host. */
    @Override
    public void close() {
        if (arena.scope().isAlive()) {
            arena.close();
            mappings.give(mapped);
        }
    }
}
