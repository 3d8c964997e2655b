package dev.multivisor.engine.mmu;

import dev.multivisor.api.EngineException;
import dev.multivisor.api.GuestMemory;
import dev.multivisor.engine.device.MmioBus;
import dev.multivisor.engine.device.MmioHandler;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.List;

/**
 * Guest-physical addresses of one machine: RAM in its regions, devices between them, and nothing elsewhere, which reads
 * all ones and ignores writes. Where both claim an address, RAM wins, as it does below a chipset's top of memory.
 * Shared by the vCPUs and the devices. Writes made here count as writes for whoever watches a page (see
 * {@link PageWatch} for the protocol).
 */
public final class PhysicalMemory implements MmioBus {
    /** Little-endian accesses of any alignment. */
    public static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** Little-endian accesses of any alignment. */
    public static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** Little-endian accesses of any alignment. */
    public static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private static final int PAGE = 4096;

    /** Held by locked accesses that no single compare-and-set of the host covers. */
    final Object splitLock = new Object();

    final PageWatch watch;

    private final MemorySegment ram;
    private final long firstStart, firstSize, firstDelta;
    private final long[] start, size, delta;
    private volatile MmioRanges mmio = MmioRanges.NONE;

    public PhysicalMemory(GuestMemory memory) {
        ram = memory.bytes();
        List<GuestMemory.Region> regions = memory.regions();
        int count = regions.size();
        start = new long[count];
        size = new long[count];
        delta = new long[count];
        long end = 0;
        for (int n = 0; n < count; n++) {
            GuestMemory.Region region = regions.get(n);
            boolean aligned = ((region.guestAddress() | region.offset() | region.size()) & PAGE - 1) == 0;
            boolean inside =
                    region.offset() >= 0 && region.size() > 0 && region.offset() <= ram.byteSize() - region.size();
            if (!aligned || !inside || region.guestAddress() < end) {
                throw new EngineException("memory: region " + n + " is not aligned, ascending and inside: " + region);
            }
            start[n] = region.guestAddress();
            size[n] = region.size();
            delta[n] = region.offset() - region.guestAddress();
            end = region.guestAddress() + region.size();
        }
        firstStart = count == 0 ? 0 : start[0];
        firstSize = count == 0 ? 0 : size[0];
        firstDelta = count == 0 ? 0 : delta[0];
        watch = new PageWatch(ram.byteSize() >>> 12);
    }

    // ---- Where RAM is ----

    /** All of RAM, by the offsets that {@link #ramOffset} gives. Who writes to it directly tells watchers before and after. */
    public MemorySegment ram() {
        return ram;
    }

    /** The offset in {@link #ram} of an address, or -1 when it is no RAM. */
    public long ramOffset(long physical) {
        return Long.compareUnsigned(physical - firstStart, firstSize) < 0
                ? physical + firstDelta
                : laterRegion(physical);
    }

    private long laterRegion(long physical) {
        for (int n = 1; n < start.length; n++) {
            if (Long.compareUnsigned(physical - start[n], size[n]) < 0) {
                return physical + delta[n];
            }
        }
        return -1;
    }

    /** How many bytes from an address are in the same RAM region: 0 when it is no RAM. */
    private long ramRun(long physical) {
        for (int n = 0; n < start.length; n++) {
            if (Long.compareUnsigned(physical - start[n], size[n]) < 0) {
                return start[n] + size[n] - physical;
            }
        }
        return 0;
    }

    // ---- Devices ----

    /** Gives a range of addresses to a device, also while the guest runs. The latest of overlapping ones wins. */
    @Override
    public synchronized void map(long base, long bytes, MmioHandler handler) {
        mmio = mmio.with(new MmioRanges.Range(base, bytes, handler));
    }

    /** Takes a range away that was given with the same arguments. Accesses in flight on other threads may still end. */
    @Override
    public synchronized void unmap(long base, long bytes, MmioHandler handler) {
        mmio = mmio.without(new MmioRanges.Range(base, bytes, handler));
    }

    // ---- Single accesses ----

    /** Loads 1, 2, 4 or 8 bytes for a device or loader, zero-extended. */
    public long load(long address, int bytes) {
        return load(0, address, bytes);
    }

    /** Stores the low 1, 2, 4 or 8 bytes for a device or loader. */
    public void store(long address, int bytes, long value) {
        store(null, 0, address, bytes, value);
    }

    /** Loads 1, 2, 4 or 8 bytes for a vCPU, zero-extended. */
    public long load(int cpu, long address, int bytes) {
        if ((address & PAGE - 1) + bytes > PAGE) {
            long value = 0;
            for (int n = 0; n < bytes; n++) {
                value |= load(cpu, address + n, 1) << n * 8;
            }
            return value;
        }
        long offset = ramOffset(address);
        return offset >= 0 ? loadRam(offset, bytes) : mmio.load(cpu, address, bytes);
    }

    /**
     * Stores the low 1, 2, 4 or 8 bytes.
     *
     * @param by the vCPU whose instruction stores, or null
     * @param cpu the vCPU that a device sees
     */
    void store(Translations by, int cpu, long address, int bytes, long value) {
        int first = (int) toPageEnd(address);
        if (first < bytes) {
            storePart(by, cpu, address, first, value);
            storePart(by, cpu, address + first, bytes - first, value >>> first * 8);
        } else if (ramOffset(address) >= 0) {
            storePart(by, cpu, address, bytes, value);
        } else {
            mmio.store(cpu, address, bytes, value);
        }
    }

    /** Stores 1 to 8 bytes within a page; in RAM as one write, to a device as single bytes. */
    void storePart(Translations by, int cpu, long address, int bytes, long value) {
        long offset = ramOffset(address);
        if (offset >= 0) {
            watch.beforeWrite(by, offset);
            storeRam(offset, bytes, value);
            watch.wrote(by, address, offset, bytes, value);
        } else {
            for (int n = 0; n < bytes; n++) {
                mmio.store(cpu, address + n, 1, value >>> n * 8);
            }
        }
    }

    long loadRam(long offset, int bytes) {
        return switch (bytes) {
            case 1 -> ram.get(ValueLayout.JAVA_BYTE, offset) & 0xff;
            case 2 -> ram.get(SHORT, offset) & 0xffff;
            case 4 -> ram.get(INT, offset) & 0xffffffffL;
            default -> ram.get(LONG, offset);
        };
    }

    private void storeRam(long offset, int bytes, long value) {
        switch (bytes) {
            case 1 -> ram.set(ValueLayout.JAVA_BYTE, offset, (byte) value);
            case 2 -> ram.set(SHORT, offset, (short) value);
            case 4 -> ram.set(INT, offset, (int) value);
            case 8 -> ram.set(LONG, offset, value);
            default -> {
                for (int n = 0; n < bytes; n++) {
                    ram.set(ValueLayout.JAVA_BYTE, offset + n, (byte) (value >>> n * 8));
                }
            }
        }
    }

    // ---- Blocks, for DMA and loaders ----

    /** Reads a block; what is no RAM reads all ones, devices are not asked. */
    public void read(long address, byte[] target, int offset, int length) {
        read(address, MemorySegment.ofArray(target), offset, length);
    }

    /** Writes a block; what is no RAM ignores it, devices are not asked. */
    public void write(long address, byte[] source, int offset, int length) {
        write(address, MemorySegment.ofArray(source), offset, length);
    }

    /** Reads a block; what is no RAM reads all ones, devices are not asked. */
    public void read(long address, MemorySegment target, long offset, long length) {
        for (long done = 0; done < length; ) {
            long run = ramRun(address + done);
            long part = Math.min(run == 0 ? toPageEnd(address + done) : run, length - done);
            if (run == 0) {
                target.asSlice(offset + done, part).fill((byte) -1);
            } else {
                MemorySegment.copy(ram, ramOffset(address + done), target, offset + done, part);
            }
            done += part;
        }
    }

    /**
     * Writes a block; what is no RAM ignores it, devices are not asked. To be called without a lock that a vCPU may
     * wait for: who watches the memory may hold up the caller, and wait for vCPUs.
     */
    public void write(long address, MemorySegment source, long offset, long length) {
        for (long done = 0; done < length; ) {
            int part = (int) Math.min(toPageEnd(address + done), length - done);
            long target = ramOffset(address + done);
            if (target >= 0) {
                watch.beforeWrite(null, target);
                MemorySegment.copy(source, offset + done, ram, target, part);
                watch.wrote(address + done, target, part, source, offset + done);
            }
            done += part;
        }
    }

    /** Whether all of a block is RAM in one region, so that {@link #ramOffset} of its start leads to all of it. */
    public boolean isRam(long address, long length) {
        return length >= 0 && length <= ramRun(address);
    }

    /** Tells watchers of a write that somebody is about to make directly to {@link #ram}. */
    public void aboutToWrite(long address, long length) {
        for (long done = 0; done < length; done += toPageEnd(address + done)) {
            long offset = ramOffset(address + done);
            if (offset >= 0) {
                watch.beforeWrite(null, offset);
            }
        }
    }

    /** Tells watchers of it after it. */
    public void written(long address, long length) {
        for (long done = 0; done < length; ) {
            long part = Math.min(toPageEnd(address + done), length - done);
            long offset = ramOffset(address + done);
            if (offset >= 0) {
                watch.wrote(address + done, offset, (int) part, ram, offset);
            }
            done += part;
        }
    }

    private static long toPageEnd(long address) {
        return PAGE - (address & PAGE - 1);
    }

    // ---- Watching for writes ----

    /** Who is told of writes to pages with decoded code. Set before the first vCPU runs. */
    public void setCodeListener(WriteListener listener) {
        watch.codeListener(listener);
    }

    /**
     * Watches a page for writes, from any thread; a vCPU that is about to decode uses {@link Mmu#watchCode} instead.
     * What is read from the page after this call returns is either current or will be reported. No RAM: ignored.
     *
     * @param frame the guest-physical address shifted right by 12
     */
    public void watchCode(long frame) {
        watchCode(frame, null);
    }

    boolean watchCode(long frame, Translations caller) {
        long offset = ramOffset(frame << 12);
        return offset >= 0 && watch.watch(frame << 12, offset, PageWatch.CODE, caller);
    }

    /**
     * Ends watching a page for writes. A listener that unwatches does so first and then drops what was decoded; and who
     * decodes asks {@link #watched} once more after making the result known, and drops it if the answer is no:
     * else a result made known between the two steps would stay, unwatched.
     */
    public void unwatchCode(long frame) {
        long offset = ramOffset(frame << 12);
        if (offset >= 0) {
            watch.unwatch(offset, PageWatch.CODE);
        }
    }

    /** Whether a page is watched by anybody: such a page must not be written directly. */
    public boolean watched(long frame) {
        long offset = ramOffset(frame << 12);
        return offset >= 0 && watch.flags(offset) != 0;
    }
}
