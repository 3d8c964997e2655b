package dev.multivisor.images;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DebArchiveTest {
    @TempDir
    Path temp;

    private TreeMap<String, String> read(Path deb) {
        var files = new TreeMap<String, String>();
        DebArchive.read(
                deb,
                (path, entry, content) -> files.put(path, new String(content.readAllBytes(), StandardCharsets.UTF_8)));
        return files;
    }

    @Test
    void readsEveryCompression() throws IOException {
        for (String data : List.of("data.tar", "data.tar.gz", "data.tar.xz")) {
            Path deb = TestPackages.deb(temp.resolve("a.deb"), data, TestPackages.KERNEL_FILES);
            TreeMap<String, String> files = read(deb);
            assertEquals(4, files.size(), data);
            assertEquals("./boot/vmlinuz-6.1.0-test", files.get("boot/vmlinuz-6.1.0-test"));
        }
    }

    @Test
    void refusesUnsafePathsAndDamage() throws IOException {
        for (String path : List.of("../a", "./b/../../a", "/etc/passwd", "a/./b", "a//b")) {
            Path deb = TestPackages.deb(temp.resolve("a.deb"), "data.tar", List.of(path));
            String message =
                    assertThrows(ImageException.class, () -> read(deb), path).getMessage();
            assertTrue(message.startsWith("unsafe path in an archive"), message);
        }
        Path unknown = TestPackages.deb(temp.resolve("a.deb"), "data.tar.zst", List.of("a"));
        assertThrows(ImageException.class, () -> read(unknown));
        Path good = TestPackages.deb(temp.resolve("a.deb"), "data.tar.xz", TestPackages.KERNEL_FILES);
        byte[] bytes = Files.readAllBytes(good);
        for (int length = 0; length < bytes.length - 200; length += 7) {
            Path cut = Files.write(temp.resolve("cut.deb"), Arrays.copyOf(bytes, length));
            String message = assertThrows(ImageException.class, () -> read(cut)).getMessage();
            assertEquals(1, message.lines().count(), message);
        }
    }
}
