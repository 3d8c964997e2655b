package dev.multivisor.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.charset.Charset;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Memory to files and back, one over the other. */
class MemoryWriterTest {
    private static final long SIZE = MemorySize.MINIMUM;
    private static final int PAGES = (int) (SIZE / PageRuns.PAGE);

    @TempDir
    Path folder;

    private final Random random = new Random(7);
    private final List<MemoryImage.Layer> layers = new ArrayList<>();

    private MemoryImage image() {
        return new MemoryImage(SIZE, layers);
    }

    private interface Way {
        void write(MemoryWriter writer, MemorySegment memory) throws IOException;
    }

    private PageRuns write(MemorySegment memory, boolean over, Way way) throws IOException {
        Path file = folder.resolve("memory-" + layers.size());
        try (GuestRam base = over ? GuestRam.map(image()) : null;
                RandomAccessFile target = new RandomAccessFile(file.toFile(), "rw")) {
            target.setLength(SIZE);
            Optional<MemorySegment> under = Optional.ofNullable(base).map(GuestRam::bytes);
            MemoryWriter writer = new MemoryWriter(memory, target.getChannel(), under);
            way.write(writer, memory);
            PageRuns pages = writer.finish();
            layers.add(new MemoryImage.Layer(file, pages));
            return pages;
        }
    }

    private void scribble(MemorySegment memory, int pages) {
        for (int n = 0; n < pages; n++) {
            long page = random.nextInt(PAGES);
            MemorySegment at = memory.asSlice(page * PageRuns.PAGE, PageRuns.PAGE);
            if (random.nextInt(4) == 0) {
                at.fill((byte) 0);
            } else {
                at.set(ValueLayout.JAVA_LONG, 8 * random.nextInt(512), random.nextLong());
            }
        }
    }

    @Test
    void comesBackFromFilesOverFiles() throws IOException {
        try (GuestRam ram = GuestRam.allocate(SIZE)) {
            scribble(ram.bytes(), 500);
            PageRuns first = write(ram.bytes(), false, (writer, memory) -> writer.writeAll());
            assertTrue(first.pages() < PAGES / 2, first::toString);
            for (int n = 0; n < 3; n++) {
                scribble(ram.bytes(), 50);
                PageRuns more = write(ram.bytes(), true, (writer, memory) -> writer.writeAll());
                assertTrue(more.pages() > 10 && more.pages() <= 50, more::toString);
            }
            assertEquals(
                    0,
                    write(ram.bytes(), true, (writer, memory) -> writer.writeAll())
                            .pages());
            try (GuestRam back = GuestRam.map(image());
                    GuestRam other = GuestRam.map(image())) {
                assertEquals(-1, back.bytes().mismatch(ram.bytes()));
                // What one machine writes is its own, and no file's.
                back.bytes().fill((byte) 1);
                assertEquals(-1, other.bytes().mismatch(ram.bytes()));
            }
        }
    }

    /** Each copy asks for 512 mappings, which cost twice as many; all together, for more than a process may have. */
    @Test
    void aHundredCopiesOfManyLayersStayBelowTheLimitOfMappings() throws IOException {
        long limit = Long.parseLong(
                Files.readAllLines(Path.of("/proc/sys/vm/max_map_count")).getFirst());
        try (GuestRam ram = GuestRam.allocate(SIZE)) {
            for (int layer = 0; layer < 4; layer++) {
                for (int n = 0; n < 128; n++) {
                    long page = 2L * (128 * layer + n);
                    ram.bytes().set(ValueLayout.JAVA_LONG, page * PageRuns.PAGE, 1 + page + 10_000L * layer);
                }
                PageRuns pages = write(ram.bytes(), layer > 0, (writer, memory) -> writer.writeAll());
                assertEquals(128, pages.count());
            }
            List<GuestRam> copies = new ArrayList<>();
            try {
                for (int n = 0; n < 100; n++) {
                    copies.add(GuestRam.map(image()));
                }
                long mappings = mappings("");
                assertTrue(mappings > 512 && mappings < limit, mappings + " of " + limit);
                assertFalse(copies.getFirst().copied());
                assertTrue(copies.getLast().copied());
                for (GuestRam copy : copies) {
                    assertEquals(-1, copy.bytes().mismatch(ram.bytes()));
                }
            } finally {
                copies.forEach(GuestRam::close);
            }
            assertEquals(0, mappings(folder.toString()));
            try (GuestRam copy = GuestRam.map(image())) {
                assertFalse(copy.copied(), "others are closed");
                assertEquals(512, mappings(folder.toString()));
            }
        }
    }

    private static long mappings(String file) throws IOException {
        try (Stream<String> lines = Files.lines(Path.of("/proc/self/maps"))) {
            return lines.filter(line -> line.contains(file)).count();
        }
    }

    @Test
    void takesNoMoreMappingsThanThereAre() {
        assertEquals(24_000, Mappings.most("65530"));
        assertEquals(24_000, Mappings.most("1048576"));
        assertEquals(3_000, Mappings.most("8000"), "the limit of a host that allows less");
        assertEquals(24_000, Mappings.most("?"));
        Mappings three = new Mappings(3);
        assertEquals(
                List.of(true, true, true, false, false),
                Stream.generate(three::take).limit(5).toList());
        three.give(2);
        assertEquals(
                List.of(true, true, false),
                Stream.generate(three::take).limit(3).toList());
    }

    /** Pages that are kept in any order, before others are written, are those of the moment. */
    @Test
    void keepsPagesAsTheyWere() throws IOException {
        try (GuestRam ram = GuestRam.allocate(SIZE);
                GuestRam then = GuestRam.allocate(SIZE)) {
            scribble(ram.bytes(), 500);
            write(ram.bytes(), false, (writer, memory) -> writer.writeAll());
            scribble(ram.bytes(), 200);
            then.bytes().copyFrom(ram.bytes());
            write(ram.bytes(), true, (writer, memory) -> {
                BitSet left = new BitSet();
                left.set(0, PAGES);
                for (int n = 0; n < 1000; n++) {
                    int page = random.nextInt(PAGES);
                    if (left.get(page)) {
                        left.clear(page);
                        keep(writer, memory, page);
                    }
                    memory.set(ValueLayout.JAVA_LONG, (long) page * PageRuns.PAGE, random.nextLong());
                }
                left.stream().forEach(page -> keep(writer, memory, page));
            });
            try (GuestRam back = GuestRam.map(image())) {
                assertEquals(-1, back.bytes().mismatch(then.bytes()));
            }
        }
    }

    private static void keep(MemoryWriter writer, MemorySegment memory, int page) {
        writer.keep(page, memory.asSlice((long) page * PageRuns.PAGE, PageRuns.PAGE));
    }

    @Test
    void tooManyRunsAreFilledFromWhatLiesBelow() throws IOException {
        long size = 128L << 20;
        Path below = folder.resolve("below");
        Path above = folder.resolve("above");
        try (GuestRam ram = GuestRam.allocate(size)) {
            for (long at = 0; at < size; at += PageRuns.PAGE) {
                ram.bytes().set(ValueLayout.JAVA_LONG, at, at + 1);
            }
            PageRuns first = write(ram, below, Optional.empty());
            assertEquals(1, first.count());
            MemoryImage base = new MemoryImage(size, List.of(new MemoryImage.Layer(below, first)));
            for (long at = 0; at < size; at += 3 * PageRuns.PAGE) {
                ram.bytes().set(ValueLayout.JAVA_LONG, at, 0);
            }
            try (GuestRam under = GuestRam.map(base)) {
                PageRuns second = write(ram, above, Optional.of(under.bytes()));
                assertTrue(second.count() <= MemoryWriter.MOST_RUNS, second::toString);
                MemoryImage both = new MemoryImage(
                        size, List.of(new MemoryImage.Layer(below, first), new MemoryImage.Layer(above, second)));
                try (GuestRam back = GuestRam.map(both)) {
                    assertEquals(-1, back.bytes().mismatch(ram.bytes()));
                }
            }
        }
    }

    private static PageRuns write(GuestRam ram, Path file, Optional<MemorySegment> under) throws IOException {
        try (RandomAccessFile target = new RandomAccessFile(file.toFile(), "rw")) {
            target.setLength(ram.bytes().byteSize());
            MemoryWriter writer = new MemoryWriter(ram.bytes(), target.getChannel(), under);
            writer.writeAll();
            return writer.finish();
        }
    }

    @Test
    void filesOfAnotherLengthAreRefused() throws IOException {
        Path file = Files.write(folder.resolve("short"), new byte[4096]);
        layers.add(new MemoryImage.Layer(file, PageRuns.of(new int[] {0, 1}, SIZE)));
        HostException e = assertThrows(HostException.class, () -> GuestRam.map(image()));
        assertEquals("memory " + file + ": has 4096 bytes, the machine " + SIZE, e.getMessage());
        layers.set(0, new MemoryImage.Layer(folder.resolve("absent"), PageRuns.of(new int[0], SIZE)));
        assertTrue(assertThrows(HostException.class, () -> GuestRam.map(image()))
                .getMessage()
                .contains("absent: cannot be read"));
    }

    /** Java opens more than the system does by its name, here a file in an archive; whatever the name's characters. */
    @Test
    void filesThatTheSystemDoesNotOpenAreRefused() throws IOException {
        PageRuns first = PageRuns.of(new int[] {0, 1}, SIZE);
        byte[] memory = new byte[(int) SIZE];
        memory[0] = 42;
        boolean more = Charset.forName(System.getProperty("sun.jnu.encoding"))
                .newEncoder()
                .canEncode('ü');
        Path odd = Files.createDirectory(folder.resolve(more ? "a+b c%41ü" : "a+b c%41"));
        Path file = Files.write(odd.resolve("memory"), memory);
        layers.add(new MemoryImage.Layer(file, first));
        try (GuestRam ram = GuestRam.map(image())) {
            assertEquals(42, ram.bytes().get(ValueLayout.JAVA_BYTE, 0));
        }
        try (FileSystem archive = FileSystems.newFileSystem(folder.resolve("archive.zip"), Map.of("create", "true"))) {
            Path inside = Files.write(archive.getPath("/memory"), memory);
            layers.set(0, new MemoryImage.Layer(inside, first));
            HostException e = assertThrows(HostException.class, () -> GuestRam.map(image()));
            // The reason is in the user's language.
            assertTrue(e.getMessage().matches("memory /memory: cannot be opened \\(\\P{Cntrl}+\\)"), e::getMessage);
        }
    }

    /** A process can have so many mappings; a part that is too large is refused for the same reason, and safely. */
    @Test
    void theLimitOfMappingsIsNamed() throws IOException {
        int descriptor = Libc.open(Files.write(folder.resolve("page"), new byte[PageRuns.PAGE]));
        try (GuestRam ram = GuestRam.allocate(SIZE)) {
            long address = ram.bytes().address();
            HostException e = assertThrows(
                    HostException.class, () -> Libc.mapFile(descriptor, 0, address, Long.MAX_VALUE / 2 + 1));
            assertTrue(
                    e.getMessage().contains("vm.max_map_count")
                            && e.getMessage().contains("errno 12"),
                    e::getMessage);
            HostException other = assertThrows(HostException.class, () -> Libc.mapFile(-1, 0, address, PageRuns.PAGE));
            assertTrue(other.getMessage().endsWith(" a part of a file (errno 9)"), other::getMessage);
        } finally {
            Libc.close(descriptor);
        }
    }

    @Test
    void theChecksumDoesNotDependOnTheOrder() {
        byte[] pages = new byte[2 * PageRuns.PAGE];
        random.nextBytes(pages);
        MemoryChecksum together = new MemoryChecksum();
        together.add(7, ByteBuffer.wrap(pages));
        MemoryChecksum apart = new MemoryChecksum();
        apart.add(8, ByteBuffer.wrap(pages, PageRuns.PAGE, PageRuns.PAGE));
        apart.add(7, ByteBuffer.wrap(pages, 0, PageRuns.PAGE));
        assertEquals(together.value(), apart.value());
        MemoryChecksum elsewhere = new MemoryChecksum();
        elsewhere.add(8, ByteBuffer.wrap(pages));
        assertTrue(elsewhere.value() != together.value(), "a page in another place is another page");
    }
}
