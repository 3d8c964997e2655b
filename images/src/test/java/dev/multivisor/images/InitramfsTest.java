package dev.multivisor.images;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.commons.compress.archivers.cpio.CpioArchiveEntry;
import org.apache.commons.compress.archivers.cpio.CpioArchiveInputStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class InitramfsTest {
    @TempDir
    Path temp;

    private Image image;

    private record File(CpioArchiveEntry entry, String content) {
        String mode() {
            return Long.toOctalString(entry.getMode());
        }
    }

    @BeforeEach
    void makeImage() throws IOException {
        Files.writeString(temp.resolve("busybox"), "BUSYBOX");
        image = new Image("test", temp, Map.of(), "6.1", 0, List.of("sh", "["));
    }

    private static Map<String, File> read(Initramfs initramfs) throws IOException {
        var files = new LinkedHashMap<String, File>();
        try (var cpio = new CpioArchiveInputStream(new ByteArrayInputStream(initramfs.toByteArray()))) {
            for (CpioArchiveEntry entry = cpio.getNextEntry(); entry != null; entry = cpio.getNextEntry()) {
                String content = new String(cpio.readAllBytes(), StandardCharsets.ISO_8859_1);
                assertFalse(files.containsKey(entry.getName()), entry.getName());
                int slash = entry.getName().lastIndexOf('/');
                assertTrue(slash < 0 || files.containsKey(entry.getName().substring(0, slash)), entry.getName());
                files.put(entry.getName(), new File(entry, content));
            }
        }
        return files;
    }

    @Test
    void hasWhatAGuestNeeds() throws IOException {
        Map<String, File> files = read(new Initramfs(image));
        assertEquals("BUSYBOX", files.get("bin/busybox").content());
        assertEquals("100755", files.get("init").mode());
        assertTrue(files.get("init").content().startsWith("#!/bin/busybox sh\n"));
        assertFalse(files.get("init").content().contains("--install"));
        assertEquals("busybox", files.get("bin/[").content());
        assertEquals("120777", files.get("bin/[").mode());
        assertEquals("20600", files.get("dev/console").mode());
        assertEquals(5, files.get("dev/console").entry().getRemoteDeviceMaj());
        assertEquals(1, files.get("dev/console").entry().getRemoteDeviceMin());
        assertEquals("41777", files.get("tmp").mode());
        assertFalse(files.containsKey("script"));
    }

    @Test
    void asksBusyboxForItsCommandsInTheGuest() throws IOException {
        var unknown = new Image("test", temp, Map.of(), "6.1", 0, List.of());
        assertTrue(read(new Initramfs(unknown)).get("init").content().contains("\n/bin/busybox --install -s /bin\n"));
    }

    @Test
    void addsScriptsAndFiles() throws IOException {
        Path tree = Files.createDirectories(temp.resolve("tree/sub"));
        Path tool = Files.writeString(tree.resolve("tool"), "TOOL");
        Files.setPosixFilePermissions(tool, PosixFilePermissions.fromString("rwxr-x---"));
        Files.createSymbolicLink(tree.resolve("link"), Path.of("tool"));
        var initramfs = new Initramfs(image)
                .script("exit 3\n".getBytes(StandardCharsets.UTF_8))
                .file(temp.resolve("tree"), "/opt/deep//tree/")
                .file(tool, "/sbin/tool")
                .file(tree.resolve("link"), "/linked");
        Map<String, File> files = read(initramfs);
        assertEquals("exit 3\n", files.get("script").content());
        assertEquals("100755", files.get("script").mode());
        assertEquals("100750", files.get("opt/deep/tree/sub/tool").mode());
        assertEquals("TOOL", files.get("opt/deep/tree/sub/tool").content());
        assertEquals("tool", files.get("opt/deep/tree/sub/link").content());
        assertEquals("120777", files.get("sbin").mode());
        assertEquals("TOOL", files.get("sbin/tool").content());
        assertEquals("TOOL", files.get("linked").content());
        assertArrayEquals(initramfs.toByteArray(), initramfs.toByteArray());
    }

    @Test
    void refusesBadPaths() {
        var initramfs = new Initramfs(image);
        assertThrows(ImageException.class, () -> initramfs.file(image.busybox(), "relative"));
        assertThrows(ImageException.class, () -> initramfs.file(image.busybox(), "/a/../../b"));
        assertThrows(ImageException.class, () -> initramfs.file(temp.resolve("missing"), "/a"));
    }
}
