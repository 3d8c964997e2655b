package dev.multivisor.engine.boot;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.ProcessBuilder.Redirect;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import org.apache.commons.compress.compressors.bzip2.BZip2CompressorOutputStream;
import org.apache.commons.compress.compressors.lz4.BlockLZ4CompressorOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.tukaani.xz.FilterOptions;
import org.tukaani.xz.LZMA2Options;
import org.tukaani.xz.LZMAOutputStream;
import org.tukaani.xz.X86Options;
import org.tukaani.xz.XZOutputStream;

class UnpackerTest {
    private final byte[] content = ImageBuilder.content(60_000);

    private interface Wrapper {
        OutputStream wrap(OutputStream out) throws IOException;
    }

    private static byte[] unpack(byte[] in, int size) throws IOException {
        try (Arena arena = Arena.ofShared()) {
            return Unpacker.unpack(MemorySegment.ofArray(in), size, arena).toArray(ValueLayout.JAVA_BYTE);
        }
    }

    private byte[] compress(Wrapper wrapper) throws IOException {
        var out = new ByteArrayOutputStream();
        try (OutputStream compressor = wrapper.wrap(out)) {
            compressor.write(content);
        }
        return out.toByteArray();
    }

    @Test
    void unpacksWhatLibrariesPack() throws IOException {
        check("bzip2", compress(BZip2CompressorOutputStream::new));
        check("LZMA", compress(out -> new LZMAOutputStream(out, new LZMA2Options(), -1)));
        FilterOptions[] filters = {new X86Options(), new LZMA2Options()};
        check("xz", compress(out -> new XZOutputStream(out, filters)));
        byte[] block = compress(BlockLZ4CompressorOutputStream::new);
        byte[] frame = ImageBuilder.buffer(block.length + 8)
                .putInt(Lz4.MAGIC)
                .putInt(block.length)
                .put(block)
                .array();
        check("LZ4", frame);
    }

    /** Blocks of 8 MiB, decoded side by side, with a last one that is not full; and blocks that are none of them full. */
    @Test
    void unpacksBlocksOfLz4() throws IOException {
        byte[] large = ImageBuilder.content(2 * (8 << 20) + 12_345);
        assertArrayEquals(large, unpack(frame(large, 8 << 20), large.length));
        assertArrayEquals(content, unpack(frame(content, 7_000), content.length));
        byte[] packed = frame(large, 8 << 20);
        assertThrows(IOException.class, () -> unpack(packed, large.length - 1));
        assertThrows(IOException.class, () -> unpack(packed, large.length + 1));
    }

    /** Blocks of nothing but literals (lz4_Block_format.md): a compressor takes minutes for so many bytes. */
    private static byte[] frame(byte[] bytes, int blockSize) {
        ByteBuffer out = ImageBuilder.buffer(bytes.length + bytes.length / 200 + 1000);
        out.putInt(Lz4.MAGIC);
        for (int at = 0; at < bytes.length; at += blockSize) {
            int size = Math.min(blockSize, bytes.length - at);
            int place = out.position();
            out.putInt(0).put((byte) 0xf0);
            int rest = size - 15;
            for (; rest >= 255; rest -= 255) {
                out.put((byte) 255);
            }
            out.put((byte) rest).put(bytes, at, size);
            out.putInt(place, out.position() - place - 4);
        }
        return Arrays.copyOf(out.array(), out.position());
    }

    private void check(String format, byte[] packed) throws IOException {
        assertEquals(format, Unpacker.format(MemorySegment.ofArray(packed)));
        assertArrayEquals(content, unpack(packed, content.length));
        assertThrows(IOException.class, () -> unpack(packed, content.length - 1), format);
        assertThrows(IOException.class, () -> unpack(packed, content.length + 1), format);
        var random = new Random(3);
        for (int i = 0; i < 12; i++) {
            byte[] cut = Arrays.copyOf(packed, 4 + random.nextInt(packed.length - 4));
            assertThrows(IOException.class, () -> unpack(cut, content.length), format);
            byte[] flipped = packed.clone();
            flipped[random.nextInt(packed.length)] ^= (byte) (1 << random.nextInt(8));
            try {
                unpack(flipped, content.length);
            } catch (IOException e) {
                assertTrue(e.getMessage() != null, format);
            }
        }
    }

    /** A frame written down once, so that the test does not depend on a program: "hello" 40 times, then numbers. */
    @Test
    void unpacksZstandard() throws IOException {
        byte[] packed = HexFormat.of().parseHex(ZSTD_SAMPLE);
        byte[] expected = sample();
        assertArrayEquals(expected, unpack(packed, expected.length));
        packed[packed.length - 1] ^= 1;
        IOException e = assertThrows(IOException.class, () -> unpack(packed, expected.length));
        assertEquals("Zstandard: wrong checksum", e.getMessage());
    }

    private static byte[] sample() {
        var text = new StringBuilder("hello".repeat(40));
        for (int i = 0; i < 300; i++) {
            text.append(i * 7 % 101).append(' ').append((char) ('a' + i % 23));
        }
        return text.toString().getBytes(StandardCharsets.US_ASCII);
    }

    @Test
    void unpacksWhatTheZstdProgramPacks(@TempDir Path dir) throws Exception {
        assumeTrue(Files.isExecutable(Path.of("/usr/bin/zstd")), "no zstd program");
        var random = new Random(5);
        byte[] noise = new byte[150_000];
        random.nextBytes(noise);
        byte[] digits = new byte[300_000];
        for (int i = 0; i < digits.length; i++) {
            digits[i] = (byte) ("0123456789 abc".charAt((int) Math.min(13, Math.abs(random.nextGaussian()) * 4)));
        }
        List<byte[]> contents = List.of(content, new byte[1000], noise, digits, new byte[] {1}, sample());
        for (byte[] bytes : contents) {
            for (String level : List.of("-1", "-5", "-19", "--ultra -22 --long=27", "-3 --no-check")) {
                Path file = Files.write(dir.resolve("in"), bytes);
                List<String> command = Arrays.asList(("/usr/bin/zstd -q -c " + level + " " + file).split(" "));
                Path packedFile = dir.resolve("out");
                Process process = new ProcessBuilder(command)
                        .redirectOutput(packedFile.toFile())
                        .redirectError(Redirect.DISCARD)
                        .start();
                assertEquals(0, process.waitFor());
                byte[] packed = Files.readAllBytes(packedFile);
                assertArrayEquals(bytes, unpack(packed, bytes.length), level);
                flip(packed, bytes.length, random);
            }
        }
    }

    private static void flip(byte[] packed, int size, Random random) {
        for (int i = 0; i < 8; i++) {
            byte[] flipped = packed.clone();
            flipped[random.nextInt(packed.length)] ^= (byte) (1 << random.nextInt(8));
            try {
                unpack(flipped, size);
            } catch (IOException e) {
                assertTrue(e.getMessage() != null);
            }
        }
    }

    private static final String ZSTD_SAMPLE = ""
            + "28b52ffd0468fd1300d6bf9219704d5a0c00008402000000c00000f02cadecee6eaaa5ffe1058c008b008b00df41567b"
            + "6cccb1d57252e3655c8b7315ef495c0731eae19386290b1f12d61b6c4eb059e02cc04b958b28e3e45dc9b591f1403efa"
            + "98d4f1e5b26263838ced16a729de4a5c8518e9f0314c8571099f33988ee0d3c09a804d5636a49c37794d7259642cc887"
            + "1e1339bee5b38d6919df59acaad868624bc48987f70cd71546237c6a3095e0a3c00ad82c8b05e1108f8f635ac66d7c0e"
            + "633a8b4f156b2662c3c37986d70a9711c61a7c483051e0ad4c4bf9ce6455c946235b424e7cbce7b86e19adf129c6548b"
            + "8f146b6283f8f6b01ec3e61436259c3978517061603cc0c72a9351be9aac24d9506483acfbd8ac633bcba98d3719572e"
            + "46547c2e311de2b3c35a864d1536229c838d21c1b681f3005ead5c4a1973f241c9849156f91465aac9479235b2817cfb"
            + "588f6373964d1be7e2e242c578898f21263b7c6558a9b021c2365857b0d9c07600a756dea45c391951f2b9c87490cf1e"
            + "6b3936b56cd438191b437b54d3f0c1c28484ef06ab093616d80a7052e5a55c937325ef895c0732eae393b97cd8588fb1"
            + "b9c5668ab3122f212e3a8cbb4735012b563648d96e729ae4adc855909102804d2be7e2e442c978918f41267b7ce55869"
            + "d95063db3d9a6918b1f039c27483cf046b053605d8a8721adaa39a8e0f2e1336be63acb6d89862abc44988f770ed399a"
            + "09f8b0b21e657393cd2467455e825cf418778f6a2656446cf0b09de1b4c25b84ab0623093e8169cfd14cc8868ff31caf"
            + "2d9735c6627c683191e2db3daa393851f05ee03ac01835a811104b24f1af64a831c017d6f1b3ffffff1b49fd8698e836"
            + "54031507e711c84675d8230c9cff23a67097d40a886aef01ed17aba3";
}
