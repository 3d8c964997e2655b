package dev.multivisor.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.BitSet;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class MemoryCopyTest {
    private static final int PAGES = 4096;
    private static final long LATER = 60_000_000_000L;

    private final GuestRam from = GuestRam.allocate((long) PAGES << 12);
    private final GuestRam to = GuestRam.allocate((long) PAGES << 12);
    private final MemoryCopy copy = new MemoryCopy(from, to);

    @AfterEach
    void close() {
        from.close();
        to.close();
    }

    private void write(int page, int value) {
        from.bytes().set(ValueLayout.JAVA_BYTE, (page << 12) + (page * 31 & 4095), (byte) value);
    }

    private BitSet all() {
        return copy.all(new BitSet(), System.nanoTime() + LATER);
    }

    private void assertSame() {
        assertEquals(-1, from.bytes().mismatch(to.bytes()));
    }

    @Test
    void copiesWhatIsNotTheSame() {
        BitSet written = new BitSet();
        new Random(1).ints(200, 0, PAGES).forEach(page -> {
            write(page, 7);
            written.set(page);
        });
        assertEquals(written, all());
        assertSame();
        assertEquals(new BitSet(), all());
        // Zeros over something are copied, too.
        int page = written.nextSetBit(0);
        write(page, 0);
        assertEquals(new BitSet(), without(all(), page));
        assertSame();
    }

    private static BitSet without(BitSet pages, int page) {
        assertTrue(pages.get(page));
        pages.clear(page);
        return pages;
    }

    @Test
    void takesPagesOneByOne() {
        write(5, 1);
        write(9, 2);
        copy.copy(5);
        MemorySegment nine = from.bytes().asSlice(9 << 12, 4096);
        copy.keep(9, nine);
        assertSame();
        // What is kept is what the page was.
        copy.keep(9, MemorySegment.ofArray(new byte[4096]));
        assertEquals(0, to.bytes().get(ValueLayout.JAVA_BYTE, (9 << 12) + (9 * 31 & 4095)));
    }

    @Test
    void leavesOutWhatItIsTold() {
        BitSet left = new BitSet();
        left.set(3);
        write(3, 1);
        write(4, 1);
        BitSet copied = new BitSet();
        copied.set(4);
        assertEquals(copied, copy.all(left, System.nanoTime() + LATER));
        assertEquals(left, all());
    }

    @Test
    void endsInTime() {
        IntStream.range(0, PAGES).forEach(page -> write(page, 1));
        assertEquals(new BitSet(), copy.all(new BitSet(), System.nanoTime()));
    }
}
