package dev.multivisor.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.jar.JarOutputStream;
import java.util.stream.Stream;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EngineCacheTest {
    @TempDir
    Path temp;

    @Test
    void noticesNewContentOfTheSameSizeAndTime() throws Exception {
        Path jar = temp.resolve("engine.jar");
        EngineCache cache = new EngineCache(temp.resolve("cache"));
        write(jar, "one");
        FileTime time = Files.getLastModifiedTime(jar);
        Thread.sleep(EngineCache.SETTLED.plusMillis(20));
        Path first = cache.unpack(jar);
        assertEquals(1, notes());
        assertEquals(first, cache.unpack(jar));

        write(jar, "two");
        Files.setLastModifiedTime(jar, time);
        Path second = cache.unpack(jar);
        assertNotEquals(first, second);
        assertEquals(-1, Files.mismatch(jar, second.resolve("engine.jar")));
        assertTrue(Files.isDirectory(first));
    }

    @Test
    void doesWithoutADamagedNote() throws Exception {
        Path jar = temp.resolve("engine.jar");
        EngineCache cache = new EngineCache(temp.resolve("cache"));
        write(jar, "one");
        Thread.sleep(EngineCache.SETTLED.plusMillis(20));
        Path first = cache.unpack(jar);
        for (Path note : list()) {
            if (!Files.isDirectory(note)) {
                Files.writeString(note, Files.readString(note).substring(0, 40));
            }
        }
        assertEquals(first, cache.unpack(jar));
    }

    @Test
    void aFlippedBitIsNoticed() throws Exception {
        Path jar = temp.resolve("engine.jar");
        EngineCache cache = new EngineCache(temp.resolve("cache"));
        byte[] content = "not compressed".getBytes(java.nio.charset.StandardCharsets.US_ASCII);
        try (ZipOutputStream out = new ZipOutputStream(Files.newOutputStream(jar))) {
            ZipEntry entry = new ZipEntry("content");
            entry.setMethod(ZipEntry.STORED);
            entry.setSize(content.length);
            CRC32 sum = new CRC32();
            sum.update(content);
            entry.setCrc(sum.getValue());
            out.putNextEntry(entry);
            out.write(content);
        }
        byte[] bytes = Files.readAllBytes(jar);
        int at = new String(bytes, java.nio.charset.StandardCharsets.ISO_8859_1).indexOf("compressed");
        bytes[at] ^= 1;
        Files.write(jar, bytes);
        String message =
                assertThrows(HostException.class, () -> cache.unpack(jar)).getMessage();
        assertTrue(message.contains("content is damaged"), message);
        assertEquals(0, Stream.of(list()).filter(Files::isDirectory).count());
    }

    private long notes() throws IOException {
        return Stream.of(list()).filter(file -> !Files.isDirectory(file)).count();
    }

    private Path[] list() throws IOException {
        try (Stream<Path> files = Files.list(temp.resolve("cache"))) {
            return files.toArray(Path[]::new);
        }
    }

    private static void write(Path jar, String content) throws IOException {
        try (OutputStream out = Files.newOutputStream(jar);
                JarOutputStream entries = new JarOutputStream(out)) {
            ZipEntry entry = new ZipEntry("content");
            entry.setTime(0);
            entries.putNextEntry(entry);
            entries.write(content.getBytes(java.nio.charset.StandardCharsets.US_ASCII));
        }
    }
}
