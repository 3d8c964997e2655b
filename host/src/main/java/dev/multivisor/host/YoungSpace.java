package dev.multivisor.host;

import java.lang.management.ManagementFactory;
import java.lang.management.MemoryPoolMXBean;
import java.lang.management.MemoryUsage;

/**
 * The part of the JVM's heap that is collected when it is full, which stops every thread for some milliseconds. What is
 * to be short, or is to be told at once, must not run into that.
 */
public final class YoungSpace {
    /** Many times what a handover needs, and what other threads take meanwhile. */
    private static final long ROOM = 16L << 20;

    private static final int CHUNK = 1 << 18;

    @SuppressWarnings("UnusedVariable") // written so that the JVM cannot leave the allocation out
    private static volatile byte[] garbage;

    private YoungSpace() {}

    /** Has it collected now if it is nearly full. Does nothing with a collector that has no such space. */
    static void makeRoom() {
        makeRoom(ROOM);
    }

    /**
     * Has it collected now, so that what is in it, such as what a boot has left, is not collected when something is to be told.
     * Does nothing with a collector that has no such space.
     */
    public static void clear() {
        makeRoom(Long.MAX_VALUE);
    }

    /** @param room with as many bytes there is nothing to do */
    private static void makeRoom(long room) {
        for (MemoryPoolMXBean pool : ManagementFactory.getMemoryPoolMXBeans()) {
            if (pool.getName().equals("Eden Space")) {
                long before = free(pool);
                // Nothing but filling it up has it collected, and only it.
                for (long n = pool.getUsage().getCommitted() / CHUNK;
                        n >= 0 && before < room && free(pool) <= before;
                        n--) {
                    garbage = new byte[CHUNK];
                }
                garbage = null;
            }
        }
    }

    private static long free(MemoryPoolMXBean pool) {
        MemoryUsage usage = pool.getUsage();
        return usage.getCommitted() - usage.getUsed();
    }
}
