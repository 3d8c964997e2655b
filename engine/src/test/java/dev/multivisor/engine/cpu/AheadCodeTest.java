package dev.multivisor.engine.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.multivisor.engine.cpu.HotRegion.Part;
import dev.multivisor.engine.jit.RegionCompiler;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;

/** Code that is known to be hot is compiled early, and only if it is what it was. */
class AheadCodeTest {
    /** A loop of three blocks that is left after some rounds, with an indirect jump to its middle. */
    private static final String LOOP = """
            mov $50, %ecx
            lea 2f(%rip), %rdx
            1: add %rcx, %rax
            jmp *%rdx
            2: test $1, %cl
            jz 3f
            add $3, %rbx
            3: dec %ecx
            jnz 1b
            hlt""";

    private static final int LATE = 1000;

    private static List<HotRegion> known(String program) {
        TestCpu guest = new TestCpu(RegionCompiler.immediate(10));
        guest.program(program).run();
        return guest.interpreter.hotRegions();
    }

    private static TestCpu run(List<HotRegion> known, byte[] program, long start) {
        TestCpu guest = new TestCpu(RegionCompiler.immediate(LATE), new AheadCode(known));
        guest.memory.write(start, program, 0, program.length);
        guest.cpu.r[Cpu.RIP] = start;
        return guest.run();
    }

    private static void assertSameEnd(TestCpu one, TestCpu other) {
        for (int n = 0; n < 16; n++) {
            if (n != Cpu.RDX) {
                assertEquals(one.cpu.r[n], other.cpu.r[n], "register " + n);
            }
        }
        assertEquals(one.cpu.instructions, other.cpu.instructions);
    }

    @Test
    void whatWasHotIsCompiledEarlyAndAsItWas() {
        List<HotRegion> known = known(LOOP);
        byte[] program = TestCpu.assemble(LOOP);
        TestCpu cold = run(List.of(), program, TestCpu.CODE);
        assertEquals(0, cold.cpu.counters.compiledRegions);
        TestCpu warm = run(known, program, TestCpu.CODE);
        assertTrue(warm.cpu.counters.compiledRegions > 0);
        assertTrue(warm.cpu.counters.compiledInstructions > 100, () -> "" + warm.cpu.counters.compiledInstructions);
        assertSameEnd(cold, warm);
        List<List<Part>> shapes = known.stream().map(HotRegion::parts).toList();
        warm.interpreter.hotRegions().forEach(region -> assertShape(region, known));
        assertTrue(shapes.getFirst().size() > 2, shapes::toString);
    }

    private static void assertShape(HotRegion region, List<HotRegion> known) {
        assertTrue(known.stream().anyMatch(one -> Arrays.equals(one.digest(), region.digest())), region::toString);
    }

    @Test
    void itIsFoundByItsCodeWhereverThatIs() {
        TestCpu elsewhere = run(known(LOOP), TestCpu.assemble(LOOP), TestCpu.CODE + 0x5000);
        assertTrue(elsewhere.cpu.counters.compiledRegions > 0);
        assertEquals(
                TestCpu.CODE + 0x5000,
                elsewhere.interpreter.regions(OptionalLong.empty()).getFirst().pages()[0]);
    }

    @Test
    void otherCodeIsNotTakenForIt() {
        byte[] changed = TestCpu.assemble(LOOP.replace("add $3, %rbx", "add $4, %rbx"));
        TestCpu guest = run(known(LOOP), changed, TestCpu.CODE);
        guest.interpreter
                .hotRegions()
                .forEach(region -> assertTrue(
                        region.parts().stream().noneMatch(part -> part.length() == 4 && part.offset() > 10)));
        assertSameEnd(run(List.of(), changed, TestCpu.CODE), guest);
    }

    @Test
    void anotherVcpusMissingPagesAreNoFaultOfTheGuest() {
        List<HotRegion> known = new ArrayList<>();
        for (HotRegion region : known(LOOP)) {
            List<Part> parts = new ArrayList<>(region.parts());
            parts.add(new Part(8 << 20, 4, TestCpu.CODE, -1, new long[0]));
            known.add(new HotRegion(region.instructions(), region.key(), region.digest(), parts));
        }
        byte[] program = TestCpu.assemble(LOOP);
        TestCpu guest = new TestCpu(RegionCompiler.immediate(LATE), new AheadCode(known));
        guest.present(TestCpu.CODE + (8 << 20), false);
        guest.program(program).run();
        assertEquals(0, guest.cpu.counters.compiledRegions);
        assertEquals(0, guest.cpu.cr2);
        assertSameEnd(run(List.of(), program, TestCpu.CODE), guest);
    }

    @Test
    void whatIsInMemoryIsCompiledBeforeItRuns() {
        List<HotRegion> known = known(LOOP);
        CodeCompiler compiler = RegionCompiler.immediate(LATE);
        TestCpu guest = new TestCpu(CodeCompiler.NONE).program(LOOP);
        long second = 1_000_000_000;
        assertEquals(known.size(), new AheadCode(known).compile(compiler, guest.memory, false, second));
        assertEquals(0, new AheadCode(known).compile(compiler, guest.memory, false, 0));
        guest.memory.write(TestCpu.CODE, new byte[64], 0, 64);
        assertEquals(0, new AheadCode(known).compile(compiler, guest.memory, false, second));
    }

    private static AheadCode with(long physical, long second, byte[] code, Part... more) {
        List<RegionSource.Part> source = List.of(new RegionSource.Part(0, code, List.of()));
        List<Part> parts = new ArrayList<>(List.of(new Part(0, code.length, physical, second, new long[0])));
        parts.addAll(List.of(more));
        return new AheadCode(
                List.of(new HotRegion(1, HotRegion.key(physical, code, code.length), HotRegion.digest(source), parts)));
    }

    private static int compiled(AheadCode ahead, byte[] memory) {
        TestCpu guest = new TestCpu(CodeCompiler.NONE).program(memory);
        return ahead.compile(RegionCompiler.immediate(LATE), guest.memory, false, 1_000_000_000);
    }

    @Test
    void onlyCodeThatTheInterpreterWouldTakeForABlockIsCompiled() {
        byte[] good = TestCpu.assemble("inc %eax; jmp .");
        assertEquals(1, compiled(with(TestCpu.CODE, -1, good), good));
        byte[] halts = TestCpu.assemble("inc %eax; hlt");
        assertEquals(0, compiled(with(TestCpu.CODE, -1, halts), halts));
        byte[] goesOn = TestCpu.assemble("jmp .; inc %eax");
        assertEquals(0, compiled(with(TestCpu.CODE, -1, goesOn), goesOn));
        byte[] cut = Arrays.copyOf(good, good.length - 1);
        assertEquals(0, compiled(with(TestCpu.CODE, -1, cut), cut));
        byte[] undefined = {0x0f, 0x0b};
        assertEquals(0, compiled(with(TestCpu.CODE, -1, undefined), undefined));
    }

    @Test
    void regionsThatCannotBeAreLeftOut() {
        byte[] good = TestCpu.assemble("inc %eax; jmp .");
        int length = good.length;
        long[] none = {};
        Part[] bad = {
            new Part(0, length, TestCpu.CODE, -1, none),
            new Part(8, 0, TestCpu.CODE, -1, none),
            new Part(8, -1, TestCpu.CODE, -1, none),
            new Part(8, Integer.MAX_VALUE, TestCpu.CODE, -1, none),
            new Part(8, length, TestCpu.CODE + 4095, -1, none),
            new Part(8, length, TestCpu.CODE, 17, none),
            new Part(Long.MIN_VALUE, length, TestCpu.CODE, -1, none),
            new Part(1L << 30, length, TestCpu.CODE, -1, none),
            new Part(8, length, TestCpu.CODE, -1, new long[] {Long.MIN_VALUE}),
            new Part(8, length, TestCpu.CODE, -1, new long[1000]),
        };
        for (Part part : bad) {
            assertEquals(List.of(), with(TestCpu.CODE, -1, good, part).regions(), part::toString);
        }
        Part[] many = new Part[200];
        Arrays.setAll(many, n -> new Part(8 * n + 8, length, TestCpu.CODE, -1, none));
        assertEquals(List.of(), with(TestCpu.CODE, -1, good, many).regions());
        assertEquals(List.of(), new AheadCode(List.of(new HotRegion(1, 0, new byte[0], List.of()))).regions());
        // These are possible, but not in this machine.
        for (long physical : new long[] {TestCpu.SIZE, 0xfee00000L, Long.MIN_VALUE, -4096}) {
            assertEquals(0, compiled(with(physical, -1, good), good), Long.toHexString(physical));
            assertEquals(0, compiled(with(TestCpu.CODE + 4095, physical & -4096L, good), good));
        }
    }
}
