package dev.multivisor.dist;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;

/**
 * Kernels of some bytes, for Multiboot 1: an ELF32 file with the Multiboot header, loaded at 1 MiB and entered in
 * 32-bit protected mode (Multiboot Specification 0.6.96, 3.1 and 3.2).
 */
final class TinyKernel {
    private static final int LOAD = 0x100000;
    private static final int MAGIC = 0x1BADB002;

    /** {@code mov al, 5; out 0xf4, al; jmp $} */
    static final String DEBUG_EXIT = "b005 e6f4 ebfe";
    /** {@code lidt [0]; int3}, and the table at 0 has no entries. */
    static final String TRIPLE_FAULT = "c7050000000000000000 c7050400000000000000 0f011d00000000 cc";
    /** {@code cli; hlt; jmp $} */
    static final String HALT = "fa f4 ebfe";
    /** {@code mov dx, 0xcf9; mov al, 6; out dx, al; jmp $} */
    static final String RESET = "66baf90c b006 ee ebfe";
    /** {@code jmp $} */
    static final String SPIN = "ebfe";
    /** Prints what it is sent, until a q: waits for bit 0 of the line status register, reads, sends, compares. */
    static final String ECHO = "66bafd03 ec a801 74fb 66baf803 ec ee 3c71 75ed" + DEBUG_EXIT;

    private TinyKernel() {}

    /** Code that sends a text to a port, then goes on with other code. */
    static String print(int port, String text, String then) {
        StringBuilder code = new StringBuilder("66ba%02x%02x".formatted(port & 0xff, port >> 8));
        for (byte value : text.getBytes(StandardCharsets.US_ASCII)) {
            code.append("b0%02xee".formatted(value));
        }
        return code + then;
    }

    static byte[] of(String hex) {
        byte[] code = HexFormat.of().parseHex(hex.replace(" ", ""));
        int headers = 52 + 32;
        int size = headers + 12 + code.length;
        ByteBuffer elf = ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
        // ELF header: 32 bits, little endian, executable, i386.
        elf.putInt(0x464c457f).putInt(0x00010101).position(16);
        elf.putShort((short) 2)
                .putShort((short) 3)
                .putInt(1)
                .putInt(LOAD + headers + 12)
                .putInt(52)
                .putInt(0);
        elf.putInt(0)
                .putShort((short) 52)
                .putShort((short) 32)
                .putShort((short) 1)
                .position(52);
        // One program header that loads the whole file.
        elf.putInt(1)
                .putInt(0)
                .putInt(LOAD)
                .putInt(LOAD)
                .putInt(size)
                .putInt(size)
                .putInt(7)
                .putInt(4096);
        elf.putInt(MAGIC).putInt(0).putInt(-MAGIC).put(code);
        return elf.array();
    }
}
