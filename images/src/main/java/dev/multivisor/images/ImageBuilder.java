package dev.multivisor.images;

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;

/** Makes an image's folder from packages. */
final class ImageBuilder {
    private final Path folder;
    private final Progress progress;
    private String kernelRelease = "";
    private long written;

    ImageBuilder(Path folder, Progress progress) {
        this.folder = folder;
        this.progress = progress;
    }

    static void build(Apt apt, List<Apt.Package> packages, Path folder, Progress progress) throws IOException {
        var builder = new ImageBuilder(folder, progress);
        var versions = new TreeMap<String, String>();
        for (Apt.Package wanted : packages) {
            Path deb = apt.download(wanted, progress);
            builder.unpack(wanted.name(), deb);
            Files.delete(deb);
            versions.put(wanted.name(), wanted.version());
        }
        builder.finish(versions);
    }

    /** Takes what is needed out of a package. */
    void unpack(String name, Path deb) throws IOException {
        String step = "unpacking " + name;
        written = 0;
        progress.update(step, 0, 0);
        if (!name.startsWith("linux-image-")) {
            DebArchive.read(deb, (path, entry, content) -> take(step, path, entry, content));
            return;
        }
        try (var modules = new TarArchiveOutputStream(
                new BufferedOutputStream(Files.newOutputStream(folder.resolve(Image.MODULES))), "UTF-8")) {
            modules.setLongFileMode(TarArchiveOutputStream.LONGFILE_POSIX);
            DebArchive.read(deb, (path, entry, content) -> {
                String inRoot = path.startsWith("usr/lib/") ? path.substring(4) : path;
                if (inRoot.startsWith("lib/modules/") && (entry.isFile() || entry.isDirectory())) {
                    module(modules, inRoot, entry, content);
                    count(step, entry);
                } else {
                    take(step, path, entry, content);
                }
            });
        }
    }

    private void module(TarArchiveOutputStream modules, String path, TarArchiveEntry entry, InputStream content)
            throws IOException {
        var copy = new TarArchiveEntry(entry.isDirectory() ? path + "/" : path);
        copy.setMode(entry.getMode());
        copy.setModTime(entry.getLastModifiedTime());
        if (entry.isFile()) {
            copy.setSize(entry.getSize());
        }
        modules.putArchiveEntry(copy);
        if (entry.isFile()) {
            content.transferTo(modules);
        }
        modules.closeArchiveEntry();
    }

    private void take(String step, String path, TarArchiveEntry entry, InputStream content) throws IOException {
        if (!entry.isFile()) {
            return;
        }
        String kernel = "boot/vmlinuz-";
        if (path.startsWith(kernel)) {
            kernelRelease = path.substring(kernel.length());
            Files.copy(content, folder.resolve(Image.KERNEL));
        } else if (path.startsWith("boot/config-")) {
            Files.copy(content, folder.resolve(Image.CONFIG));
        } else if (path.equals("bin/busybox") || path.equals("usr/bin/busybox")) {
            Path busybox = folder.resolve(Image.BUSYBOX);
            Files.copy(content, busybox);
            Files.setPosixFilePermissions(busybox, PosixFilePermissions.fromString("rwxr-xr-x"));
        } else {
            return;
        }
        count(step, entry);
    }

    private void count(String step, TarArchiveEntry entry) {
        written += entry.getSize();
        progress.update(step, written, 0);
    }

    /** Writes the manifest, which makes the folder an image. */
    void finish(TreeMap<String, String> packages) throws IOException {
        var sums = new TreeMap<String, String>();
        var checks = new TreeMap<String, String>();
        for (String file : List.of(Image.KERNEL, Image.CONFIG, Image.BUSYBOX, Image.MODULES)) {
            if (!Files.exists(folder.resolve(file))) {
                throw new ImageException("the packages " + packages.keySet() + " have no " + file);
            }
            sums.put(file, FileTrees.sha256(folder.resolve(file)));
            checks.put(file, FileTrees.crc32c(folder.resolve(file)));
        }
        new Manifest(packages, kernelRelease, applets(folder.resolve(Image.BUSYBOX)), sums, checks).write(folder);
    }

    /** The commands that busybox knows, if this system can run it; else the guest asks it. */
    private static String applets(Path busybox) throws IOException {
        try {
            Process process = new ProcessBuilder(busybox.toString(), "--list")
                    .redirectErrorStream(true)
                    .start();
            String list = new String(process.getInputStream().readAllBytes(), StandardCharsets.US_ASCII);
            boolean ended = process.waitFor(5, TimeUnit.SECONDS) && process.exitValue() == 0;
            String words = String.join(
                    " ", list.lines().filter(ImageBuilder::isCommand).toList());
            return ended ? words : "";
        } catch (IOException e) {
            return "";
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
    }

    private static boolean isCommand(String line) {
        return line.matches("[\\w\\[.-]{1,40}") && !line.startsWith(".") && !line.equals("busybox");
    }
}
