package dev.multivisor.images;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * A guest image in the cache.
 *
 * @param name such as {@code debian-12}
 * @param folder where its files are
 * @param packages the versions of the packages that it was made from, by package
 * @param kernelRelease what {@code uname -r} says in the guest
 * @param size of all files, in bytes
 * @param applets the commands that its busybox knows; empty if they could not be listed
 */
public record Image(
        String name, Path folder, Map<String, String> packages, String kernelRelease, long size, List<String> applets) {
    static final String KERNEL = "vmlinuz", CONFIG = "config", BUSYBOX = "busybox", MODULES = "modules.tar";

    public Image {
        packages = Map.copyOf(packages);
        applets = List.copyOf(applets);
    }

    /** The kernel, a bzImage. */
    public Path kernel() {
        return folder.resolve(KERNEL);
    }

    /** The kernel's configuration. */
    public Path config() {
        return folder.resolve(CONFIG);
    }

    /** A statically linked busybox. */
    public Path busybox() {
        return folder.resolve(BUSYBOX);
    }

    /** The kernel's modules as a tar file of {@code lib/modules}. */
    public Path modules() {
        return folder.resolve(MODULES);
    }
}
