package dev.multivisor.shadow;

import dev.multivisor.host.HostException;
import dev.multivisor.host.PageListener;
import dev.multivisor.host.PageRegistration;
import dev.multivisor.host.PageTracker;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * A shadow of a page table of a device, such as a GPU's graphics translation table: a tree of tables in guest memory,
 * which a driver in the guest changes as it likes, and which the real device must never see as it is. The shadow is what
 * the device would be given. It follows each write, so that it always equals the guest's.
 *
 * <p>A table is a page of 512 entries of 8 bytes; bit 0 says whether an entry is there, bits 12 to 51 name a page. In a
 * table of the last level that is a page of the device's; above, the next table. What names a page without memory leads
 * nowhere.
 *
 * <p>How it is done, for whoever needs the like: tables are known by frame and level, for a guest may use one page as both,
 * and several entries may name it. The first entry that names a table tracks its page and then reads it, so that a write
 * meanwhile is seen by either; the last one that does not any more forgets it, with what is below. A report is
 * taken as news of a place and not of a value: entries are read again under a lock, for several vCPUs' reports of one
 * place may come in another order than their writes. Tracking a page waits for the other vCPUs, but not for those
 * that wait for this lock, because these are inside a listener's method.
 *
 * <p>Tables in memory that the machine loses, which today is all of it at its end, are dropped: the device must not use
 * what was in them. After the end of the machine the shadow is empty.
 */
public final class ShadowTable implements AutoCloseable {
    private static final VarHandle LONG = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

    /** Entries of a table. */
    public static final int ENTRIES = 512;

    private static final int SHIFT = 9, PAGE = 4096;
    private static final long PRESENT = 1, ADDRESS = 0x000f_ffff_ffff_f000L;

    /** A table by the page that has it and its level, which is 1 for the last one. */
    private record Place(long frame, int level) {}

    /** A table as it was read last. */
    private static final class Table {
        private final long[] entries = new long[ENTRIES];

        /** How many entries name it, the root's register being one. */
        private int users;
    }

    private final PageTracker memory;
    private final int levels;
    private final PageRegistration registration;
    private final Place root;

    // Guarded by this:
    private final Map<Place, Table> tables = new HashMap<>();
    private long changes;
    private boolean closed;

    private ShadowTable(PageTracker memory, long root, int levels) {
        this.memory = memory;
        this.levels = levels;
        this.root = new Place(root >>> 12, levels);
        registration = memory.register(new PageListener() {
            @Override
            public void onWrite(long address, byte[] bytes, Writer writer) {
                written(address, bytes);
            }

            @Override
            public void onRegionRemoved(long frame, long count) {
                removed(frame, count);
            }
        });
        try {
            synchronized (this) {
                if (!use(this.root)) {
                    throw new HostException("page table at 0x" + Long.toHexString(root) + ": there is no memory");
                }
            }
        } catch (Throwable e) {
            registration.close();
            throw e;
        }
    }

    /**
     * Shadows a table from now on.
     *
     * @param root guest-physical address of the table of the highest level, a multiple of 4096
     * @param levels how many levels of tables there are, 1 to 4
     * @throws HostException if there is no memory, if the machine is closed, or on an engine that cannot track pages
     * @throws IllegalArgumentException if an argument is out of range
     */
    public static ShadowTable of(PageTracker memory, long root, int levels) {
        if (levels < 1 || levels > 4 || root % PAGE != 0) {
            throw new IllegalArgumentException(
                    "page table at 0x" + Long.toHexString(root) + " of " + levels + " levels: is out of range");
        }
        return new ShadowTable(memory, root, levels);
    }

    /** The device's address for one of the guest's tables, as the device would find it; empty if there is none. */
    public synchronized Optional<Long> translate(long page) {
        Place place = root;
        while (true) {
            Table table = tables.get(place);
            if (table == null) {
                return Optional.empty();
            }
            long entry = table.entries[(int) (page >>> SHIFT * (place.level - 1)) & ENTRIES - 1];
            if ((entry & PRESENT) == 0) {
                return Optional.empty();
            }
            if (place.level == 1) {
                return Optional.of(entry & ADDRESS);
            }
            place = below(place, entry);
        }
    }

    /** All that the device can reach: the address for each of its pages that has one. */
    public synchronized Map<Long, Long> mappings() {
        Map<Long, Long> all = new TreeMap<>();
        collect(root, 0, all);
        return all;
    }

    private void collect(Place place, long page, Map<Long, Long> all) {
        Table table = tables.get(place);
        if (table == null) {
            return;
        }
        for (int n = 0; n < ENTRIES; n++) {
            long entry = table.entries[n];
            if ((entry & PRESENT) != 0) {
                long here = page << SHIFT | n;
                if (place.level == 1) {
                    all.put(here, entry & ADDRESS);
                } else {
                    collect(below(place, entry), here, all);
                }
            }
        }
    }

    /** How many tables are shadowed now. */
    public synchronized int tables() {
        return tables.size();
    }

    /** How many entries were changed since it was made. */
    public synchronized long changes() {
        return changes;
    }

    private static Place below(Place place, long entry) {
        return new Place((entry & ADDRESS) >>> 12, place.level - 1);
    }

    // ---- Following the guest ----

    private synchronized void written(long address, byte[] bytes) {
        if (closed) {
            return;
        }
        int first = (int) (address % PAGE) / 8;
        int last = (int) ((address % PAGE) + bytes.length - 1) / 8;
        for (int level = 1; level <= levels; level++) {
            Place place = new Place(address / PAGE, level);
            for (int n = first; n <= last; n++) {
                // An entry of a page that is two tables may take the other one away.
                Table table = tables.get(place);
                if (table != null) {
                    set(place, table, n, read(address / PAGE * PAGE + n * 8L));
                }
            }
        }
    }

    /** Such tables cannot be read any more, and count as not watched. */
    private synchronized void removed(long frame, long count) {
        tables.keySet().removeIf(place -> place.frame >= frame && place.frame < frame + count);
    }

    private long read(long address) {
        byte[] bytes = new byte[8];
        memory.read(address, bytes);
        return (long) LONG.get(bytes, 0);
    }

    private void set(Place place, Table table, int n, long entry) {
        long old = table.entries[n];
        if (old == entry) {
            return;
        }
        table.entries[n] = entry;
        changes++;
        if (place.level > 1 && ((old ^ entry) & (PRESENT | ADDRESS)) != 0) {
            // In this order, so that what both name is not forgotten and read anew.
            if ((entry & PRESENT) != 0) {
                use(below(place, entry));
            }
            if ((old & PRESENT) != 0) {
                release(below(place, old));
            }
        }
    }

    /** One more entry names a table. False if there is no memory. */
    private boolean use(Place place) {
        Table known = tables.get(place);
        if (known != null) {
            known.users++;
            return true;
        }
        try {
            registration.add(place.frame);
        } catch (HostException e) {
            if (hasMemory(place.frame)) {
                throw e;
            }
            return false;
        }
        Table table = new Table();
        table.users = 1;
        tables.put(place, table);
        byte[] page = new byte[PAGE];
        memory.read(place.frame * PAGE, page);
        for (int n = 0; n < ENTRIES; n++) {
            set(place, table, n, (long) LONG.get(page, n * 8));
        }
        return true;
    }

    private boolean hasMemory(long frame) {
        return memory.regions().stream()
                .anyMatch(r -> frame >= r.guestAddress() >>> 12 && frame < r.guestAddress() + r.size() >>> 12);
    }

    /** One entry fewer names a table, if there is one there. */
    private void release(Place place) {
        Table table = tables.get(place);
        if (table == null || --table.users > 0) {
            return;
        }
        tables.remove(place);
        registration.remove(place.frame);
        if (place.level > 1) {
            for (long entry : table.entries) {
                if ((entry & PRESENT) != 0) {
                    release(below(place, entry));
                }
            }
        }
    }

    /**
     * Follows the guest no more.
     *
     * @throws HostException if called from inside a method of a page listener
     */
    @Override
    public void close() {
        // Whoever follows a write just now may want to add pages; after this, nobody does.
        synchronized (this) {
            closed = true;
        }
        registration.close();
    }
}
