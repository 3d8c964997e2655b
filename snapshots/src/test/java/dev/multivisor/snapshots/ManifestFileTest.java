package dev.multivisor.snapshots;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.multivisor.api.MachineSpec;
import dev.multivisor.api.StateFormat;
import dev.multivisor.host.HostException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Arrays;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ManifestFileTest {
    private static final Manifest MANIFEST = new Manifest(
            "0123456789abcdef",
            Optional.of(new Manifest.Parent("monday", "fedcba9876543210")),
            Instant.parse("2026-11-25T22:51:00.031405188Z"),
            "web \"\u00e4\\",
            "0.2.0",
            1,
            new MachineSpec(2, "x86-64-v2", Map.of("vmgenid", "on")),
            new StateFormat(Map.of("cpu", 1, "pciBus", 2), Set.of("vmgenid")),
            1L << 40,
            63_332_431_613L,
            true,
            312_000,
            new Manifest.Content(2990, 0xffffffffL),
            new Manifest.Content(0, 0),
            16_385,
            -1);

    @TempDir
    Path folder;

    private Path file(byte[] bytes) throws IOException {
        return Files.write(folder.resolve("manifest.json"), bytes);
    }

    @Test
    void comesBackAsItWas() throws IOException {
        assertEquals(MANIFEST, ManifestFile.read(file(ManifestFile.write(MANIFEST))));
        Manifest first = new Manifest(
                "0",
                Optional.empty(),
                MANIFEST.created(),
                "vm",
                "0.1.0",
                1,
                new MachineSpec(1, "x86-64-v2", Map.of()),
                new StateFormat(Map.of(), Set.of()),
                1 << 24,
                0,
                false,
                0,
                MANIFEST.state(),
                MANIFEST.pages(),
                0,
                0);
        assertEquals(first, ManifestFile.read(file(ManifestFile.write(first))));
    }

    @Test
    void everyFlippedBitIsNoticed() throws IOException {
        byte[] bytes = ManifestFile.write(MANIFEST);
        for (int n = 0; n < bytes.length; n++) {
            for (int bit = 0; bit < 8; bit++) {
                byte[] damaged = bytes.clone();
                damaged[n] ^= (byte) (1 << bit);
                // In the checksum itself, a letter may become a capital one, which is the same digit; so may a blank.
                String was = new String(bytes, StandardCharsets.UTF_8);
                String is = new String(damaged, StandardCharsets.UTF_8);
                if (!was.equalsIgnoreCase(is) && n < bytes.length - 3) {
                    refused(damaged);
                }
            }
        }
    }

    @Test
    void everyCutIsNoticed() throws IOException {
        byte[] bytes = ManifestFile.write(MANIFEST);
        for (int length = 0; length < bytes.length - 1; length++) {
            refused(Arrays.copyOf(bytes, length));
        }
    }

    private void refused(byte[] bytes) throws IOException {
        Path file = file(bytes);
        String message = assertThrows(
                        HostException.class,
                        () -> ManifestFile.read(file),
                        () -> new String(bytes, StandardCharsets.UTF_8))
                .getMessage();
        assertTrue(message.startsWith("snapshot " + file), message);
        assertEquals(1, message.lines().count(), message);
    }
}
