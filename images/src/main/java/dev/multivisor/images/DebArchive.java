package dev.multivisor.images;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.GZIPInputStream;
import org.apache.commons.compress.archivers.ar.ArArchiveEntry;
import org.apache.commons.compress.archivers.ar.ArArchiveInputStream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;
import org.tukaani.xz.XZInputStream;

/** Reads the files in a binary package (deb(5)). */
final class DebArchive {
    private static final int XZ_MEMORY_KIB = 256 << 10;

    private DebArchive() {}

    /** Takes one file, link or folder of a package. */
    interface Visitor {
        /**
         * Called for each entry in turn.
         *
         * @param path relative, without a dot at its front and without any way out of the folder
         * @param content the file's content, valid during the call
         */
        void visit(String path, TarArchiveEntry entry, InputStream content) throws IOException;
    }

    static void read(Path deb, Visitor visitor) {
        try (var ar = new ArArchiveInputStream(new BufferedInputStream(Files.newInputStream(deb)))) {
            for (ArArchiveEntry entry = ar.getNextEntry(); entry != null; entry = ar.getNextEntry()) {
                if (entry.getName().startsWith("data.tar")) {
                    data(decompress(entry.getName(), ar), visitor);
                    return;
                }
            }
            throw new ImageException(deb.getFileName() + ": data.tar: is missing");
        } catch (IOException e) {
            throw FileTrees.failed("cannot unpack " + deb.getFileName(), e);
        }
    }

    private static InputStream decompress(String name, InputStream in) throws IOException {
        return switch (name) {
            case "data.tar" -> in;
            case "data.tar.gz" -> new GZIPInputStream(in);
            case "data.tar.xz" -> new XZInputStream(in, XZ_MEMORY_KIB);
            default -> throw new ImageException(name + ": this compression is not supported");
        };
    }

    // The tar stream is not closed: that would close the archive around it.
    @SuppressWarnings("resource")
    private static void data(InputStream in, Visitor visitor) throws IOException {
        var tar = new TarArchiveInputStream(in);
        for (TarArchiveEntry entry = tar.getNextEntry(); entry != null; entry = tar.getNextEntry()) {
            visitor.visit(relative(entry.getName()), entry, tar);
        }
    }

    /** Brings an entry's name into its plain form, or refuses it. */
    static String relative(String name) {
        String plain =
                name.replaceFirst("^(\\./)+", "").replaceFirst("^\\.$", "").replaceFirst("/+$", "");
        for (String part : plain.split("/", -1)) {
            if (part.equals("..")
                    || part.equals(".")
                    || part.isEmpty() && !plain.isEmpty()
                    || part.indexOf('\0') >= 0) {
                throw new ImageException("unsafe path in an archive: " + name);
            }
        }
        return plain;
    }
}
