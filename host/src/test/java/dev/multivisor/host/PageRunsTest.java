package dev.multivisor.host;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.BitSet;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PageRunsTest {
    private static final long MEMORY = 1000L * PageRuns.PAGE;

    private static BitSet bits(int... pages) {
        BitSet bits = new BitSet();
        for (int page : pages) {
            bits.set(page);
        }
        return bits;
    }

    @Test
    void areWhatIsSet() {
        PageRuns runs = PageRuns.of(bits(0, 1, 5, 7, 8, 9), 10);
        assertArrayEquals(new int[] {0, 2, 5, 1, 7, 3}, runs.bounds());
        assertEquals(3, runs.count());
        assertEquals(6, runs.pages());
        assertEquals(5 * 4096, runs.offset(1));
        assertEquals(3 * 4096, runs.size(2));
        assertEquals(0, PageRuns.of(new BitSet(), 10).count());
        assertEquals(runs, PageRuns.of(runs.bounds(), MEMORY));
    }

    @Test
    void theNarrowestGapsGoFirst() {
        BitSet pages = bits(0, 2, 10, 13, 100);
        assertArrayEquals(new int[] {0, 3, 10, 4, 100, 1}, PageRuns.of(pages, 3).bounds());
        assertArrayEquals(new int[] {0, 14, 100, 1}, PageRuns.of(pages, 2).bounds());
        assertArrayEquals(new int[] {0, 101}, PageRuns.of(pages, 1).bounds());
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 7, 50})
    void fewerRunsHoldEveryPage(int most) {
        Random random = new Random(most);
        for (int round = 0; round < 200; round++) {
            BitSet pages = new BitSet();
            for (int n = random.nextInt(300); n >= 0; n--) {
                pages.set(random.nextInt(1000));
            }
            PageRuns runs = PageRuns.of(pages, most);
            assertTrue(runs.count() <= most, runs::toString);
            BitSet held = new BitSet();
            int[] bounds = runs.bounds();
            for (int n = 0; n < bounds.length; n += 2) {
                assertTrue(pages.get(bounds[n]) && pages.get(bounds[n] + bounds[n + 1] - 1), "no run is too long");
                held.set(bounds[n], bounds[n] + bounds[n + 1]);
            }
            pages.andNot(held);
            assertEquals(new BitSet(), pages);
            PageRuns.of(bounds, MEMORY);
        }
    }

    @Test
    void whatIsNoListOfRunsIsRefused() {
        refused(new int[] {1}, "the last run has no length");
        refused(new int[] {-1, 2}, "run 0 ");
        refused(new int[] {0, 0}, "run 0 ");
        refused(new int[] {0, -5}, "run 0 ");
        refused(new int[] {990, 11}, "run 0 ");
        refused(new int[] {Integer.MAX_VALUE, Integer.MAX_VALUE}, "run 0 ");
        refused(new int[] {5, 2, 6, 1}, "run 1 ");
        refused(new int[] {5, 2, 7, 1}, "run 1 ");
        refused(new int[] {5, 2, 1, 1}, "run 1 ");
    }

    private static void refused(int[] bounds, String problem) {
        String message = assertThrows(HostException.class, () -> PageRuns.of(bounds, MEMORY))
                .getMessage();
        assertTrue(message.startsWith("pages: ") && message.contains(problem), message);
    }
}
