package dev.multivisor.engine.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.multivisor.engine.isa.Decoder;
import dev.multivisor.engine.isa.Instruction;
import dev.multivisor.engine.isa.Op;
import dev.multivisor.engine.isa.Operand;
import dev.multivisor.engine.jit.RegionCompiler;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What is emitted for common sequences is what files say, so that a change of it is seen in a review. {@code
 * -Dmultivisor.test.emitted=write} writes the files anew.
 */
class EmittedCodeTest {
    private static final boolean WRITE = "write".equals(System.getProperty("multivisor.test.emitted"));
    private static final Path FILES = Path.of("src/test/resources/dev/multivisor/engine/cpu/emitted");

    @ParameterizedTest
    @ValueSource(
            strings = {
                "bits",
                "call",
                "carries",
                "compare",
                "copy",
                "count",
                "handled",
                "indirect",
                "prologue",
                "shifts",
                "string",
                "vectors"
            })
    void isAsWritten(String name) throws IOException {
        String listing = listing(TestCpu.assemble(resource(name + ".s")), false);
        if (WRITE) {
            Files.writeString(FILES.resolve(name + ".txt"), listing);
        }
        assertEquals(resource(name + ".txt"), listing, "see -Dmultivisor.test.emitted in CONTRIBUTING.md");
    }

    /** Other vCPUs see the order of accesses, so that fences keep it. */
    @ParameterizedTest
    @ValueSource(strings = "copy")
    void withOtherProcessorsThereAreFences(String name) throws IOException {
        byte[] code = TestCpu.assemble(resource(name + ".s"));
        assertTrue(listing(code, true).contains("VarHandle.releaseFence()"));
        assertTrue(!listing(code, false).contains("Fence"));
    }

    private static String listing(byte[] code, boolean ordered) {
        RegionCompiler compiler = RegionCompiler.immediate(0);
        AtomicReference<CompiledCode> compiled = new AtomicReference<>();
        RegionSource source = new RegionSource(parts(code), ordered);
        compiler.compile(source, () -> 0, made -> compiled.set(made.orElseThrow()));
        CodeListing listing = compiler.list(compiled.get(), TestCpu.CODE).orElseThrow();
        assertEquals(code.length, listing.guestBytes());
        return String.format("%d bytes of bytecode%n%n%s", listing.bytecodeBytes(), listing.text());
    }

    /** Blocks as the interpreter cuts them: after each jump and before each instruction that is jumped to. */
    private static List<RegionSource.Part> parts(byte[] code) {
        Decoder decoder = new Decoder();
        TreeSet<Integer> starts = new TreeSet<>(List.of(0));
        for (int at = 0; at < code.length; ) {
            Instruction i = decoder.decode(code, at, code.length, 64);
            at += i.length;
            if (i.op == Op.JMP || i.op == Op.JCC || i.op == Op.CALL || i.op == Op.RET) {
                starts.add(at);
                if (i.a.kind() == Operand.Kind.RELATIVE) {
                    starts.add(at + (int) i.immediate);
                }
            }
        }
        starts.remove(code.length);
        List<RegionSource.Part> parts = new ArrayList<>();
        for (int start : starts) {
            int end = Optional.ofNullable(starts.higher(start)).orElse(code.length);
            parts.add(new RegionSource.Part(start, Arrays.copyOfRange(code, start, end), List.of()));
        }
        return parts;
    }

    private static String resource(String name) throws IOException {
        if (WRITE) {
            return Files.readString(FILES.resolve(name));
        }
        try (InputStream in = EmittedCodeTest.class.getResourceAsStream("emitted/" + name)) {
            assertTrue(in != null, name + ": there is no such file");
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }
}
