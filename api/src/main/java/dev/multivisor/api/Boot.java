package dev.multivisor.api;

import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * What a new machine starts.
 *
 * @param kernel a Linux bzImage, an ELF with a PVH note, or a Multiboot 1 kernel
 * @param modules the initial RAM disk for Linux and PVH (none or one), or any number of Multiboot modules
 * @param commandLine the kernel's command line
 */
public record Boot(Image kernel, List<Image> modules, String commandLine) {
    public Boot {
        modules = List.copyOf(modules);
    }

    /**
     * A file's content, lent until {@link Engine#create} returns.
     *
     * @param name what to call it in an error, usually its path
     */
    public record Image(String name, MemorySegment bytes) {}
}
