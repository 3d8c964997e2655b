package dev.multivisor.engine.mmu;

import java.util.Arrays;
import java.util.function.IntPredicate;

/**
 * One set of translations, for one kind of privilege, with four words an entry in {@link #tags} so that a look-up touches
 * one cache line: the pages that may be read, written and executed, and what to add to a linear address to get the offset
 * in RAM. A tag is the linear address of its page; {@link #SLOW} added to it means that the translation is known and
 * permitted, but the access has to be made by the slow path (a device, a watched page, a breakpoint). Pages larger than 4
 * KiB are entered in pieces.
 *
 * <p>A page has two places, {@link #index} and the {@link #other}, and is in one of them at the most. The interpreter's
 * quick accesses look at the first only, and its slow path brings a page there; compiled code looks at both. So pages that
 * are used in turn stay known, as those of a stack and of arrays that are gone through side by side.
 */
final class Tlb {
    private static final int ENTRY_BITS = 12;
    static final int ENTRIES = 1 << ENTRY_BITS;
    static final int STRIDE_BITS = 2;
    static final int MASK = ENTRIES - 1 << STRIDE_BITS;

    /** By this at least the indices of a page's two places differ. */
    private static final int DIFFERENT = ENTRIES / 2 << STRIDE_BITS;

    /** Words of an entry. */
    static final int READ = 0, WRITE = 1, EXECUTE = 2, ADDEND = 3;

    /** A tag that no address matches. */
    static final long INVALID = -1;

    static final long SLOW = 1;

    /** The tags of every set into which nothing was entered yet: most of those of a machine that was just restored. */
    static final long[] NONE = new long[ENTRIES << STRIDE_BITS];

    static {
        Arrays.fill(NONE, INVALID);
    }

    private static final int LOG = 1024;
    private static final long[] NO_PAGES = {};
    private static final int[] NO_LOG = {};

    long[] tags = NONE;

    /** Guest-physical addresses of pages by entry; bit 0 is set for a global page. */
    long[] physical = NO_PAGES;

    /** Entries filled with pages that are not global since the last flush of those; more than fit: all of them. */
    private int[] log = NO_LOG;

    private int logged;

    /** Entries made to let writes through without the slow path, some of them more than once; more than fit: any. */
    private int[] writeLog = NO_LOG;

    private int writes;

    /** Whether anything was entered since the last full flush. */
    private boolean used;

    /** The index in {@link #tags} of an address's first place. */
    static int index(long linear) {
        return (int) (linear >>> 12 - STRIDE_BITS) & MASK;
    }

    /**
     * The index of a page's second place, of that of its first, or the other way round. Higher bits of the page's number are
     * in it: else pages that are a multiple of 16 MiB apart would have the same two. They leave the lowest bit alone, so
     * that neighbours have none in common: an access into the next page must not find that page's.
     */
    static int other(int index, long linear) {
        return index ^ ((int) (linear >>> 12 + ENTRY_BITS) << STRIDE_BITS + 1 & MASK | DIFFERENT);
    }

    /** The index of the entry that lets an address be accessed in a way without the slow path; else -1. */
    static int find(long[] tags, long linear, int kind) {
        int index = index(linear);
        if (tags[index + kind] != (linear & Mmu.PAGES)) {
            index = other(index, linear);
        }
        return tags[index + kind] == (linear & Mmu.PAGES) ? index : -1;
    }

    /** Whether an entry lets writes through without the slow path. */
    boolean fastWrite(int index) {
        return (tags[index + WRITE] & 0xfff) == 0;
    }

    /** Lets writes through without the slow path. */
    void permitFastWrite(int index, long page) {
        tags[index + WRITE] = page;
        if (writes < LOG) {
            writeLog[writes] = index;
        }
        writes = Math.min(writes + 1, LOG + 1);
    }

    /** Has the logs know of an entry that was made or moved. */
    private void note(int index) {
        if ((physical[index >>> STRIDE_BITS] & 1) == 0) {
            if (logged < LOG) {
                log[logged] = index;
            }
            logged = Math.min(logged + 1, LOG + 1);
        }
        if (fastWrite(index)) {
            permitFastWrite(index, tags[index + WRITE]);
        }
    }

    /** Has writes take the slow path for those entries that a test, which sees each that does not, is true for. */
    void dropFastWrites(IntPredicate test) {
        int found = writes;
        writes = 0;
        if (found <= LOG) {
            for (int n = 0; n < found; n++) {
                dropFastWrite(writeLog[n], test);
            }
        } else {
            for (int index = 0; index < tags.length; index += 1 << STRIDE_BITS) {
                dropFastWrite(index, test);
            }
        }
    }

    private void dropFastWrite(int index, IntPredicate test) {
        if (fastWrite(index)) {
            long page = tags[index + WRITE];
            if (test.test(index)) {
                tags[index + WRITE] = page | SLOW;
            } else {
                permitFastWrite(index, page);
            }
        }
    }

    void invalidate(int index) {
        tags[index] = INVALID;
        tags[index + WRITE] = INVALID;
        tags[index + EXECUTE] = INVALID;
    }

    /** Makes room for entries, if that was not done yet. */
    void allocate() {
        if (tags == NONE) {
            tags = NONE.clone();
            physical = new long[ENTRIES];
            log = new int[LOG];
            writeLog = new int[LOG];
        }
    }

    /** Gives its first place to a page, with no permissions yet. The set is allocated. */
    void take(int index, long page, long physicalPage, long ramOffset, boolean global) {
        used = true;
        if (!holds(index, page)) {
            demote(index);
        }
        invalidate(index);
        tags[index + ADDEND] = ramOffset - page;
        physical[index >>> STRIDE_BITS] = physicalPage | (global ? 1 : 0);
        note(index);
    }

    /**
     * Moves what has an entry to its other place, if this is its first. If it is not, it was moved before and not used
     * since, and is forgotten: else what nobody uses any more would go to and fro and displace what is used.
     */
    private void demote(int index) {
        if ((tags[index] & tags[index + WRITE] & tags[index + EXECUTE]) != INVALID) {
            long page = pageOf(index);
            if (index(page) == index) {
                int other = other(index, page);
                for (int word = 0; word < 1 << STRIDE_BITS; word++) {
                    tags[other + word] = tags[index + word];
                }
                physical[other >>> STRIDE_BITS] = physical[index >>> STRIDE_BITS];
                note(other);
            }
        }
    }

    /** The page that an entry is of. */
    private long pageOf(int index) {
        int kind = tags[index] != INVALID ? READ : tags[index + WRITE] != INVALID ? WRITE : EXECUTE;
        return tags[index + kind] & Mmu.PAGES;
    }

    /** Brings a page that has its other place to its first. */
    void bring(int index, long page) {
        int other = other(index, page);
        long[] entry = Arrays.copyOfRange(tags, other, other + (1 << STRIDE_BITS));
        long frame = physical[other >>> STRIDE_BITS];
        invalidate(other);
        demote(index);
        System.arraycopy(entry, 0, tags, index, entry.length);
        physical[index >>> STRIDE_BITS] = frame;
        note(index);
    }

    /** Whether an entry has something about this page. */
    boolean holds(int index, long page) {
        return (tags[index] & ~SLOW) == page
                || (tags[index + WRITE] & ~SLOW) == page
                || (tags[index + EXECUTE] & ~SLOW) == page;
    }

    void flush() {
        if (used) {
            Arrays.fill(tags, INVALID);
            logged = 0;
            writes = 0;
            used = false;
        }
    }

    void flushNonGlobal() {
        if (logged <= LOG) {
            for (int n = 0; n < logged; n++) {
                invalidate(log[n]);
            }
        } else {
            for (int index = 0; index < tags.length; index += 1 << STRIDE_BITS) {
                if ((physical[index >>> STRIDE_BITS] & 1) == 0) {
                    invalidate(index);
                }
            }
        }
        logged = 0;
    }

    /** Forgets pages {@code first} to {@code first + bytes - 1}, an aligned run no larger than the whole set covers. */
    void flushRun(long first, long bytes) {
        for (long page = first; page != first + bytes; page += 4096) {
            int index = index(page);
            if (holds(index, page)) {
                invalidate(index);
            } else if (holds(other(index, page), page)) {
                invalidate(other(index, page));
            }
        }
    }
}
