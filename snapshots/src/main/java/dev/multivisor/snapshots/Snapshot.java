package dev.multivisor.snapshots;

import dev.multivisor.host.HostException;
import dev.multivisor.host.MemoryChecksum;
import dev.multivisor.host.MemoryImage;
import dev.multivisor.host.PageRuns;
import dev.multivisor.host.SavedMachine;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.IntBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.CRC32C;

/**
 * A snapshot: a folder with the files {@value #MANIFEST}, {@value #STATE}, {@value #PAGES} (runs of pages: the first one and
 * how many, in turn, as little-endian numbers of 32 bits) and {@value #MEMORY} (as large as the guest's memory, with holes).
 *
 * @param name its folder's name
 * @param ancestors what its memory lies over, the nearest first
 */
public record Snapshot(String name, Path folder, Manifest manifest, List<Snapshot> ancestors) {
    static final String MANIFEST = "manifest.json";
    static final String STATE = "state";
    static final String PAGES = "pages";
    static final String MEMORY = "memory";

    /** Neither a state nor a list of runs is longer; a wrong file must not cost memory. */
    private static final long LIMIT = 64 << 20;

    public Snapshot {
        ancestors = List.copyOf(ancestors);
    }

    /**
     * The machine, without its memory. Its file is checked.
     *
     * @throws HostException naming the file that is damaged
     */
    public SavedMachine machine() {
        return manifest.saved(content(STATE, manifest.state()));
    }

    /**
     * Where its memory is. The lists of pages and the lengths of the files are checked, their content is not: that would
     * take as long as reading all of it.
     *
     * @throws HostException naming the file that is damaged
     */
    public MemoryImage memory() {
        List<MemoryImage.Layer> layers = new ArrayList<>();
        for (Snapshot ancestor : ancestors.reversed()) {
            layers.add(ancestor.layer(manifest.memory()));
        }
        layers.add(layer(manifest.memory()));
        return new MemoryImage(manifest.memory(), layers);
    }

    private MemoryImage.Layer layer(long size) {
        Path file = folder.resolve(MEMORY);
        if (manifest.memory() != size) {
            throw problem(MANIFEST, "memoryBytes: is " + manifest.memory() + ", of what lies over it " + size);
        }
        try {
            if (Files.size(file) != size) {
                throw problem(MEMORY, "has " + Files.size(file) + " bytes instead of " + size);
            }
        } catch (IOException e) {
            throw unreadable(MEMORY, e);
        }
        return new MemoryImage.Layer(file, pages());
    }

    private PageRuns pages() {
        IntBuffer bytes = ByteBuffer.wrap(content(PAGES, manifest.pages()))
                .order(ByteOrder.LITTLE_ENDIAN)
                .asIntBuffer();
        int[] bounds = new int[bytes.remaining()];
        bytes.get(bounds);
        try {
            PageRuns pages = PageRuns.of(bounds, manifest.memory());
            if (pages.pages() != manifest.storedPages()) {
                throw problem(MANIFEST, "memory.pages: is " + manifest.storedPages() + ", there are " + pages.pages());
            }
            return pages;
        } catch (HostException e) {
            throw e.getMessage().startsWith("snapshot ") ? e : problem(PAGES, e.getMessage());
        }
    }

    static byte[] bytes(PageRuns pages) {
        int[] bounds = pages.bounds();
        ByteBuffer bytes = ByteBuffer.allocate(bounds.length * Integer.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        bytes.asIntBuffer().put(bounds);
        return bytes.array();
    }

    private byte[] content(String name, Manifest.Content expected) {
        Path file = folder.resolve(name);
        try {
            long size = Files.size(file);
            if (size != expected.bytes() || size > LIMIT) {
                throw problem(name, "has " + size + " bytes instead of " + expected.bytes());
            }
            byte[] bytes = Files.readAllBytes(file);
            if (checksum(bytes) != expected.checksum()) {
                throw problem(name, "does not fit its checksum in " + MANIFEST + ": it was changed or damaged");
            }
            return bytes;
        } catch (IOException e) {
            throw unreadable(name, e);
        }
    }

    static long checksum(byte[] bytes) {
        CRC32C crc = new CRC32C();
        crc.update(bytes);
        return crc.getValue();
    }

    /**
     * Reads everything and compares it with its checksums, ancestors included.
     *
     * @throws HostException naming the file that is damaged
     */
    public void check() {
        machine();
        memory();
        checkMemory();
        ancestors.forEach(Snapshot::checkMemory);
    }

    private void checkMemory() {
        PageRuns pages = pages();
        MemoryChecksum sum = new MemoryChecksum();
        ByteBuffer page = ByteBuffer.allocateDirect(PageRuns.PAGE);
        ByteBuffer zeros = ByteBuffer.allocateDirect(PageRuns.PAGE);
        try (FileChannel file = FileChannel.open(folder.resolve(MEMORY), StandardOpenOption.READ)) {
            for (int run = 0; run < pages.count(); run++) {
                long end = pages.offset(run) + pages.size(run);
                for (long at = pages.offset(run); at < end; at += PageRuns.PAGE) {
                    page.clear();
                    while (page.hasRemaining()) {
                        if (file.read(page, at + page.position()) < 0) {
                            throw problem(MEMORY, "ends at " + (at + page.position()));
                        }
                    }
                    if (!page.flip().equals(zeros.clear())) {
                        sum.add((int) (at / PageRuns.PAGE), page);
                    }
                }
            }
        } catch (IOException e) {
            throw unreadable(MEMORY, e);
        }
        if (sum.value() != manifest.memoryChecksum()) {
            throw problem(MEMORY, "does not fit its checksum in " + MANIFEST + ": it was changed or damaged");
        }
    }

    /**
     * What its files take on the disk, in bytes; holes are left out.
     *
     * @throws HostException if they cannot be looked at
     */
    public long stored() {
        return manifest.storedPages() * PageRuns.PAGE
                + manifest.state().bytes()
                + manifest.pages().bytes();
    }

    private HostException problem(String file, String what) {
        return new HostException("snapshot " + folder.resolve(file) + ": " + what);
    }

    private HostException unreadable(String file, IOException e) {
        return new HostException("snapshot " + folder.resolve(file) + ": cannot be read (" + e + ")", e);
    }
}
