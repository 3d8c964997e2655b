package dev.multivisor.images;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.HexFormat;

/**
 * A program for the guest that waits until the console has taken all output and then, given a number, writes it to the
 * debug-exit port (0xf4), which ends the machine. Busybox cannot write to ports, and Debian's kernels have no
 * {@code /dev/port}; this takes 200 bytes of machine code instead.
 */
final class DebugExit {
    private static final long LOAD = 0x400000;
    private static final int HEADERS = 64 + 56;

    private static final String CODE = """
            b810000000    mov eax, 16            ; ioctl(
            bf01000000    mov edi, 1             ;   standard output,
            be09540000    mov esi, 0x5409        ;   TCSBRK,
            ba01000000    mov edx, 1             ;   1): drain
            0f05          syscall
            48833c2402    cmp qword [rsp], 2     ; argc
            722c          jb end
            488b742410    mov rsi, [rsp + 16]    ; argv[1]
            31db          xor ebx, ebx
            0fb60e        digit: movzx ecx, byte [rsi]
            48ffc6        inc rsi
            83e930        sub ecx, '0'
            83f909        cmp ecx, 9
            7707          ja done
            6bdb0a        imul ebx, ebx, 10
            01cb          add ebx, ecx
            ebeb          jmp digit
            b8ac000000    done: mov eax, 172     ; iopl(
            bf03000000    mov edi, 3             ;   3)
            0f05          syscall
            89d8          mov eax, ebx
            e6f4          out 0xf4, al
            b83c000000    end: mov eax, 60       ; exit(
            31ff          xor edi, edi           ;   0)
            0f05          syscall
            """;

    private DebugExit() {}

    /** The program as a statically linked ELF file. */
    static byte[] program() {
        String hex = String.join(
                "",
                CODE.lines().map(line -> line.substring(0, line.indexOf(' '))).toList());
        byte[] code = HexFormat.of().parseHex(hex);
        int size = HEADERS + code.length;
        ByteBuffer elf = ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
        elf.putInt(0x464c457f).put((byte) 2).put((byte) 1).put((byte) 1).position(16);
        elf.putShort((short) 2)
                .putShort((short) 62)
                .putInt(1)
                .putLong(LOAD + HEADERS)
                .putLong(64)
                .putLong(0);
        elf.putInt(0)
                .putShort((short) 64)
                .putShort((short) 56)
                .putShort((short) 1)
                .putShort((short) 0)
                .position(64);
        elf.putInt(1)
                .putInt(5)
                .putLong(0)
                .putLong(LOAD)
                .putLong(LOAD)
                .putLong(size)
                .putLong(size)
                .putLong(4096);
        return elf.put(code).array();
    }
}
