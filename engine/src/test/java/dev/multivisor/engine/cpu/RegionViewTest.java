package dev.multivisor.engine.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.multivisor.engine.jit.RegionCompiler;
import java.util.List;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;

/** What is told of compiled code. */
class RegionViewTest {
    private static final long LOOP = TestCpu.CODE + 5;

    private final TestCpu guest = new TestCpu(RegionCompiler.immediate(3));

    /** A loop of two instructions at {@link #LOOP}, then a division by zero. */
    private void run() {
        guest.program("mov $1000, %ecx; 1: dec %ecx; jnz 1b; xor %ebx, %ebx; div %ebx; hlt")
                .run();
    }

    private List<RegionView> at(long linear) {
        return guest.interpreter.regions(OptionalLong.of(linear));
    }

    @Test
    void aRegionIsFoundByEachOfItsBytes() {
        run();
        RegionView loop = at(LOOP).getFirst();
        assertEquals(LOOP, loop.start());
        assertEquals(TestCpu.CODE, loop.pages()[0]);
        assertEquals(0, loop.cpu());
        assertTrue(loop.instructions() > 1900 && loop.instructions() < 2000, () -> "" + loop.instructions());
        assertTrue(loop.entered() > 0 && loop.entered() < 10, () -> "" + loop.entered());
        assertEquals(loop.code(), at(LOOP + 3).getFirst().code());
        assertEquals(List.of(), at(TestCpu.CODE - 1));
        assertEquals(List.of(), at(0));
        CodeListing listing = guest.interpreter.list(loop).orElseThrow();
        assertTrue(listing.text().contains("dec ecx") && listing.text().contains("jne 0x100005"), listing::text);
        assertEquals(listing, guest.interpreter.list(loop).orElseThrow());
    }

    @Test
    void everyInstructionOfCompiledCodeIsCountedOnceAlsoWhenItFaults() {
        long missing = TestCpu.DATA + (8 << 20);
        guest.present(missing, false);
        guest.program("mov $0x200000, %esi; 1: mov (%rsi), %rax; add $0x10000, %rsi; jmp 1b");
        for (int n = 0; n < 10; n++) {
            guest.cpu.r[Cpu.RIP] = TestCpu.CODE;
            guest.run();
            assertEquals(14, guest.vector());
            assertEquals(missing, guest.cpu.cr2);
        }
        List<RegionView> all = guest.interpreter.regions(OptionalLong.empty());
        assertTrue(guest.cpu.counters.compiledInstructions > 3000, all::toString);
        assertEquals(
                guest.cpu.counters.compiledInstructions,
                all.stream().mapToLong(RegionView::instructions).sum());
        assertEquals(guest.cpu.counters.compileRequests, guest.cpu.counters.compileAnswers);
    }

    @Test
    void whatIsOverwrittenIsForgotten() {
        run();
        assertTrue(!at(LOOP).isEmpty());
        guest.memory.write(LOOP, new byte[] {(byte) 0x90}, 0, 1);
        guest.program("hlt").run();
        assertEquals(List.of(), at(LOOP));
    }

    /** It is never reached from another interpreted one, so nothing else would count how often it is executed. */
    @Test
    void whatAlwaysFollowsCompiledCodeGetsCompiledToo() {
        TestCpu cpu = new TestCpu(RegionCompiler.immediate(100));
        cpu.program("mov $3000, %ecx; 1: cmp $1500, %ecx; jb 2f; add $1, %eax; jmp 3f; 2: add $2, %eax; 3: dec %ecx;"
                        + " jnz 1b; hlt")
                .run();
        long second = TestCpu.CODE + 5 + 6 + 2 + 3 + 2;
        assertTrue(
                cpu.interpreter.regions(OptionalLong.of(second)).stream().anyMatch(region -> region.start() == second),
                () -> "" + cpu.interpreter.regions(OptionalLong.empty()));
    }

    /** A loop of two ways, before code that is compiled already and leaves no room for both if it is chosen first. */
    @Test
    void aLoopIsCompiledAsAWhole() {
        String rest = ("add $1, %edx; ".repeat(14) + "jmp 6f; 6: ").repeat(5);
        TestCpu cpu = new TestCpu(RegionCompiler.immediate(100));
        cpu.program("mov $3, %r8d; mov $5, %ebx; xor %edi, %edi;"
                        + " 1: mov %r8d, %ecx; 2: test $1, %ecx; jnz 3f; add $1, %eax; jmp 4f; 3: add $2, %eax;"
                        + " 4: dec %ecx; jnz 2b; 5: " + rest + "dec %ebx; jz 7f; cmp $1, %edi; je 5b; jmp 1b;"
                        + " 7: inc %edi; cmp $3, %edi; je 8f; mov $200, %ebx; cmp $1, %edi; je 5b;"
                        + " mov $30, %ebx; mov $1000, %r8d; jmp 1b; 8: hlt")
                .run();
        List<RegionView> all = cpu.interpreter.regions(OptionalLong.empty());
        // The loop, the rest by itself, and what ends that.
        assertEquals(3, all.size(), all::toString);
    }

    /** A loop of two pages, which in each round reads where the TLB has both of the first page's places. */
    @Test
    void whatTheTlbHasForgottenIsCompiledToo() {
        TestCpu cpu = new TestCpu(RegionCompiler.immediate(100));
        cpu.map(16 << 20, TestCpu.DATA);
        cpu.program("mov $0x1100000, %esi; mov $0x900000, %edi; mov $1000, %ecx;"
                        + " 1: mov (%rsi), %eax; mov (%rdi), %eax; jmp 2f; .balign 4096; 2: dec %ecx; jnz 1b; hlt")
                .run();
        List<RegionView> all = cpu.interpreter.regions(OptionalLong.empty());
        assertEquals(
                List.of(2), all.stream().map(region -> region.pages().length).toList(), all::toString);
    }
}
