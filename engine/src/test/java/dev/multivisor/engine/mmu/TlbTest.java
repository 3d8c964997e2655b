package dev.multivisor.engine.mmu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

/** Where translations are, and which of them displace each other. */
class TlbTest {
    private static final long PAGE = 4096, SPAN = Tlb.ENTRIES * PAGE, FRAME = 0x12345000, OFFSET = 0x2345000;

    @Test
    void pagesOfAnAlignedSpanHaveEntriesOfTheirOwn() {
        for (long start : new long[] {0, 5 * SPAN, 0x7fff_f700_0000L, 0xffff_8880_0000_0000L, -SPAN}) {
            assertEquals(
                    Tlb.ENTRIES,
                    LongStream.range(0, Tlb.ENTRIES)
                            .mapToInt(n -> Tlb.index(start + n * PAGE))
                            .distinct()
                            .count());
        }
    }

    @Test
    void thePlacesOfAPageAreTwoThatLeadToEachOther() {
        for (long span = 0; span < 1 << 16; span++) {
            long page = span * SPAN + (span & 4095) * PAGE;
            int first = Tlb.index(page);
            int second = Tlb.other(first, page);
            assertNotEquals(first, second);
            assertEquals(first, Tlb.other(second, page));
            assertTrue(IntStream.of(first, second)
                    .allMatch(index -> index >= 0
                            && index < Tlb.ENTRIES << Tlb.STRIDE_BITS
                            && index % (1 << Tlb.STRIDE_BITS) == 0));
        }
    }

    /** What is looked up is the first byte's entry and the last byte's page. */
    @Test
    void neighboursHaveNoPlaceInCommon() {
        for (long span = 0; span < 1 << 16; span++) {
            long page = span * SPAN;
            int[] places = places(page);
            assertTrue(IntStream.of(places(page - PAGE)).noneMatch(place -> place == places[0] || place == places[1]));
        }
    }

    private static int[] places(long page) {
        return new int[] {Tlb.index(page), Tlb.other(Tlb.index(page), page)};
    }

    /** As when a sort merges from one into the other. The stack's page has the same first place as one of each. */
    @Test
    void arraysThatAreMultiplesOfASpanApartDoNotDisplaceEachOther() {
        long array = 0x7fff_f700_0000L;
        for (int distance = 1; distance < 700; distance++) {
            long other = array - distance * SPAN;
            long[] pages = {array, other, array + PAGE, other + PAGE, 0x7ffd_0000_0000L};
            Tlb tlb = new Tlb();
            tlb.allocate();
            for (int n = 0; n < 2; n++) {
                for (long page : pages) {
                    enter(tlb, page, false);
                }
            }
            assertTrue(LongStream.of(pages).allMatch(page -> Tlb.find(tlb.tags, page, Tlb.READ) >= 0));
        }
    }

    /** Enters a page that may be read and written, unless it is there. */
    private static void enter(Tlb tlb, long page, boolean global) {
        int index = Tlb.index(page);
        if (tlb.holds(Tlb.other(index, page), page)) {
            tlb.bring(index, page);
        }
        if (!tlb.holds(index, page)) {
            tlb.take(index, page, frame(page), OFFSET + page % FRAME, global);
            tlb.tags[index] = page;
            tlb.permitFastWrite(index, page);
        }
    }

    private static long frame(long page) {
        return FRAME + (page >>> 12 << 12 & 0xfff_ffff_f000L);
    }

    /** Whatever is entered, brought and forgotten: what is found is right, is there once, and the logs know of it. */
    @Test
    void whatIsMovedAboutStaysWhole() {
        Random random = new Random(1);
        for (int round = 0; round < 30; round++) {
            Tlb tlb = new Tlb();
            tlb.allocate();
            // Few spans and few pages, so that they meet.
            long[] pages = random.longs(40, 0, 1L << 8)
                    .map(n -> (n >>> 2) * SPAN + (n & 3) * PAGE - (1L << 46))
                    .distinct()
                    .toArray();
            Map<Long, Boolean> global = new HashMap<>();
            for (long page : pages) {
                global.put(page, random.nextInt(4) == 0);
            }
            for (int n = 0; n < 300; n++) {
                long page = pages[random.nextInt(pages.length)];
                switch (random.nextInt(40)) {
                    case 0 -> {
                        tlb.flushNonGlobal();
                        assertTrue(LongStream.of(pages).allMatch(one -> global.get(one) || count(tlb, one) == 0));
                    }
                    case 1 -> {
                        tlb.flushRun(page, PAGE);
                        assertEquals(0, count(tlb, page));
                    }
                    case 2 -> {
                        tlb.dropFastWrites(index -> true);
                        assertTrue(IntStream.range(0, Tlb.ENTRIES)
                                .noneMatch(entry -> tlb.fastWrite(entry << Tlb.STRIDE_BITS)));
                        tlb.flush();
                    }
                    default -> {
                        enter(tlb, page, global.get(page));
                        assertEquals(Tlb.index(page), Tlb.find(tlb.tags, page + 8, Tlb.WRITE));
                    }
                }
                for (long one : pages) {
                    assertTrue(count(tlb, one) <= 1);
                    int index = Tlb.find(tlb.tags, one, Tlb.READ);
                    if (index >= 0) {
                        assertEquals(OFFSET + one % FRAME - one, tlb.tags[index + Tlb.ADDEND]);
                        assertEquals(frame(one) | (global.get(one) ? 1 : 0), tlb.physical[index >>> Tlb.STRIDE_BITS]);
                    }
                }
            }
        }
    }

    private static long count(Tlb tlb, long page) {
        return IntStream.range(0, Tlb.ENTRIES)
                .filter(entry -> tlb.holds(entry << Tlb.STRIDE_BITS, page))
                .count();
    }
}
