package dev.multivisor.engine.boot;

import dev.multivisor.engine.mmu.PhysicalMemory;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
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
    static String format(MemorySegment in) {
        int magic = in.byteSize() < 4 ? 0 : in.get(PhysicalMemory.INT, 0);
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
     * @param arena which the memory for that may come from; it may be used by several threads
     * @throws IOException if the data is damaged or of another size
     */
    static MemorySegment unpack(MemorySegment in, int size, Arena arena) throws IOException {
        String format = format(in);
        if (format.equals("LZ4")) {
            // A kernel of some 60 MB in the heap would stay in the process's memory until its next full collection.
            MemorySegment out = arena.allocate(size);
            check(Lz4.decode(in, out), size);
            return out;
        }
        byte[] packed = in.toArray(ValueLayout.JAVA_BYTE);
        byte[] out = new byte[size];
        int filled = switch (format) {
            case "Zstandard" -> Zstd.decode(packed, out);
            case "gzip" -> stream(GZIPInputStream::new, packed, out);
            case "xz" -> stream(source -> new XZInputStream(source, XZ_MEMORY_KIB), packed, out);
            case "bzip2" -> stream(BZip2CompressorInputStream::new, packed, out);
            case "LZMA" -> stream(source -> new LZMAInputStream(source, XZ_MEMORY_KIB), packed, out);
            default -> throw new IOException("compression " + format + " is not supported");
        };
        check(filled, size);
        return MemorySegment.ofArray(out);
    }

    private static void check(long filled, int size) throws IOException {
        if (filled != size) {
            throw new IOException("it unpacks to " + filled + " bytes instead of " + size);
        }
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
