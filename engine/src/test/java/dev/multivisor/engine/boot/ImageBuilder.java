package dev.multivisor.engine.boot;

import dev.multivisor.api.Boot;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Random;
import java.util.zip.GZIPOutputStream;

/** Makes small kernel images, right ones, for tests to spoil. */
final class ImageBuilder {
    static final long LOAD = 0x1000000;
    static final int INIT_SIZE = 0x200000;

    private ImageBuilder() {}

    static Boot.Image image(byte[] bytes) {
        return new Boot.Image("kernel", MemorySegment.ofArray(bytes).asReadOnly());
    }

    static ByteBuffer buffer(int size) {
        return ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
    }

    /** Bytes that compress somewhat. */
    static byte[] content(int size) {
        var random = new Random(1);
        byte[] bytes = new byte[size];
        for (int i = 0; i < size; i++) {
            bytes[i] =
                    i > 100 && random.nextInt(4) > 0 ? bytes[i - 1 - random.nextInt(3) * 20] : (byte) random.nextInt();
        }
        return bytes;
    }

    /** An ELF64 kernel with one segment of a page at LOAD and an optional PVH note. */
    static byte[] elf64(boolean pvh) {
        ByteBuffer elf = buffer(0x2000);
        elf.putInt(0x464c457f).put((byte) 2).put((byte) 1).put((byte) 1);
        elf.putShort(16, (short) 2).putShort(18, (short) 62).putInt(20, 1);
        elf.putLong(24, LOAD).putLong(32, 64);
        elf.putShort(52, (short) 64).putShort(54, (short) 56).putShort(56, (short) (pvh ? 2 : 1));
        elf.putInt(64, 1)
                .putInt(68, 5)
                .putLong(72, 0x1000)
                .putLong(80, 0xffffffff81000000L)
                .putLong(88, LOAD);
        elf.putLong(96, 0x1000).putLong(104, 0x3000).putLong(112, 0x1000);
        if (pvh) {
            int note = 0x200;
            elf.putInt(120, 4)
                    .putLong(128, note)
                    .putLong(152, 40)
                    .putLong(160, 40)
                    .putLong(168, 4);
            elf.putInt(note, 4)
                    .putInt(note + 4, 4)
                    .putInt(note + 8, 6)
                    .putInt(note + 12, 0x006e6558)
                    .putInt(note + 16, 1);
            note += 20;
            elf.putInt(note, 4).putInt(note + 4, 4).putInt(note + 8, 18).putInt(note + 12, 0x006e6558);
            elf.putInt(note + 16, (int) LOAD + 0x10);
        }
        elf.put(0x1000, content(0x1000));
        return elf.array();
    }

    /** A bzImage around a payload that is compressed with gzip, or as it is. */
    static byte[] bzImage(byte[] payload, boolean compress) {
        byte[] packed = compress ? gzip(payload) : payload;
        int payloadOffset = 0x300;
        int kernelSize = payloadOffset + packed.length + 15 & ~15;
        ByteBuffer image = buffer(1024 + kernelSize);
        image.put(0x1f1, (byte) 1).putInt(0x1f4, kernelSize / 16).putShort(0x1fe, (short) 0xaa55);
        image.put(0x200, (byte) 0xeb)
                .put(0x201, (byte) 0x6a)
                .putInt(0x202, 0x53726448)
                .putShort(0x206, (short) 0x20f);
        image.put(0x211, (byte) 1)
                .putInt(0x22c, 0x7fffffff)
                .putInt(0x230, 0x200000)
                .put(0x234, (byte) 1);
        image.putShort(0x236, (short) 0x7f).putInt(0x238, 2047).putInt(0x248, payloadOffset);
        image.putInt(0x24c, packed.length).putLong(0x258, LOAD).putInt(0x260, INIT_SIZE);
        image.put(1024 + payloadOffset, packed);
        return image.array();
    }

    private static byte[] gzip(byte[] bytes) {
        var out = new ByteArrayOutputStream();
        try (var gzip = new GZIPOutputStream(out)) {
            gzip.write(bytes);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return out.toByteArray();
    }

    /** A Multiboot kernel of a page at 1 MiB that gives its addresses in the header. */
    static byte[] multiboot() {
        ByteBuffer image = buffer(0x1000);
        int at = 0x40;
        int flags = 1 << 16 | 3;
        image.putInt(at, 0x1badb002).putInt(at + 4, flags).putInt(at + 8, -(0x1badb002 + flags));
        image.putInt(at + 12, 0x100040).putInt(at + 16, 0x100000).putInt(at + 20, 0x101000);
        image.putInt(at + 24, 0x104000).putInt(at + 28, 0x100080);
        return image.array();
    }

    /** A Multiboot kernel as ELF32, its entry point given as a virtual address. */
    static byte[] multibootElf() {
        ByteBuffer elf = buffer(0x2000);
        elf.putInt(0x464c457f).put((byte) 1).put((byte) 1).put((byte) 1);
        elf.putShort(16, (short) 2)
                .putShort(18, (short) 3)
                .putInt(20, 1)
                .putInt(24, 0xc0100020)
                .putInt(28, 52);
        elf.putShort(40, (short) 52).putShort(42, (short) 32).putShort(44, (short) 1);
        elf.putInt(52, 1)
                .putInt(56, 0x1000)
                .putInt(60, 0xc0100000)
                .putInt(64, 0x100000)
                .putInt(68, 0x1000);
        elf.putInt(72, 0x2000).putInt(76, 5);
        elf.putInt(0x1000, 0x1badb002).putInt(0x1004, 0).putInt(0x1008, -0x1badb002);
        return elf.array();
    }
}
