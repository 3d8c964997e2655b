package dev.multivisor.engine.boot;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.zip.GZIPInputStream;
import org.apache.commons.compress.compressors.bzip2.BZip2CompressorInputStream;
import org.tukaani.xz.LZMAInputStream;
import org.tukaani.xz.XZInputStream;

/** Decompresses a kernel's payload on the host, which is much quicker than having the guest do it. */
final class Unpacker {
    private static final int XZ_MEMORY_KIB = 256 << 10;

    private Unpacker() {}

    /** Opens a stream over compressed bytes. */
    private interface Opener {
        InputStream open(InputStream in) throws IOException;
    }

    /** Whether the compression is one that {@link #unpack} knows. */
    static String format(byte[] in) {
        int magic = in.length < 4 ? 0 : in[0] & 0xff | (in[1] & 0xff) << 8 | (in[2] & 0xff) << 16 | in[3] << 24;
        if (magic == Lz4.MAGIC) {
            return "LZ4";
        } else if (magic == Zstd.MAGIC) {
            return "Zstandard";
        } else if ((magic & 0xffff) == 0x8b1f) {
            return "gzip";
        } else if (magic == 0x587a37fd) {
            return "xz";
        } else if ((magic & 0xffffff) == 0x685a42) {
            return "bzip2";
        } else if ((magic & 0xffffff) == 0x00005d) {
            return "LZMA";
        } else if (magic == 0x464c457f) {
            return "none";
        } else if (magic == 0x4f5a4c89) {
            return "LZO";
        }
        return String.format("unknown (begins with 0x%08x)", magic);
    }

    /**
     * Decompresses all of a payload.
     *
     * @param size how large it must come out
     * @throws IOException if the data is damaged or of another size
     */
    static byte[] unpack(byte[] in, int size) throws IOException {
        byte[] out = new byte[size];
        int filled = switch (format(in)) {
            case "LZ4" -> Lz4.decode(in, out);
            case "Zstandard" -> Zstd.decode(in, out);
            case "gzip" -> stream(GZIPInputStream::new, in, out);
            case "xz" -> stream(source -> new XZInputStream(source, XZ_MEMORY_KIB), in, out);
            case "bzip2" -> stream(BZip2CompressorInputStream::new, in, out);
            case "LZMA" -> stream(source -> new LZMAInputStream(source, XZ_MEMORY_KIB), in, out);
            default -> throw new IOException("compression " + format(in) + " is not supported");
        };
        if (filled != size) {
            throw new IOException("it unpacks to " + filled + " bytes instead of " + size);
        }
        return out;
    }

    private static int stream(Opener opener, byte[] in, byte[] out) throws IOException {
        try (InputStream stream = opener.open(new ByteArrayInputStream(in))) {
            int filled = stream.readNBytes(out, 0, out.length);
            if (filled == out.length && stream.read() >= 0) {
                throw new IOException("it unpacks to more than " + out.length + " bytes");
            }
            return filled;
        } catch (IndexOutOfBoundsException e) {
            throw new IOException("the compressed data is damaged", e);
        }
    }
}
