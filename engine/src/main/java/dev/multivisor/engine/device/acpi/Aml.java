package dev.multivisor.engine.device.acpi;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;

/**
 * ACPI machine language (ACPI specification 6.5, chapter 20), as much of it as the DSDT needs. Every method gives an
 * encoding.
 */
final class Aml {
    private Aml() {}

    static byte[] join(byte[]... parts) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        for (byte[] part : parts) {
            out.writeBytes(part);
        }
        return out.toByteArray();
    }

    static byte[] bytes(int... values) {
        byte[] result = new byte[values.length];
        for (int i = 0; i < values.length; i++) {
            result[i] = (byte) values[i];
        }
        return result;
    }

    /** A little-endian number. */
    static byte[] little(long value, int size) {
        byte[] result = new byte[size];
        for (int i = 0; i < size; i++) {
            result[i] = (byte) (value >>> i * 8);
        }
        return result;
    }

    /** NameString: segments of up to four characters, separated by dots, after an optional backslash. */
    static byte[] path(String name) {
        boolean root = name.startsWith("\\");
        String[] segments = (root ? name.substring(1) : name).split("\\.");
        byte[] prefix = switch (segments.length) {
            case 1 -> bytes();
            case 2 -> bytes(0x2e);
            default -> bytes(0x2f, segments.length);
        };
        byte[] result = join(root ? bytes('\\') : bytes(), prefix);
        for (String segment : segments) {
            String padded = segment + "____".substring(segment.length());
            result = join(result, padded.getBytes(StandardCharsets.US_ASCII));
        }
        return result;
    }

    /** PkgLength in front of what it counts. */
    private static byte[] sized(byte[] content) {
        int length = content.length;
        if (length + 1 < 0x40) {
            return join(bytes(length + 1), content);
        }
        int extra = length + 2 < 0x1000 ? 1 : length + 3 < 0x10_0000 ? 2 : 3;
        int total = length + 1 + extra;
        byte[] prefix = new byte[1 + extra];
        prefix[0] = (byte) (extra << 6 | total & 15);
        for (int i = 0; i < extra; i++) {
            prefix[1 + i] = (byte) (total >>> 4 + i * 8);
        }
        return join(prefix, content);
    }

    static byte[] integer(long value) {
        if (value == 0 || value == 1) {
            return bytes((int) value);
        }
        if (value >>> 8 == 0) {
            return bytes(0x0a, (int) value);
        }
        if (value >>> 16 == 0) {
            return join(bytes(0x0b), little(value, 2));
        }
        return value >>> 32 == 0 ? join(bytes(0x0c), little(value, 4)) : join(bytes(0x0e), little(value, 8));
    }

    static byte[] string(String text) {
        return join(bytes(0x0d), text.getBytes(StandardCharsets.US_ASCII), bytes(0));
    }

    /** EISAID macro: three letters and four hexadecimal digits. */
    static byte[] eisaId(String id) {
        int letters = (id.charAt(0) - 0x40) << 10 | (id.charAt(1) - 0x40) << 5 | id.charAt(2) - 0x40;
        int digits = Integer.parseInt(id.substring(3), 16);
        return join(bytes(0x0c), bytes(letters >>> 8, letters, digits >>> 8, digits));
    }

    static byte[] buffer(byte[] content) {
        return join(bytes(0x11), sized(join(integer(content.length), content)));
    }

    static byte[] packageOf(byte[]... elements) {
        return join(bytes(0x12), sized(join(bytes(elements.length), join(elements))));
    }

    static byte[] name(String name, byte[] value) {
        return join(bytes(0x08), path(name), value);
    }

    static byte[] scope(String name, byte[]... content) {
        return join(bytes(0x10), sized(join(path(name), join(content))));
    }

    static byte[] device(String name, byte[]... content) {
        return join(bytes(0x5b, 0x82), sized(join(path(name), join(content))));
    }

    /** A method without arguments. */
    static byte[] method(String name, byte[]... content) {
        return join(bytes(0x14), sized(join(path(name), bytes(0), join(content))));
    }

    /** Notify, with a number below 256. */
    static byte[] notification(String device, int value) {
        return join(bytes(0x86), path(device), integer(value));
    }

    // ---- Resource descriptors (section 6.4) ----

    /** ResourceTemplate: descriptors and an end tag, as a buffer. */
    static byte[] resources(byte[]... descriptors) {
        return buffer(join(join(descriptors), bytes(0x79, 0)));
    }

    /** I/O ports at a fixed place, decoded with 16 bits. */
    static byte[] ports(int base, int count) {
        return join(bytes(0x47, 1), little(base, 2), little(base, 2), bytes(1, count));
    }

    /** An edge-triggered ISA interrupt. */
    static byte[] irq(int number) {
        return join(bytes(0x22), little(1L << number, 2));
    }

    /** Memory at a fixed place, read and write. */
    static byte[] memory(long base, long size) {
        return join(bytes(0x86), little(9, 2), bytes(1), little(base, 4), little(size, 4));
    }

    /** WordBusNumber that a bridge produces. */
    static byte[] busRange(int first, int last) {
        return addressSpace(0x88, 2, 0, 2, first, last);
    }

    /** WordIO that a bridge produces. */
    static byte[] portRange(int first, int last) {
        return addressSpace(0x88, 1, 3, 2, first, last);
    }

    /** DWordMemory, not cached, that a bridge produces. */
    static byte[] memoryRange(long first, long last) {
        return addressSpace(0x87, 0, 1, 4, first, last);
    }

    private static byte[] addressSpace(int tag, int type, int flags, int width, long first, long last) {
        // General flags: minimum and maximum fixed, positive decode, producer.
        return join(
                bytes(tag),
                little(3 + 5L * width, 2),
                bytes(type, 0x0c, flags),
                little(0, width),
                little(first, width),
                little(last, width),
                little(0, width),
                little(last - first + 1, width));
    }
}
