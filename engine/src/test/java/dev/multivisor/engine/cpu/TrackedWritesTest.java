package dev.multivisor.engine.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.multivisor.api.PageObserver;
import dev.multivisor.engine.cpu.WritingProgram.Change;
import dev.multivisor.engine.mmu.Tracking;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What watchers outside hear of guest code that writes in every way, against a model. */
class TrackedWritesTest {
    /** Instructions of a program, and how many programs: enough to have every form. */
    static final int LENGTH = 400, PROGRAMS = 12;

    private static final long FIRST = WritingProgram.START >>> 12;

    /** A report, as it comes. */
    private record Report(int cpu, long instruction, long address, byte[] bytes) {}

    private final TestCpu guest = new TestCpu();
    private final Tracking tracking = new Tracking(guest.memory);
    private final List<Report> reports = new ArrayList<>();
    private final Map<Long, byte[]> keptPages = new TreeMap<>();
    private final AtomicLongArray dirty = bits(-1);
    private final AtomicLongArray keep = bits(0);

    private static AtomicLongArray bits(long word) {
        AtomicLongArray bits = new AtomicLongArray((int) (TestCpu.SIZE >>> 18));
        for (int n = 0; n < bits.length(); n++) {
            bits.set(n, word);
        }
        return bits;
    }

    private void observe() {
        tracking.observe(
                new PageObserver() {
                    @Override
                    public void written(int cpu, long instruction, long address, byte[] bytes) {
                        reports.add(new Report(cpu, instruction, address, bytes));
                    }

                    @Override
                    public void beforeWrite(long page) {
                        byte[] content = new byte[4096];
                        guest.memory.read(page << 12, content, 0, 4096);
                        assertEquals(null, keptPages.put(page, content), "kept twice");
                        keep.set((int) (page >>> 6), keep.get((int) (page >>> 6)) & ~(1L << page));
                    }
                },
                dirty,
                keep);
    }

    static LongStream seeds() {
        return LongStream.rangeClosed(1, PROGRAMS);
    }

    /** The first run leaves fast entries and specialized code behind; tracking begins after it. */
    @ParameterizedTest
    @MethodSource("seeds")
    void aListenerSeesExactlyTheModelsList(long seed) {
        Random random = new Random(seed);
        WritingProgram program = prepare(seed, random);
        guest.run();
        clear();
        observe();
        BitSet tracked = new BitSet();
        for (int page = 0; page < WritingProgram.PAGES; page++) {
            if (random.nextInt(3) != 0) {
                tracked.set(page);
            }
        }
        tracking.track(tracked.stream().mapToLong(page -> FIRST + page).toArray());
        guest.cpu.r[Cpu.RIP] = TestCpu.CODE;
        guest.run();
        assertEquals(-1, guest.vector());
        List<String> expected = new ArrayList<>();
        for (Change change : program.changes()) {
            if (tracked.get((int) ((change.address() >>> 12) - FIRST))) {
                long value = change.copy() == 0 ? change.value() : guest.memory.load(change.copy(), 1);
                long instruction =
                        guest.memory.load(TestCpu.CODE + WritingProgram.TABLE + 8L * change.instruction(), 8);
                expected.add(shown(instruction, change.address(), value));
            }
        }
        List<String> seen = new ArrayList<>();
        for (Report report : reports) {
            assertEquals(0, report.cpu);
            assertEquals(report.address >>> 12, report.address + report.bytes.length - 1 >>> 12);
            for (int n = 0; n < report.bytes.length; n++) {
                seen.add(shown(report.instruction, report.address + n, report.bytes[n] & 0xff));
            }
        }
        assertSame(expected, seen);
        int before = reports.size();
        tracking.untrack(tracked.stream().mapToLong(page -> FIRST + page).toArray());
        guest.cpu.r[Cpu.RIP] = TestCpu.CODE;
        guest.run();
        assertEquals(before, reports.size());
    }

    private static void assertSame(List<String> expected, List<String> seen) {
        for (int n = 0; n < Math.min(expected.size(), seen.size()); n++) {
            assertEquals(expected.get(n), seen.get(n), "byte " + n + " of " + expected.size());
        }
        assertEquals(expected.size(), seen.size());
        assertTrue(expected.size() > 3000, "too few: " + expected.size());
    }

    private static String shown(long instruction, long address, long value) {
        return "%x: %x = %02x".formatted(instruction, address, value);
    }

    @ParameterizedTest
    @ValueSource(longs = {21, 22, 23})
    void pagesAreKeptBeforeTheirFirstWriteAndDirtyAfterIt(long seed) {
        Random random = new Random(seed);
        WritingProgram program = prepare(seed, random);
        guest.run();
        clear();
        byte[] start = new byte[(int) TestCpu.SIZE];
        guest.memory.read(0, start, 0, start.length);
        observe();
        for (int n = 0; n < dirty.length(); n++) {
            dirty.set(n, 0);
            keep.set(n, -1);
        }
        tracking.refresh();
        guest.cpu.r[Cpu.RIP] = TestCpu.CODE;
        guest.run();
        BitSet written = new BitSet();
        program.changes().forEach(change -> {
            written.set((int) (change.address() >>> 12));
            if (change.copy() >= WritingProgram.COPIES) {
                written.set((int) (change.copy() >>> 12));
            }
        });
        BitSet marked = new BitSet();
        for (int page = 0; page < TestCpu.SIZE >>> 12; page++) {
            if ((dirty.get(page >>> 6) & 1L << page) != 0) {
                marked.set(page);
            }
        }
        assertEquals(written, marked);
        // A locked operation that does not store has its page kept all the same.
        written.stream().forEach(page -> assertTrue(keptPages.containsKey((long) page), "page " + page));
        keptPages.forEach((page, content) -> assertArrayEquals(
                java.util.Arrays.copyOfRange(start, page.intValue() << 12, (page.intValue() + 1) << 12), content));
        assertEquals(List.of(), reports);
    }

    private WritingProgram prepare(long seed, Random random) {
        byte[] source = new byte[4096];
        random.nextBytes(source);
        WritingProgram program = new WritingProgram(seed, source);
        guest.program(program.text(LENGTH));
        guest.memory.write(WritingProgram.SOURCE, source, 0, source.length);
        return program;
    }

    private void clear() {
        assertEquals(-1, guest.vector());
        guest.memory.write(WritingProgram.START, new byte[WritingProgram.SIZE], 0, WritingProgram.SIZE);
    }

    @Test
    void whatTheProcessorWritesByItselfIsReported() {
        guest.program("""
                mov $0x18, %eax
                mov %eax, %ds
                mov $0x340000, %esp
                int3
                """);
        long gdt = guest.cpu.gdtrBase;
        guest.memory.store(gdt + 0x18, 8, 0x00cf92000000ffffL);
        guest.cpu.gdtrLimit = 31;
        observe();
        tracking.track(new long[] {gdt >>> 12, 0x33f000 >>> 12});
        guest.run();
        assertEquals(3, guest.vector());
        List<String> seen = reports.stream()
                .map(r -> "%x %x+%d".formatted(r.instruction, r.address, r.bytes.length))
                .toList();
        // The descriptor's accessed flag by the MOV; SS, RSP, RFLAGS, CS and RIP by the INT3, whose place is known.
        long move = TestCpu.CODE + 5;
        long trap = move + 2 + 5;
        assertEquals("%x %x+1".formatted(move, gdt + 0x18 + 5), seen.getFirst());
        assertEquals((byte) 0x93, reports.getFirst().bytes[0]);
        assertEquals(
                List.of(0x33fff8L, 0x33fff0L, 0x33ffe8L, 0x33ffe0L, 0x33ffd8L),
                reports.stream().skip(1).map(Report::address).toList());
        reports.stream().skip(1).forEach(r -> assertEquals(trap, r.instruction));
        assertEquals(6, seen.size());
    }

    @Test
    void accessedAndDirtyFlagsOfPagesAreReported() {
        guest.program("""
                movb $1, 0x400000
                movb $1, 0x400001
                hlt
                """);
        long entry = guest.cpu.cr3 + 0x2000 + 8 * 2;
        observe();
        tracking.track(new long[] {entry >>> 12});
        guest.run();
        List<Report> seen = reports.stream().filter(r -> r.address == entry).toList();
        assertEquals(1, seen.size());
        assertEquals(TestCpu.CODE, seen.getFirst().instruction);
        assertEquals((byte) 0xe7, seen.getFirst().bytes[0]);
        assertEquals(8, seen.getFirst().bytes.length);
    }

    @Test
    void devicesAndTheBaseAreReportedByPage() {
        observe();
        tracking.track(new long[] {0x200, 0x201});
        guest.memory.write(0x200ff0, new byte[0x1020], 0, 0x1020);
        guest.memory.store(0x201ffd, 8, 0x0807060504030201L);
        tracking.write(0x200005, new byte[] {7});
        assertEquals(
                List.of("-1 200ff0+16", "-1 201000+4096", "-1 201ffd+3", "-1 200005+1"),
                reports.stream()
                        .map(r -> "%d %x+%d".formatted(r.cpu, r.address, r.bytes.length))
                        .toList());
        assertArrayEquals(new byte[] {1, 2, 3}, reports.get(2).bytes);
    }
}
