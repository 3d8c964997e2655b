package dev.multivisor.images;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

class ImagesTest {
    @TempDir
    Path temp;

    private Images images() {
        return Images.open(temp.resolve("cache"));
    }

    private void install() throws IOException {
        TestPackages.install(temp.resolve("cache"), "debian-12", temp);
    }

    @Test
    void listsAndFindsWhatIsThere() throws IOException {
        assertEquals(List.of(), images().list());
        assertTrue(images().find("debian-12").isEmpty());
        install();
        Image image = images().find("debian-12").orElseThrow();
        assertEquals(List.of(image), images().list());
        assertEquals("6.1.0-test", image.kernelRelease());
        assertEquals("./boot/vmlinuz-6.1.0-test", Files.readString(image.kernel()));
        assertEquals("./bin/busybox", Files.readString(image.busybox()));
        assertTrue(Files.isExecutable(image.busybox()));
        assertEquals("6.1-1", image.packages().get("linux-image-6.1.0-test"));
        try (var tar = new TarArchiveInputStream(Files.newInputStream(image.modules()))) {
            assertEquals(
                    "lib/modules/6.1.0-test/kernel/a.ko", tar.getNextEntry().getName());
        }
        images().verify("debian-12");
    }

    @Test
    void noticesDamage() throws IOException {
        install();
        Path folder = temp.resolve("cache/images/debian-12");
        Files.writeString(folder.resolve("modules.tar"), "other");
        assertTrue(images().find("debian-12").isPresent());
        assertMessage("modules.tar: does not have its checksum", () -> images().verify("debian-12"));
        Files.writeString(folder.resolve("vmlinuz"), "./boot/vmlinuz-6.1.0-tesT");
        assertMessage("vmlinuz: does not have its checksum", () -> images().find("debian-12"));
        Files.delete(folder.resolve("vmlinuz"));
        assertMessage("vmlinuz: cannot be read", () -> images().find("debian-12"));
        Files.writeString(folder.resolve(Manifest.FILE), "format=7\n");
        assertMessage("format is not 1", () -> images().find("debian-12"));
    }

    @Test
    void checksImagesOfEarlierVersions() throws IOException {
        install();
        Path folder = temp.resolve("cache/images/debian-12");
        Path manifest = folder.resolve(Manifest.FILE);
        List<String> lines = Files.readAllLines(manifest);
        assertTrue(lines.removeIf(line -> line.startsWith("crc32c.")));
        Files.write(manifest, lines);
        assertTrue(images().find("debian-12").isPresent());
        Files.writeString(folder.resolve("busybox"), "other");
        assertMessage("busybox: does not have its checksum", () -> images().find("debian-12"));
    }

    @Test
    void removes() throws IOException {
        install();
        assertTrue(images().remove("debian-12"));
        assertFalse(images().remove("debian-12"));
        assertEquals(List.of(), images().list());
        assertMessage("no such image: debian-1 (there are debian-12, debian-13)", () -> images().remove("debian-1"));
        assertMessage("no such image", () -> images().find("../debian-12"));
    }

    @Test
    void refusesPackagesThatLackAFile() throws IOException {
        var builder = new ImageBuilder(temp, Progress.NONE);
        builder.unpack(
                "busybox-static", TestPackages.deb(temp.resolve("a.deb"), "data.tar", List.of("usr/bin/busybox")));
        assertMessage("have no vmlinuz", () -> builder.finish(new TreeMap<>()));
    }

    private static void assertMessage(String part, Executable action) {
        String message = assertThrows(ImageException.class, action).getMessage();
        assertTrue(message.contains(part), message);
        assertFalse(message.contains("\n"), message);
    }

    @Test
    void pullsFromTheSystemsMirror() {
        var steps = new ArrayList<String>();
        Image image = null;
        try {
            image = images().pull("debian-12", (step, done, total) -> {
                if (steps.isEmpty() || !steps.getLast().equals(step)) {
                    steps.add(step);
                }
            });
        } catch (ImageException e) {
            Assumptions.abort("apt does not work here: " + e.getMessage());
        }
        assertTrue(steps.contains("downloading busybox-static"), steps.toString());
        assertTrue(image.kernelRelease().endsWith("-cloud-amd64"), image.kernelRelease());
        images().verify("debian-12");
        assertEquals(List.of(image), images().list());
    }
}
