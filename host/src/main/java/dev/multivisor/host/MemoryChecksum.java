package dev.multivisor.host;

import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicLong;
import java.util.zip.CRC32C;

/**
 * A checksum of memory that pages may be added to in any order and by any thread: the sum of the CRC-32C of each
 * page and its number. Pages of zeros count for nothing.
 */
public final class MemoryChecksum {
    private final AtomicLong sum = new AtomicLong();

    /** Nothing so far. */
    public MemoryChecksum() {}

    /**
     * Adds pages that follow each other.
     *
     * @param first number of the first one
     * @param pages their bytes, none of them all zeros; its position moves to its limit
     */
    public void add(int first, ByteBuffer pages) {
        CRC32C crc = new CRC32C();
        ByteBuffer number = ByteBuffer.allocate(Integer.BYTES);
        int limit = pages.limit();
        long added = 0;
        for (int page = first; pages.position() < limit; page++) {
            crc.reset();
            crc.update(number.clear().putInt(page).flip());
            crc.update(pages.limit(pages.position() + PageRuns.PAGE));
            pages.limit(limit);
            added += crc.getValue();
        }
        sum.addAndGet(added);
    }

    /** The sum. */
    public long value() {
        return sum.get();
    }
}
