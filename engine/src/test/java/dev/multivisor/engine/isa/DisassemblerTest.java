package dev.multivisor.engine.isa;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Operands and targets of whole programs, as text, beside binutils'. {@link ObjdumpTest} compares the mnemonics. */
class DisassemblerTest {
    /** Instructions that are another one on this CPU, or hints, which binutils names by what they would be on a later one. */
    private static final Set<String> OTHERS =
            Set.of("endbr64", "endbr32", "rdsspq", "rdsspd", "tzcnt", "lzcnt", "xchg");

    private static String text(String hex, long address) {
        byte[] code = HexFormat.of().parseHex(hex.replace(" ", ""));
        return Disassembler.text(new Decoder().decode(code, 0, code.length, 64), address);
    }

    @Test
    void instructionsAreText() {
        assertEquals("mov rax,QWORD PTR gs:0x28", text("65 48 8b 04 25 28 00 00 00", 0));
        assertEquals("jne 0xffffffff81000000", text("75 fe", 0xffffffff81000000L));
        assertEquals("lea rax,[rip+0x10]        # 0x1017", text("48 8d 05 10 00 00 00", 0x1000));
        assertEquals("lock cmpxchg DWORD PTR [rdi+rcx*4-0x8],esi", text("f0 0f b1 74 8f f8", 0));
        assertEquals("rep movs QWORD PTR es:[rdi],QWORD PTR ds:[rsi]", text("f3 48 a5", 0));
        assertEquals("movabs rbx,0x1122334455667788", text("48 bb 88 77 66 55 44 33 22 11", 0));
        assertEquals("cmpltpd xmm1,XMMWORD PTR [r8]", text("66 41 0f c2 08 01", 0));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "/lib/x86_64-linux-gnu/libc.so.6",
                "/lib/x86_64-linux-gnu/libm.so.6",
                "/usr/bin/bash",
                "/usr/bin/perl"
            })
    void textIsThatOfBinutils(String program) throws IOException, InterruptedException {
        Path objdump = Path.of("/usr/bin/objdump");
        assumeTrue(Files.exists(objdump) && Files.exists(Path.of(program)), "no binutils, or no " + program);
        Process process = new ProcessBuilder(objdump.toString(), "-d", "-w", "-M", "intel", "--show-raw-insn", program)
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
        Decoder decoder = new Decoder();
        List<String> mismatches = new ArrayList<>();
        int compared = 0;
        try (BufferedReader reader = process.inputReader()) {
            for (String line = reader.readLine(); line != null; line = reader.readLine()) {
                String[] fields = line.split("\t");
                if (fields.length == 3 && fields[0].endsWith(":")) {
                    compared += compare(decoder, fields, mismatches) ? 1 : 0;
                }
            }
        }
        process.waitFor();
        assertEquals(List.of(), mismatches.subList(0, Math.min(mismatches.size(), 40)), program);
        assertTrue(compared > 10_000, program + ": " + compared + " instructions");
    }

    /** Whether it is an instruction of this CPU. */
    private static boolean compare(Decoder decoder, String[] fields, List<String> mismatches) {
        long address = Long.parseLong(fields[0].replace(":", "").strip(), 16);
        byte[] code = HexFormat.of().parseHex(fields[1].replace(" ", ""));
        String theirs = normal(fields[2]);
        Instruction i = decoder.decode(code, 0, code.length, 64);
        String mnemonic = theirs.split(" ")[0];
        if (i.op == Op.UD || i.length != code.length || OTHERS.contains(mnemonic)) {
            return false;
        }
        String ours = normal(Disassembler.text(i, address));
        if (!ours.equals(theirs)) {
            mismatches.add(fields[1].strip() + "  " + fields[2] + "  is: " + ours);
        }
        return true;
    }

    /** Without comments, symbols, and prefixes that do nothing; with what is the same written in the same way. */
    private static String normal(String text) {
        String normal =
                text.replaceAll("#.*", "").replaceAll("<[^>]*>", "").strip().replaceAll(" +", " ");
        normal = normal.replaceFirst("^((bnd|notrack|data16|addr32|rex\\.?[WRXB]*|[c-gs]s|repz(?= ret)) )*", "");
        normal = normal.replaceFirst("^(j\\w+|call|loop\\w*) ([0-9a-f]+)$", "$1 0x$2");
        normal = normal.replace("+0x0]", "]").replaceFirst("\\[rip\\+0xffffffff([0-9a-f]{8})\\]", "[rip-$1]");
        if (normal.contains("[rip-0x")) {
            long back = Long.parseLong(normal.replaceFirst(".*\\[rip-0x([0-9a-f]+)\\].*", "$1"), 16);
            normal = normal.replaceFirst("\\[rip-0x[0-9a-f]+\\]", String.format("[rip-%08x]", -back & 0xffffffffL));
        }
        normal = normal.replaceFirst("^(shl|shr|sar|rol|ror|rcl|rcr)( .*),0x1$", "$1$2,1");
        if (normal.startsWith("f")) {
            normal = normal.replace("st(0)", "st").replaceFirst(" st,(?!st$)", " ");
        }
        return normal;
    }
}
