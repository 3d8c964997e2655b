package dev.multivisor.engine.mmu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

/** Which pages share an entry. */
class TlbTest {
    private static final long PAGE = 4096, SPAN = Tlb.ENTRIES * PAGE;

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

    /** As when a sort merges from one into the other. */
    @Test
    void arraysThatAreMultiplesOfASpanApartDoNotDisplaceEachOther() {
        for (int distance = 1; distance < Tlb.ENTRIES / 2; distance++) {
            long other = distance * SPAN;
            assertTrue(LongStream.range(0, 1024)
                    .map(n -> 0x7fff_f700_0000L + n * PAGE)
                    .noneMatch(linear -> Tlb.index(linear) == Tlb.index(linear - other)));
        }
    }

    /** What is looked up is the first byte's entry and the last byte's page. */
    @Test
    void neighboursHaveDifferentEntries() {
        for (long span = 0; span < 1 << 16; span++) {
            long linear = span * SPAN;
            assertNotEquals(Tlb.index(linear), Tlb.index(linear - 1), () -> Long.toHexString(linear));
        }
    }

    @Test
    void anIndexIsThatOfAFirstWord() {
        assertTrue(LongStream.range(0, 100_000)
                .mapToInt(n -> Tlb.index(n * 0x1234_5678_9abcL))
                .allMatch(index ->
                        index >= 0 && index < Tlb.ENTRIES << Tlb.STRIDE_BITS && index % (1 << Tlb.STRIDE_BITS) == 0));
    }
}
