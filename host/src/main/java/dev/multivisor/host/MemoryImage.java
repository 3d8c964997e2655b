package dev.multivisor.host;

import java.nio.file.Path;
import java.util.List;

/**
 * A guest's memory as files, each with pages that lie over those of the files before. A file is as large as the memory,
 * with every page at its place and holes for zeros. What no file has is zero.
 *
 * @param size bytes of memory
 * @param layers from the oldest to the newest
 */
public record MemoryImage(long size, List<Layer> layers) {
    public MemoryImage {
        layers = List.copyOf(layers);
    }

    /**
     * Pages in a file.
     *
     * @param pages those that the file stands for; what else is in it does not count
     */
    public record Layer(Path file, PageRuns pages) {}
}
