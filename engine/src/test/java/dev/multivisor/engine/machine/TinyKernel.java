package dev.multivisor.engine.machine;

import dev.multivisor.api.Boot;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;

/** A Multiboot kernel of a few bytes of 32-bit code without paging. */
final class TinyKernel {
    /** Memory that is enough for it. */
    static final int MEMORY = 1 << 24;

    private static final int BASE = 0x100000;
    private static final int CODE = 32;

    private TinyKernel() {}

    /** @param code the instructions' bytes */
    static Boot boot(int... code) {
        int size = CODE + code.length;
        int flags = 0x10000;
        int[] header = {0x1badb002, flags, -(0x1badb002 + flags), BASE, BASE, BASE + size, 0, BASE + CODE};
        ByteBuffer image = ByteBuffer.allocateDirect(size).order(ByteOrder.LITTLE_ENDIAN);
        image.asIntBuffer().put(header);
        for (int n = 0; n < code.length; n++) {
            image.put(CODE + n, (byte) code[n]);
        }
        return new Boot(new Boot.Image("tiny", MemorySegment.ofBuffer(image)), List.of(), "");
    }
}
