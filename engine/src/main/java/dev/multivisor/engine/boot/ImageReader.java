package dev.multivisor.engine.boot;

import dev.multivisor.api.Boot;
import dev.multivisor.api.EngineException;
import dev.multivisor.engine.mmu.PhysicalMemory;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Checked reading of a boot image: whatever is wrong with it becomes an error that names the image and the field. */
final class ImageReader {
    private final String name;
    private final MemorySegment bytes;

    ImageReader(Boot.Image image) {
        this(image.name(), image.bytes());
    }

    ImageReader(String name, MemorySegment bytes) {
        this.name = name;
        this.bytes = bytes;
    }

    String name() {
        return name;
    }

    long size() {
        return bytes.byteSize();
    }

    /** Whether there are that many bytes at an offset. */
    boolean has(long offset, long length) {
        return offset >= 0 && length >= 0 && offset <= size() && length <= size() - offset;
    }

    int u8(long offset, String field) {
        return slice(offset, 1, field).get(ValueLayout.JAVA_BYTE, 0) & 0xff;
    }

    int u16(long offset, String field) {
        return slice(offset, 2, field).get(PhysicalMemory.SHORT, 0) & 0xffff;
    }

    long u32(long offset, String field) {
        return slice(offset, 4, field).get(PhysicalMemory.INT, 0) & 0xffffffffL;
    }

    long u64(long offset, String field) {
        return slice(offset, 8, field).get(PhysicalMemory.LONG, 0);
    }

    MemorySegment slice(long offset, long length, String field) {
        if (!has(offset, length)) {
            throw error(
                    field,
                    "%s bytes at %s go beyond the end of the file, %d bytes",
                    Long.toUnsignedString(length),
                    hex(offset),
                    size());
        }
        return bytes.asSlice(offset, length);
    }

    byte[] array(long offset, long length, String field) {
        return slice(offset, length, field).toArray(ValueLayout.JAVA_BYTE);
    }

    /** Fails unless a condition on a field holds. */
    void check(boolean condition, String field, String problem, Object... arguments) {
        if (!condition) {
            throw error(field, problem, arguments);
        }
    }

    EngineException error(String field, String problem, Object... arguments) {
        return new EngineException(name + ": " + field + ": " + String.format(problem, arguments));
    }

    static String hex(long value) {
        return "0x" + Long.toHexString(value);
    }
}
