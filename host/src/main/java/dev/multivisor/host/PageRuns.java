package dev.multivisor.host;

import java.util.Arrays;
import java.util.BitSet;

/**
 * Some pages of a guest's memory, by their place in {@link dev.multivisor.api.GuestMemory#bytes}: ascending runs that
 * do not touch.
 */
public final class PageRuns {
    /** Bytes in a page. */
    public static final int PAGE = 4096;

    /** First page and number of pages of each run, in turn. */
    private final int[] bounds;

    private PageRuns(int[] bounds) {
        this.bounds = bounds;
    }

    /**
     * Runs as they were written down.
     *
     * @param bounds first page and number of pages of each run, in turn
     * @param memory bytes of memory that they are in
     * @throws HostException if they are not ascending, apart and inside
     */
    public static PageRuns of(int[] bounds, long memory) {
        if (bounds.length % 2 != 0) {
            throw new HostException("pages: the last run has no length");
        }
        long free = 0;
        for (int n = 0; n < bounds.length; n += 2) {
            long end = (long) bounds[n] + bounds[n + 1];
            if (bounds[n] < free || bounds[n + 1] < 1 || end * PAGE > memory) {
                throw new HostException("pages: run " + n / 2 + " (" + bounds[n + 1] + " from " + bounds[n]
                        + ") is not ascending, apart and inside the memory");
            }
            free = end + 1;
        }
        return new PageRuns(bounds.clone());
    }

    /**
     * These pages and, where there would be too many runs, some between them: the narrowest gaps go first.
     *
     * @param most how many runs there may be
     */
    static PageRuns of(BitSet pages, int most) {
        int[] bounds = runs(pages);
        if (bounds.length / 2 <= most) {
            return new PageRuns(bounds);
        }
        int[] gaps = new int[bounds.length / 2 - 1];
        for (int n = 0; n < gaps.length; n++) {
            gaps[n] = bounds[2 * n + 2] - bounds[2 * n] - bounds[2 * n + 1];
        }
        Arrays.sort(gaps);
        // With this gap and all narrower ones closed, few enough are left.
        int closed = gaps[gaps.length - most];
        int[] wider = new int[bounds.length];
        int size = 0;
        for (int n = 0; n < bounds.length; n += 2) {
            if (size > 0 && bounds[n] - wider[size - 2] - wider[size - 1] <= closed) {
                wider[size - 1] = bounds[n] + bounds[n + 1] - wider[size - 2];
            } else {
                wider[size++] = bounds[n];
                wider[size++] = bounds[n + 1];
            }
        }
        return new PageRuns(Arrays.copyOf(wider, size));
    }

    private static int[] runs(BitSet pages) {
        int[] bounds = new int[64];
        int size = 0;
        for (int first = pages.nextSetBit(0); first >= 0; ) {
            int end = pages.nextClearBit(first);
            if (size == bounds.length) {
                bounds = Arrays.copyOf(bounds, 2 * size);
            }
            bounds[size++] = first;
            bounds[size++] = end - first;
            first = pages.nextSetBit(end);
        }
        return Arrays.copyOf(bounds, size);
    }

    /** First page and number of pages of each run, in turn. */
    public int[] bounds() {
        return bounds.clone();
    }

    /** How many runs there are. */
    public int count() {
        return bounds.length / 2;
    }

    /** How many pages there are. */
    public long pages() {
        long pages = 0;
        for (int n = 1; n < bounds.length; n += 2) {
            pages += bounds[n];
        }
        return pages;
    }

    /** Where a run begins, in bytes. */
    public long offset(int run) {
        return (long) bounds[2 * run] * PAGE;
    }

    /** How long a run is, in bytes. */
    public long size(int run) {
        return (long) bounds[2 * run + 1] * PAGE;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof PageRuns runs && Arrays.equals(bounds, runs.bounds);
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(bounds);
    }

    @Override
    public String toString() {
        return pages() + " pages in " + count() + " runs";
    }
}
