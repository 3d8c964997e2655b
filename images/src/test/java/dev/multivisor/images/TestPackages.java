package dev.multivisor.images;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.TreeMap;
import java.util.zip.GZIPOutputStream;
import org.apache.commons.compress.archivers.ar.ArArchiveEntry;
import org.apache.commons.compress.archivers.ar.ArArchiveOutputStream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;
import org.tukaani.xz.LZMA2Options;
import org.tukaani.xz.XZOutputStream;

/** Small packages of the kind that images are made from. */
final class TestPackages {
    static final List<String> KERNEL_FILES = List.of(
            "./boot/vmlinuz-6.1.0-test",
            "./boot/config-6.1.0-test",
            "./usr/lib/modules/6.1.0-test/kernel/a.ko",
            "./usr/share/doc/readme");

    private TestPackages() {}

    /** Writes a package with files whose content is their path. */
    static Path deb(Path file, String data, List<String> paths) throws IOException {
        var packed = new ByteArrayOutputStream();
        try (var tar = new TarArchiveOutputStream(compressor(data, packed))) {
            for (String path : paths) {
                byte[] content = path.getBytes(StandardCharsets.UTF_8);
                var entry = new TarArchiveEntry(path, true);
                entry.setSize(content.length);
                tar.putArchiveEntry(entry);
                tar.write(content);
                tar.closeArchiveEntry();
            }
        }
        try (var ar = new ArArchiveOutputStream(Files.newOutputStream(file))) {
            member(ar, "debian-binary", "2.0\n".getBytes(StandardCharsets.UTF_8));
            member(ar, "control.tar.xz", new byte[10]);
            member(ar, data, packed.toByteArray());
        }
        return file;
    }

    private static OutputStream compressor(String data, OutputStream out) throws IOException {
        return data.endsWith(".xz")
                ? new XZOutputStream(out, new LZMA2Options())
                : data.endsWith(".gz") ? new GZIPOutputStream(out) : out;
    }

    private static void member(ArArchiveOutputStream ar, String name, byte[] content) throws IOException {
        ar.putArchiveEntry(new ArArchiveEntry(name, content.length));
        ar.write(content);
        ar.closeArchiveEntry();
    }

    /** Puts a complete image into a cache. */
    static void install(Path cache, String name, Path work) throws IOException {
        Path folder = Files.createDirectories(cache.resolve("images").resolve(name));
        var builder = new ImageBuilder(folder, Progress.NONE);
        builder.unpack("linux-image-6.1.0-test", deb(work.resolve("kernel.deb"), "data.tar.xz", KERNEL_FILES));
        builder.unpack("busybox-static", deb(work.resolve("busybox.deb"), "data.tar.gz", List.of("./bin/busybox")));
        var packages = new TreeMap<String, String>();
        packages.put("linux-image-6.1.0-test", "6.1-1");
        builder.finish(packages);
    }
}
