package dev.multivisor.images;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Stream;
import java.util.zip.CRC32C;

/** What is done to files here and there. */
final class FileTrees {
    private FileTrees() {}

    /** Deletes a folder with all that is in it, if it exists; links are not followed. */
    static void deleteTree(Path folder) throws IOException {
        if (!Files.exists(folder, LinkOption.NOFOLLOW_LINKS)) {
            return;
        }
        List<Path> paths;
        try (Stream<Path> tree = Files.walk(folder)) {
            paths = tree.sorted(Comparator.reverseOrder()).toList();
        }
        for (Path path : paths) {
            Files.deleteIfExists(path);
        }
    }

    /** A file's SHA-256 in hexadecimal. */
    static String sha256(Path file) throws IOException {
        try (InputStream in = Files.newInputStream(file)) {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            byte[] buffer = new byte[1 << 16];
            for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
                digest.update(buffer, 0, n);
            }
            return HexFormat.of().formatHex(digest.digest());
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    /** A file's CRC-32C in hexadecimal. Unlike SHA-256, the JVM computes it at full speed from its start on. */
    static String crc32c(Path file) throws IOException {
        try (InputStream in = Files.newInputStream(file)) {
            CRC32C crc = new CRC32C();
            byte[] buffer = new byte[1 << 16];
            for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
                crc.update(buffer, 0, n);
            }
            return Long.toHexString(crc.getValue());
        }
    }

    /** One line about a failed file operation. */
    static ImageException failed(String what, IOException cause) {
        String message = cause.getMessage() == null ? "" : cause.getMessage();
        String reason = switch (cause) {
            case FileSystemException e when e.getReason() != null -> e.getFile() + ": " + e.getReason();
            case NoSuchFileException e -> e.getFile() + ": no such file or folder";
            case AccessDeniedException e -> e.getFile() + ": permission denied";
            case EOFException e -> "it is cut short";
            default ->
                cause.getClass() == IOException.class
                        ? message
                        : cause.getClass().getSimpleName() + ": " + message;
        };
        return new ImageException(what + ": " + reason.lines().findFirst().orElse(reason), cause);
    }
}
