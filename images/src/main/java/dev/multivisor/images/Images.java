package dev.multivisor.images;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The cache of guest images. Each image is a folder that appears by a rename when it is complete; pulls exclude each
 * other, also between processes.
 */
public final class Images {
    /** File locks exclude processes, not threads. */
    private static final ReentrantLock LOCK = new ReentrantLock();

    private final Path cache;

    private Images(Path cache) {
        this.cache = cache;
    }

    /** The cache in a folder, which is made when it is needed. */
    public static Images open(Path cache) {
        return new Images(cache.toAbsolutePath().normalize());
    }

    /** The user's cache folder for this program (XDG Base Directory Specification). */
    public static Path defaultCache() {
        String xdg = System.getenv("XDG_CACHE_HOME");
        Path base =
                xdg != null && xdg.startsWith("/") ? Path.of(xdg) : Path.of(System.getProperty("user.home"), ".cache");
        return base.resolve("multivisor");
    }

    /** The names that can be pulled, the default one first. */
    public static List<String> known() {
        return Release.ALL.stream().map(Release::image).toList();
    }

    private Path folder(String name) {
        return cache.resolve("images").resolve(name);
    }

    /** The images that are in the cache. */
    public List<Image> list() {
        var images = new ArrayList<Image>();
        for (String name : known()) {
            if (Files.exists(folder(name).resolve(Manifest.FILE))) {
                images.add(Manifest.read(folder(name)).image(name, folder(name)));
            }
        }
        return images;
    }

    /** An image in the cache, ready for use: its kernel and programs were compared with their checksums. */
    public Optional<Image> find(String name) {
        Release.of(name);
        Path folder = folder(name);
        if (!Files.exists(folder.resolve(Manifest.FILE))) {
            return Optional.empty();
        }
        Manifest manifest = Manifest.read(folder);
        manifest.check(folder, List.of(Image.KERNEL, Image.BUSYBOX));
        return Optional.of(manifest.image(name, folder));
    }

    /**
     * Compares every file of an image with its checksum.
     *
     * @throws ImageException naming the first file that differs
     */
    public void verify(String name) {
        Manifest manifest = Manifest.read(folder(Release.of(name).image()));
        manifest.verify(folder(name), manifest.files());
    }

    /** Removes an image from the cache; returns whether it was there. */
    public boolean remove(String name) {
        Path folder = folder(Release.of(name).image());
        if (!Files.exists(folder)) {
            return false;
        }
        return locked(() -> {
            Path doomed = sibling(folder, "removed");
            Files.move(folder, doomed, StandardCopyOption.ATOMIC_MOVE);
            FileTrees.deleteTree(doomed);
            FileTrees.deleteTree(cache.resolve("apt").resolve(name));
            return true;
        });
    }

    /** Makes an image from the newest packages, or returns the one in the cache if it is made from these. */
    public Image pull(String name, Progress progress) {
        Release release = Release.of(name);
        return locked(() -> {
            var apt = new Apt(cache.resolve("apt").resolve(name), release.suite());
            apt.update(progress);
            List<Apt.Package> packages = packages(apt);
            Path folder = folder(name);
            Optional<Image> present = present(name, packages);
            if (present.isPresent()) {
                return present.get();
            }
            clean(folder);
            Path fresh = sibling(folder, "new");
            Files.createDirectories(fresh);
            try {
                ImageBuilder.build(apt, packages, fresh, progress);
                replace(folder, fresh);
            } finally {
                FileTrees.deleteTree(fresh);
            }
            return Manifest.read(folder).image(name, folder);
        });
    }

    /** The kernel that the general package stands for, and busybox. */
    private static List<Apt.Package> packages(Apt apt) {
        Apt.Package general = apt.find(Release.KERNEL_PACKAGE);
        for (String dependency : general.depends().split(",")) {
            String name = dependency.strip().replaceFirst("[ (:].*", "");
            if (name.startsWith("linux-image-")) {
                return List.of(apt.find(name), apt.find(Release.BUSYBOX_PACKAGE));
            }
        }
        throw new ImageException(Release.KERNEL_PACKAGE + ": Depends: names no kernel: " + general.depends());
    }

    /** The image in the cache, if it is whole and made from these packages. */
    private Optional<Image> present(String name, List<Apt.Package> packages) {
        try {
            Optional<Image> image = find(name);
            boolean same = image.isPresent();
            for (Apt.Package wanted : packages) {
                same = same && wanted.version().equals(image.get().packages().get(wanted.name()));
            }
            if (same) {
                verify(name);
                return image;
            }
        } catch (ImageException e) {
            // Damaged: it is made anew.
        }
        return Optional.empty();
    }

    /** Removes what an interrupted pull has left. */
    private static void clean(Path folder) throws IOException {
        Files.createDirectories(folder.getParent());
        for (String purpose : List.of("new", "old", "removed")) {
            FileTrees.deleteTree(sibling(folder, purpose));
        }
    }

    private static void replace(Path folder, Path fresh) throws IOException {
        Path old = sibling(folder, "old");
        if (Files.exists(folder)) {
            Files.move(folder, old, StandardCopyOption.ATOMIC_MOVE);
        }
        Files.move(fresh, folder, StandardCopyOption.ATOMIC_MOVE);
        FileTrees.deleteTree(old);
    }

    private static Path sibling(Path folder, String purpose) {
        return folder.resolveSibling("." + folder.getFileName() + "." + purpose);
    }

    private interface Action<T> {
        T run() throws IOException;
    }

    private <T> T locked(Action<T> action) {
        LOCK.lock();
        try {
            Files.createDirectories(cache);
            try (FileChannel channel = FileChannel.open(
                            cache.resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
                    FileLock lock = channel.lock()) {
                assert lock.isValid();
                return action.run();
            }
        } catch (IOException e) {
            throw FileTrees.failed("cannot change the image cache " + cache, e);
        } finally {
            LOCK.unlock();
        }
    }
}
