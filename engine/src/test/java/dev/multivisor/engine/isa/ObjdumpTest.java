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
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Decodes whole programs and compares lengths and mnemonics with those of binutils. */
class ObjdumpTest {
    private static final Set<String> PREFIXES = Set.of(
            "rep",
            "repz",
            "repnz",
            "lock",
            "bnd",
            "notrack",
            "data16",
            "addr32",
            "cs",
            "ds",
            "es",
            "ss",
            "fs",
            "gs",
            "xacquire",
            "xrelease");

    /** Names of binutils that differ from the manual's, or from those of our operations. */
    private static final Map<String, String> NAMES = Map.ofEntries(
            Map.entry("endbr64", "nop"),
            Map.entry("endbr32", "nop"),
            Map.entry("rdsspq", "nop"),
            Map.entry("rdsspd", "nop"),
            Map.entry("xchg %ax", "nop"),
            Map.entry("sal", "shl"),
            Map.entry("cwtl", "cwde"),
            Map.entry("lzcnt", "bsr"),
            Map.entry("tzcnt", "bsf"),
            Map.entry("iretd", "iret"),
            Map.entry("int1", "int1"),
            Map.entry("icebp", "int1"),
            Map.entry("nopw", "nop"),
            Map.entry("nopl", "nop"),
            Map.entry("prefetch", "prefetchw"),
            Map.entry("prefetchwt1", "prefetchw"),
            Map.entry("cldemote", "nop"),
            Map.entry("wait", "fwait"));

    /** Extensions beyond x86-64-v2 that have ordinary opcodes. */
    private static final Set<String> ABSENT = Set.of(
            "xsave",
            "xsavec",
            "xrstor",
            "xsave64",
            "xsavec64",
            "xrstor64",
            "xsaveopt",
            "xsaves",
            "xrstors",
            "xbegin",
            "xend",
            "xabort",
            "xtest",
            "movbe",
            "adcx",
            "adox",
            "clflushopt",
            "clwb",
            "rdpid",
            "rdpkru",
            "wrpkru",
            "pclmulqdq",
            "movdir64b",
            "movdiri",
            "serialize",
            "incsspd",
            "incsspq",
            "tpause",
            "umonitor",
            "umwait",
            "enqcmd",
            "rdsspd",
            "rstorssp",
            "saveprevssp",
            "setssbsy",
            "clrssbsy",
            "wrssq",
            "wrussq",
            "getsec",
            "ptwrite",
            "gf2p8mulb",
            "gf2p8affineqb",
            "gf2p8affineinvqb",
            "uiret",
            "(bad)",
            "movntss",
            "movntsd",
            "extrq",
            "insertq",
            "encls",
            "enclu",
            "hreset",
            "senduipi",
            "testui",
            "clui",
            "stui");

    @ParameterizedTest
    @ValueSource(
            strings = {
                "/lib/x86_64-linux-gnu/libc.so.6",
                "/usr/bin/bash",
                "/lib/x86_64-linux-gnu/libm.so.6",
                "/usr/bin/perl",
                "/usr/lib/x86_64-linux-gnu/libstdc++.so.6"
            })
    void decodesProgramsAsBinutilsDoes(String program) throws IOException, InterruptedException {
        Path objdump = Path.of("/usr/bin/objdump");
        assumeTrue(Files.exists(objdump) && Files.exists(Path.of(program)), "no binutils, or no " + program);
        Process process = new ProcessBuilder(
                        objdump.toString(), "-d", "-w", "-M", "intel", "--show-raw-insn", "--no-addresses", program)
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
        Decoder decoder = new Decoder();
        List<String> mismatches = new ArrayList<>();
        int compared = 0;
        int wrong = 0;
        try (BufferedReader reader = process.inputReader()) {
            for (String line = reader.readLine(); line != null; line = reader.readLine()) {
                int outcome = compare(decoder, line, mismatches);
                compared += outcome == 0 ? 0 : 1;
                wrong += outcome < 0 ? 1 : 0;
            }
        }
        process.waitFor();
        assertEquals(0, wrong, () -> program + ":\n" + String.join("\n", mismatches));
        assertTrue(compared > 10_000, program + ": " + compared + " instructions");
    }

    /** Compares one line: 1 equal, 0 not an instruction of this CPU, -1 different. */
    private static int compare(Decoder decoder, String line, List<String> mismatches) {
        int tab = line.indexOf('\t', 1);
        if (line.isEmpty() || line.charAt(0) != '\t' || tab < 0) {
            return 0;
        }
        String hex = line.substring(1, tab).replace(" ", "");
        String text = line.substring(tab + 1).strip();
        // Tables between functions, taken for code: prefixes alone, segment registers that do not exist.
        if (hex.length() == 2 && text.startsWith("rex") || text.contains("?") || text.contains(" cs,")) {
            return 0;
        }
        String mnemonic = mnemonic(text);
        if (ABSENT.contains(mnemonic)
                || mnemonic.startsWith("aes")
                || mnemonic.startsWith("sha1")
                || mnemonic.startsWith("sha256")
                || isVex(hex, mnemonic)) {
            return 0;
        }
        if (hex.startsWith("9b") && hex.length() > 2) {
            hex = hex.substring(2);
            mnemonic = "fn" + mnemonic.substring(1);
        }
        byte[] code = HexFormat.of().parseHex(hex);
        Instruction i = decoder.decode(code, 0, code.length, 64);
        String ours = Disassembler.mnemonic(i);
        String normal = NAMES.getOrDefault(mnemonic, mnemonic);
        if (i.length == code.length && (ours.equals(normal) || (ours + " " + text).startsWith("nop xchg"))) {
            return 1;
        }
        if (mismatches.size() < 40) {
            mismatches.add(hex + "  " + text + "  decoded: " + ours + ", " + i.length + " bytes, " + i.form.encoding());
        }
        return -1;
    }

    private static boolean isVex(String hex, String mnemonic) {
        return mnemonic.startsWith("v")
                        && !Set.of("verr", "verw", "vmcall", "vmmcall").contains(mnemonic)
                || hex.startsWith("c4")
                || hex.startsWith("c5")
                || hex.startsWith("62")
                || hex.startsWith("8fe");
    }

    private static String mnemonic(String text) {
        String rest = text;
        while (true) {
            int space = rest.indexOf(' ');
            String word = space < 0 ? rest : rest.substring(0, space);
            if (!PREFIXES.contains(word) && !word.startsWith("rex") || space < 0) {
                if (rest.contains(" FWORD PTR") && (word.equals("jmp") || word.equals("call"))) {
                    return word + " far";
                }
                int comma = word.indexOf(',');
                return comma < 0 ? word : word.substring(0, comma);
            }
            rest = rest.substring(space).strip();
        }
    }
}
