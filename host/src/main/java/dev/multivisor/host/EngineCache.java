package dev.multivisor.host;

import dev.multivisor.api.EngineInfo;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.time.Instant;
import java.util.Comparator;
import java.util.Enumeration;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Supplier;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.stream.Stream;
import java.util.zip.CRC32;
import java.util.zip.CheckedInputStream;

/**
 * Unpacked engines, one folder for each content: a class loader can read neither a JAR inside a JAR nor one that a
 * build replaces while it is open. A folder appears whole, by a rename, and is never changed.
 */
final class EngineCache {
    private static final Duration KEPT_UNUSED = Duration.ofDays(30);

    /** How long ago a file must have been changed for its change time to tell it from any later content. */
    static final Duration SETTLED = Duration.ofMillis(100);

    private static final int HASH_LENGTH = 64;

    private final Path root;

    EngineCache(Path root) {
        this.root = root;
    }

    /** The folder with the engine's own JAR and those that were in it; every entry was read and checked once. */
    Path unpack(Path jar) {
        try {
            Files.createDirectories(root);
            Path target = root.resolve(knownHash(jar));
            if (!Files.isDirectory(target)) {
                removeOld();
                unpack(jar, target);
            }
            Files.setLastModifiedTime(target, FileTime.from(Instant.now()));
            return target;
        } catch (IOException | SecurityException e) {
            throw new HostException("engine " + jar + ": cannot be unpacked (" + e.getMessage() + ")", e);
        }
    }

    /** What an engine says about itself: from a note beside its folder, or from the engine. */
    EngineInfo info(Path jar, Supplier<EngineInfo> engine) {
        Path note = root.resolve("info-" + unpack(jar).getFileName());
        try {
            return EngineInfoFile.read(note);
        } catch (IOException e) {
            // There is none, or it is damaged, or of another version of this program: the engine is asked.
        }
        EngineInfo info = engine.get();
        try {
            Path part = Files.createTempFile(root, "part-", "");
            EngineInfoFile.write(part, info);
            Files.move(part, note, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            throw new HostException("engine " + jar + ": " + note + " cannot be written (" + e.getMessage() + ")", e);
        }
        return info;
    }

    private void unpack(Path jar, Path target) throws IOException {
        Path part = Files.createTempDirectory(root, "part-");
        try {
            Path copy = Files.copy(jar, part.resolve("engine.jar"));
            readAll(copy, part);
            try {
                Files.move(part, target, StandardCopyOption.ATOMIC_MOVE);
            } catch (IOException e) {
                // Another process may have been first; its folder has the same content.
                if (!Files.isDirectory(target)) {
                    throw e;
                }
            }
        } finally {
            delete(part);
        }
    }

    private static void readAll(Path jar, Path folder) throws IOException {
        try (JarFile file = new JarFile(jar.toFile())) {
            for (Enumeration<JarEntry> entries = file.entries(); entries.hasMoreElements(); ) {
                JarEntry entry = entries.nextElement();
                String name = entry.getName();
                // A JAR's reader does not compare checksums.
                CRC32 sum = new CRC32();
                try (InputStream content = new CheckedInputStream(file.getInputStream(entry), sum)) {
                    if (name.startsWith(EngineJar.LIBRARIES) && name.endsWith(".jar")) {
                        // Only the last part of the name is used, so that no entry can leave the folder.
                        String plain = name.substring(name.lastIndexOf('/') + 1);
                        Files.copy(content, folder.resolve(plain));
                    } else {
                        content.transferTo(OutputStream.nullOutputStream());
                    }
                }
                if (!entry.isDirectory() && entry.getCrc() != sum.getValue()) {
                    throw new IOException(name + " is damaged");
                }
            }
        }
    }

    /**
     * The hash of a JAR, from a note of the last time if the file has not been touched since: computing it is a good
     * part of a start. No program can set a file's change time (inode(7)).
     */
    private String knownHash(Path jar) throws IOException {
        Path file = jar.toRealPath();
        String identity;
        Instant changed;
        try {
            Map<String, Object> attributes = Files.readAttributes(file, "unix:dev,ino,size,ctime");
            changed = ((FileTime) attributes.get("ctime")).toInstant();
            identity = file + "\n" + new TreeMap<>(attributes) + "\n";
        } catch (UnsupportedOperationException e) {
            return hash(jar);
        }
        Path note = root.resolve("known-" + Integer.toHexString(file.toString().hashCode()));
        try {
            String known = Files.readString(note);
            if (known.startsWith(identity) && known.length() == identity.length() + HASH_LENGTH) {
                return known.substring(identity.length());
            }
        } catch (IOException e) {
            // There is none, or it is damaged: the hash decides.
        }
        String hash = hash(jar);
        // The clock of change times is a coarse one: what was changed just now may change again in the same tick.
        if (changed.plus(SETTLED).isBefore(Instant.now())) {
            Path part = Files.createTempFile(root, "part-", "");
            Files.writeString(part, identity + hash);
            Files.move(part, note, StandardCopyOption.ATOMIC_MOVE);
        }
        return hash;
    }

    private static String hash(Path jar) throws IOException {
        MessageDigest digest;
        try {
            digest = MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
        try (InputStream in = new DigestInputStream(Files.newInputStream(jar), digest)) {
            byte[] buffer = new byte[1 << 16];
            while (in.read(buffer) >= 0) {
                // the stream digests what it reads
            }
        }
        return HexFormat.of().formatHex(digest.digest());
    }

    private void removeOld() throws IOException {
        Instant limit = Instant.now().minus(KEPT_UNUSED);
        try (DirectoryStream<Path> folders = Files.newDirectoryStream(root)) {
            for (Path folder : folders) {
                try {
                    if (Files.getLastModifiedTime(folder).toInstant().isBefore(limit)) {
                        delete(folder);
                    }
                } catch (NoSuchFileException e) {
                    // Somebody else's that was in the making, or removed by another just now.
                }
            }
        }
    }

    private static void delete(Path folder) throws IOException {
        if (!Files.exists(folder)) {
            return;
        }
        List<Path> all;
        try (Stream<Path> walk = Files.walk(folder)) {
            all = walk.sorted(Comparator.reverseOrder()).toList();
        }
        for (Path path : all) {
            Files.deleteIfExists(path);
        }
    }
}
