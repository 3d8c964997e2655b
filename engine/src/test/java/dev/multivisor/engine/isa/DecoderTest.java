package dev.multivisor.engine.isa;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Prefixes, sizes and addressing in the three kinds of code (Intel SDM, volume 2, chapter 2). */
class DecoderTest {
    private static Instruction decode(int codeSize, String hex) {
        byte[] bytes = HexFormat.of().parseHex(hex.replace(" ", ""));
        return new Decoder().decode(bytes, 0, bytes.length, codeSize);
    }

    /** Text, or "bad", with the length where it is not all of the bytes. */
    @ParameterizedTest(name = "{0}-bit {1} is {2}")
    @CsvSource(delimiter = '|', textBlock = """
            64 | 48 01 d8                | add rax,rbx
            64 | 66 48 01 d8             | add rax,rbx
            64 | 48 66 01 d8             | add ax,bx
            64 | 40 48 01 d8             | add rax,rbx
            64 | 00 e0                   | add al,ah
            64 | 40 00 e0                | add al,spl
            64 | 44 88 e0                | mov al,r12b
            64 | 90                      | nop
            64 | f3 90                   | pause
            64 | 41 90                   | xchg r8d,eax
            64 | 49 90                   | xchg r8,rax
            64 | 48 90                   | nop
            64 | 87 c0                   | xchg eax,eax
            64 | f3 0f b8 c1             | popcnt eax,ecx
            64 | 66 f3 0f b8 c1          | popcnt ax,cx
            64 | f3 66 0f b8 c1          | popcnt ax,cx
            64 | f3 f2 0f b8 c1          | bad 4
            64 | f3 0f bd c1             | bsr eax,ecx
            64 | f3 0f bc c1             | bsf eax,ecx
            64 | f2 0f 38 f1 c1          | crc32 eax,ecx
            64 | 66 f2 0f 38 f1 c1       | crc32 eax,cx
            64 | f2 48 0f 38 f0 c1       | crc32 rax,cl
            64 | 66 e8 01 02 03 04       | call 0x4031207
            64 | 66 50                   | push ax
            64 | 50                      | push rax
            64 | 41 5f                   | pop r15
            64 | 66 6a ff                | push 0xffff
            64 | 63 c1                   | movsxd eax,ecx
            64 | 48 63 c1                | movsxd rax,ecx
            32 | 63 c1                   | arpl cx,ax
            64 | 8b 05 10 00 00 00       | mov eax,DWORD PTR [rip+0x10]        # 0x1016
            64 | 67 8b 05 10 00 00 00    | mov eax,DWORD PTR [eip+0x10]        # 0x1017
            32 | 8b 05 10 00 00 00       | mov eax,DWORD PTR ds:0x10
            64 | 8b 04 25 10 00 00 00    | mov eax,DWORD PTR ds:0x10
            64 | 36 8b 00                | mov eax,DWORD PTR [rax]
            64 | 64 36 8b 00             | mov eax,DWORD PTR fs:[rax]
            64 | 64 65 8b 00             | mov eax,DWORD PTR gs:[rax]
            32 | 64 36 8b 00             | mov eax,DWORD PTR ss:[eax]
            32 | 67 8b 00                | mov eax,DWORD PTR [bx+si]
            16 | 8b 00                   | mov ax,WORD PTR [bx+si]
            16 | 66 8b 00                | mov eax,DWORD PTR [bx+si]
            16 | 67 66 8b 04 98          | mov eax,DWORD PTR [eax+ebx*4]
            16 | 8b 46 fe                | mov ax,WORD PTR [bp-0x2]
            16 | 8b 0e 34 12             | mov cx,WORD PTR ds:0x1234
            16 | a1 34 12                | mov ax,WORD PTR ds:0x1234
            64 | a1 01 02 03 04 05 06 07 08 | movabs eax,DWORD PTR ds:0x807060504030201
            64 | 67 a1 01 02 03 f4       | mov eax,DWORD PTR ds:0xf4030201
            64 | 4a 8b 04 20             | mov rax,QWORD PTR [rax+r12*1]
            64 | 48 8b 04 20             | mov rax,QWORD PTR [rax]
            64 | f0 01 08                | lock add DWORD PTR [rax],ecx
            64 | f0 01 c8                | bad
            64 | f0 03 08                | bad
            64 | f0 39 08                | bad
            64 | f0 87 08                | lock xchg DWORD PTR [rax],ecx
            64 | f0 8b 08                | bad
            64 | f0 0f c7 08             | lock cmpxchg8b QWORD PTR [rax]
            64 | 48 0f c7 08             | cmpxchg16b XMMWORD PTR [rax]
            64 | 0f c7 c8                | bad
            64 | 0f c7 f0                | rdrand eax
            64 | 0f 01 f8                | swapgs
            32 | 0f 01 f8                | bad
            64 | 0f 01 d0                | xgetbv
            64 | 0f 01 c8                | monitor
            64 | 0f 01 38                | invlpg BYTE PTR [rax]
            64 | 0f 22 d8                | mov cr3,rax
            64 | 0f 22 18                | mov cr3,rax
            64 | 66 44 0f 20 c0          | mov rax,cr8
            32 | 0f 20 00                | mov eax,cr0
            64 | 8c d8                   | mov eax,ds
            64 | 66 8c d8                | mov ax,ds
            64 | 8c 18                   | mov WORD PTR [rax],ds
            64 | 8e c8                   | bad
            64 | 0f 0b                   | ud2
            64 | 0f b9 c1                | ud1 eax,ecx
            64 | 06                      | bad
            32 | 06                      | push es
            64 | c5 f8 77                | bad 1
            64 | 62 f1 7c 48 58 c0       | bad 1
            32 | c5 f8 77                | bad 2
            32 | c5 08                   | lds ecx,FWORD PTR [eax]
            32 | 62 08                   | bound ecx,QWORD PTR [eax]
            32 | 82 c0 01                | add al,0x1
            64 | 82 c0 01                | bad 1
            64 | d1 f0                   | shl eax,0x1
            64 | f7 c8 01 00 00 00       | test eax,0x1
            64 | 48 f7 c8 ff ff ff ff    | test rax,0xffffffffffffffff
            32 | 48                      | dec eax
            64 | 8f c0                   | pop rax
            64 | 8f c8                   | bad
            64 | 48 98                   | cdqe
            64 | 66 99                   | cwd
            16 | 98                      | cbw
            16 | ea 34 12 00 f0          | jmp far 0xf000:0x1234
            32 | ea 78 56 34 12 08 00    | jmp far 0x8:0x12345678
            64 | ea 78 56 34 12 08 00    | bad 1
            64 | ff 28                   | jmp far FWORD PTR [rax]
            64 | 48 ff 28                | jmp far TBYTE PTR [rax]
            16 | e8 fe ff                | call 0x1001
            16 | eb fe                   | jmp 0x1000
            16 | 66 e8 fa ff ff ff       | call 0x1000
            64 | e3 fe                   | jrcxz 0x1000
            64 | 67 e3 fd                | jecxz 0x1000
            64 | c8 10 00 02             | enter 0x10,0x2
            64 | 48 cf                   | iretq
            64 | f3 48 a5                | rep movs QWORD PTR es:[rdi],QWORD PTR ds:[rsi]
            64 | f2 ae                   | repnz scas al,BYTE PTR es:[rdi]
            64 | 65 f3 67 a4             | rep movs BYTE PTR es:[edi],BYTE PTR gs:[esi]
            64 | f3 0f 1e fa             | nop edx
            64 | 66 0f 1f 44 00 00       | nop WORD PTR [rax+rax*1]
            64 | f3 0f ae c0             | rdfsbase eax
            64 | 0f ae e8                | lfence
            64 | 66 0f ae e8             | bad 3
            64 | 0f 05                   | syscall
            64 | 48 0f 07                | sysretq
            64 | d6                      | bad
            32 | d6                      | salc
            64 | 48 b8 01 02 03 04 05 06 07 08 | movabs rax,0x807060504030201
            64 | 66 b8 01 02             | mov ax,0x201
            """)
    void decodes(int codeSize, String hex, String expected) {
        Instruction i = decode(codeSize, hex);
        int length = hex.replace(" ", "").length() / 2;
        if (expected.startsWith("bad")) {
            assertSame(InstructionTable.INVALID, i.op == Op.UD ? InstructionTable.INVALID : i.form, i.op.name());
            assertNotEquals(InstructionTable.INCOMPLETE, i.form);
            if (expected.length() > 3) {
                length = Integer.parseInt(expected.substring(4));
            }
        } else {
            assertEquals(expected, Disassembler.text(i, 0x1000));
        }
        assertEquals(length, i.length);
    }

    @Test
    void everyShorterPieceIsIncomplete() {
        for (String hex : List.of("48c78498785634127f563412", "0f01f8", "66f3480fb8c1", "ea785634120800", "c8100002")) {
            byte[] bytes = HexFormat.of().parseHex(hex);
            int codeSize = hex.startsWith("ea") ? 32 : 64;
            Decoder decoder = new Decoder();
            assertEquals(bytes.length, decoder.decode(bytes, 0, bytes.length, codeSize).length);
            for (int length = 0; length < bytes.length; length++) {
                assertSame(Decoder.INCOMPLETE, decoder.decode(bytes, 0, length, codeSize), hex + " cut to " + length);
            }
        }
    }

    @Test
    void fifteenBytesAreTheMost() {
        byte[] bytes = new byte[20];
        Arrays.fill(bytes, (byte) 0x66);
        bytes[14] = (byte) 0x90;
        Decoder decoder = new Decoder();
        assertEquals(15, decoder.decode(bytes, 0, 20, 64).length);
        assertSame(Op.NOP, decoder.decode(bytes, 0, 15, 64).op);
        bytes[14] = 0x66;
        bytes[15] = (byte) 0x90;
        assertSame(Decoder.TOO_LONG, decoder.decode(bytes, 0, 20, 64));
        assertSame(Decoder.TOO_LONG, decoder.decode(bytes, 0, 15, 64));
        assertSame(Decoder.INCOMPLETE, decoder.decode(bytes, 0, 14, 64));
        bytes[13] = 0x05; // ADD eAX,Iz: its immediate goes on after the 15th byte
        assertSame(Decoder.TOO_LONG, decoder.decode(bytes, 0, 20, 64));
    }

    @Test
    void ripRelativeAddressesCountFromTheEnd() {
        Instruction i = decode(64, "c7051000000001000000");
        assertEquals(Instruction.RIP, i.base);
        assertEquals(0x10 + 10, i.displacement);
        assertEquals(1, i.immediate);
    }

    @Test
    void stackAndSegmentFollowTheBase() {
        assertTrue(decode(64, "8b0424").stack);
        assertTrue(decode(64, "8b4500").stack);
        assertFalse(decode(64, "418b4500").stack);
        assertEquals(Instruction.FLAT, decode(64, "8b4500").segment);
        assertEquals(Instruction.SS, decode(32, "8b4500").segment);
        assertEquals(Instruction.DS, decode(32, "3e8b4500").segment);
        assertEquals(Instruction.DS, decode(32, "8b00").segment);
        assertEquals(Instruction.SS, decode(16, "8b4200").segment);
        assertEquals(Instruction.FS, decode(64, "648b4500").segment);
    }

    /** No two rows claim the same bytes with equal right. */
    @Test
    void rowsDoNotContradictEachOther() {
        List<String> clashes = new ArrayList<>();
        Map<String, List<Encoding>> slots = new HashMap<>();
        for (Encoding e : InstructionTable.STANDARD.encodings()) {
            String slot = e.map + " " + e.opcode + " " + e.prefix;
            for (Encoding other : slots.computeIfAbsent(slot, k -> new ArrayList<>())) {
                boolean modes = !(e.not64 && other.only64 || e.only64 && other.not64);
                for (int n = 0; modes && n < 512; n++) {
                    if (e.specificity() == other.specificity()
                            && matches(e, n & 255, n >> 8)
                            && matches(other, n & 255, n >> 8)) {
                        clashes.add(e.form.encoding() + " " + e.form.op() + " and " + other.form.encoding() + " "
                                + other.form.op());
                        break;
                    }
                }
            }
            slots.get(slot).add(e);
        }
        assertEquals(List.of(), clashes);
    }

    private static boolean matches(Encoding e, int modRm, int w) {
        return (e.w < 0 || e.w == w)
                && (e.exact < 0 || e.exact == modRm)
                && (e.digit < 0 || e.digit == (modRm >>> 3 & 7))
                && e.allowsMod(modRm >= 0xc0);
    }
}
