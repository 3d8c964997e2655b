package dev.multivisor.engine.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.HashMap;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** REP MOVS and REP STOS, which go by whole pages where they can, against a model that goes by elements. */
class RepeatedStringsTest {
    /** Pages whose content is looked at, and where they are seen a second time. */
    private static final int PAGES = 6, BYTES = PAGES * 4096;

    private static final long ALIAS = 0x600000, TABLES_PD = 0x12000;

    private final TestCpu guest = new TestCpu();
    private final Cpu cpu = guest.cpu;
    private final SplittableRandom random = new SplittableRandom(7);
    private final Map<String, byte[]> programs = new HashMap<>();

    RepeatedStringsTest() {
        guest.memory.store(TABLES_PD + 8 * (ALIAS >>> 21), 8, TestCpu.DATA | 0x87);
        cpu.mmu.flushAll();
    }

    private byte[] content() {
        byte[] bytes = new byte[BYTES];
        guest.memory.read(TestCpu.DATA, bytes, 0, BYTES);
        return bytes;
    }

    private int place(int span, boolean backwards, int size) {
        int low = backwards ? span : 0;
        int room = BYTES - span - size;
        return low + random.nextInt(room);
    }

    @Test
    void agreesWithSingleElements() {
        char[] suffixes = {'b', 'w', 'l', 'q'};
        long watched = 0;
        for (int round = 0; round < 3000; round++) {
            int shift = random.nextInt(4);
            int size = 1 << shift;
            boolean moves = random.nextBoolean();
            boolean backwards = random.nextInt(8) == 0;
            int count = random.nextInt(random.nextBoolean() ? 24 : 8192 / size);
            int span = count * size;
            int to = place(span, backwards, size);
            int near = to + random.nextInt(-40, 41);
            int low = backwards ? span : 0;
            boolean close = near >= low && near + size + span <= BYTES;
            int from = close && random.nextBoolean() ? near : place(span, backwards, size);
            if (round % 64 == 0) {
                // For a while writes to a page are seen.
                watched = TestCpu.DATA + 4096L * random.nextInt(PAGES);
                cpu.mmu.watchCode(watched);
            } else if (round % 64 == 20) {
                guest.memory.unwatchCode(watched);
            }
            byte[] expected = content();
            long fill = random.nextLong();
            for (int n = 0; n < count; n++) {
                int step = backwards ? -n * size : n * size;
                for (int b = 0; b < size; b++) {
                    // An element is read as a whole before it is written.
                    fill = moves ? fill & ~(0xffL << 8 * b) | (expected[from + step + b] & 0xffL) << 8 * b : fill;
                }
                for (int b = 0; b < size; b++) {
                    expected[to + step + b] = (byte) (fill >>> 8 * b);
                }
            }
            String name =
                    (backwards ? "std; " : "cld; ") + "rep " + (moves ? "movs" : "stos") + suffixes[shift] + "; hlt";
            guest.program(programs.computeIfAbsent(name, TestCpu::assemble));
            cpu.r[Cpu.RAX] = fill;
            cpu.r[Cpu.RCX] = count;
            cpu.r[Cpu.RSI] = (random.nextBoolean() ? ALIAS : TestCpu.DATA) + from;
            cpu.r[Cpu.RDI] = (random.nextBoolean() ? ALIAS : TestCpu.DATA) + to;
            long source = cpu.r[Cpu.RSI];
            long target = cpu.r[Cpu.RDI];
            String what =
                    name + " of " + count + " from " + Long.toHexString(source) + " to " + Long.toHexString(target);
            guest.run();
            assertEquals(-1, guest.vector(), what);
            assertArrayEquals(expected, content(), what);
            int moved = backwards ? -span : span;
            assertEquals(0, cpu.r[Cpu.RCX], what);
            assertEquals(source + (moves ? moved : 0), cpu.r[Cpu.RSI], what);
            assertEquals(target + moved, cpu.r[Cpu.RDI], what);
        }
    }

    /** Across pages of which the last is absent: registers tell how far it got, to the element. */
    @Test
    void stopsAtTheElementThatFaults() {
        long hole = 0x800000;
        guest.present(hole, false);
        for (int before : new int[] {1, 7, 8, 4095, 4096, 4100, 10_001}) {
            guest.program("cld; rep movsb; hlt");
            cpu.r[Cpu.RSP] = TestCpu.STACK;
            cpu.r[Cpu.RSI] = TestCpu.DATA + 3;
            cpu.r[Cpu.RDI] = hole - before;
            cpu.r[Cpu.RCX] = before + 500;
            guest.run();
            assertEquals(CpuFault.PF, guest.vector());
            assertEquals(500, cpu.r[Cpu.RCX]);
            assertEquals(hole, cpu.r[Cpu.RDI]);
            assertEquals(TestCpu.DATA + 3 + before, cpu.r[Cpu.RSI]);
            assertEquals(TestCpu.CODE + 1, guest.stack(1), "RIP of the instruction");
            assertEquals(hole, cpu.cr2);
        }
    }

    /** A copy that runs over the code after it: what is executed next is the new code. */
    @Test
    void codeThatIsCopiedOverTakesEffect() {
        guest.program("""
                lea patch(%rip), %rsi
                lea target(%rip), %rdi
                mov $64, %ecx
                cld
                rep movsb
            target:
                .fill 63, 1, 0x90
                hlt
            patch:
                mov $7, %eax
                .fill 58, 1, 0x90
                hlt
            """).run();
        assertEquals(7, cpu.r[Cpu.RAX]);
        assertEquals(-1, guest.vector());
    }
}
