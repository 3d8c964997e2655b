package dev.multivisor.host;

import java.lang.management.GarbageCollectorMXBean;
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryPoolMXBean;
import java.lang.management.MemoryUsage;
import java.util.Optional;

/**
 * The part of the JVM's heap that is collected when it is full, which stops every thread for some milliseconds. What is
 * to be short, or is to be told at once, must not run into that.
 */
public final class YoungSpace {
    /** Many times what a handover needs, and what other threads take meanwhile. */
    private static final long ROOM = 16L << 20;

    private static final int CHUNK = 1 << 18;

    /** After so many nothing of what was there is in it any more: one more than the launcher's MaxTenuringThreshold. */
    private static final int COLLECTIONS = 3;

    private static final Optional<MemoryPoolMXBean> EDEN = ManagementFactory.getMemoryPoolMXBeans().stream()
            .filter(pool -> pool.getName().equals("Eden Space"))
            .findFirst();

    @SuppressWarnings("UnusedVariable") // written so that the JVM cannot leave the allocation out
    private static volatile byte[] garbage;

    private YoungSpace() {}

    /** Has it collected now if it is nearly full. Does nothing with a collector that has no such space. */
    static void makeRoom() {
        makeRoom(ROOM);
    }

    /** Has it collected now if fewer bytes are free. Does nothing with a collector that has no such space. */
    public static void makeRoom(long bytes) {
        EDEN.filter(pool -> free(pool) < bytes).ifPresent(YoungSpace::collect);
    }

    /**
     * Has it collected now until what is in it, such as what a boot has left, is elsewhere, so that it is not collected when
     * something is to be told. Does nothing with a collector that has no such space.
     */
    public static void clear() {
        for (int n = 0; n < COLLECTIONS; n++) {
            EDEN.ifPresent(YoungSpace::collect);
        }
    }

    /** Nothing but filling it up has it collected, and only it. */
    private static void collect(MemoryPoolMXBean pool) {
        long before = collections();
        for (long n = pool.getUsage().getCommitted() / CHUNK; n >= 0 && collections() == before; n--) {
            garbage = new byte[CHUNK];
        }
        garbage = null;
    }

    private static long collections() {
        return ManagementFactory.getGarbageCollectorMXBeans().stream()
                .mapToLong(GarbageCollectorMXBean::getCollectionCount)
                .sum();
    }

    private static long free(MemoryPoolMXBean pool) {
        MemoryUsage usage = pool.getUsage();
        return usage.getCommitted() - usage.getUsed();
    }
}
