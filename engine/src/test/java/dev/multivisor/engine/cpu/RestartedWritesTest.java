package dev.multivisor.engine.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.multivisor.api.PageObserver;
import dev.multivisor.engine.mmu.Tracking;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicLongArray;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What watchers outside hear of writes that fault half-way and start again, and of pages with two addresses. */
class RestartedWritesTest {
    /** The end of one 2 MiB page and the start of another. */
    private static final long BORDER = 0x600000;

    private static final long ALIAS = 0x4000000;

    private record Report(long instruction, long address, byte[] bytes) {}

    private final TestCpu guest = new TestCpu();
    private final Tracking tracking = new Tracking(guest.memory);
    private final List<Report> reports = new ArrayList<>();

    private void observe(long... frames) {
        AtomicLongArray dirty = new AtomicLongArray((int) (TestCpu.SIZE >>> 18));
        for (int n = 0; n < dirty.length(); n++) {
            dirty.set(n, -1);
        }
        PageObserver observer = new PageObserver() {
            @Override
            public void written(int cpu, long instruction, long address, byte[] bytes) {
                reports.add(new Report(instruction, address, bytes));
            }

            @Override
            public void beforeWrite(long page) {}
        };
        tracking.observe(observer, dirty, new AtomicLongArray(dirty.length()));
        tracking.track(frames);
    }

    /** The handler halts at a page fault, and returns when it is told to go on. */
    private void returnFromPageFaults() {
        byte[] code = TestCpu.assemble("hlt\nadd $8, %rsp\niretq");
        guest.memory.write(TestCpu.HANDLERS + 16 * CpuFault.PF, code, 0, code.length);
    }

    /**
     * With the upper page absent, then with the lower one. The instruction's bytes go from an address relative to the
     * border to another.
     */
    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            mov %rax, 0x5ffffd                                            | -3   | 5
            movups %xmm1, 0x5ffff8                                        | -8   | 8
            movups %xmm1, 0x5ffff3                                        | -13  | 3
            movdqu %xmm1, 0x5fffff                                        | -1   | 15
            movlps %xmm1, 0x5ffffa                                        | -6   | 2
            add %rax, 0x5ffffc                                            | -4   | 4
            lock add %rax, 0x5ffffc                                       | -4   | 4
            lock xadd %eax, 0x5fffff                                      | -1   | 3
            xchg %rax, 0x5ffff9                                           | -7   | 1
            cmpxchg %rcx, 0x5ffffb                                        | -5   | 3
            xor %eax, %eax; cltd; lock cmpxchg8b 0x5ffffc                 | -4   | 4
            shld $7, %rax, 0x5ffffe                                       | -2   | 6
            maskmovdqu %xmm2, %xmm1                                       | -7   | 9
            sgdt 0x5ffffb                                                 | -5   | 5
            fldpi; fstpt 0x5ffffa                                         | -6   | 4
            fldpi; fstpt 0x5ffff7                                         | -9   | 1
            fldpi; fbstp 0x5fffff                                         | -1   | 9
            fldpi; fnstenv 0x5ffff0                                       | -16  | 12
            fldpi; fnsave 0x5fffc0                                        | -64  | 44
            fldpi; fnsave 0x5fffed                                        | -19  | 89
            fxsave64 0x5fff00                                             | -256 | 160
            fxsave64 0x5fffd0                                             | -48  | 368
            mov $0x5fffd3, %edi; mov $90, %ecx; rep movsb                 | -45  | 45
            mov $0x5fffd3, %edi; mov $90, %ecx; rep movsq                 | -45  | 675
            mov $0x5ff800, %edi; mov $999, %ecx; rep movsl                | -2048 | 1948
            mov $0x60002d, %edi; mov $90, %ecx; std; rep movsb; cld       | -44  | 46
            mov $0x600025, %edi; mov $9, %ecx; std; rep movsq; cld        | -27  | 45
            mov $0x5fffd3, %edi; mov $90, %ecx; rep stosb                 | -45  | 45
            mov $0x5fffd3, %edi; mov $90, %ecx; rep stosq                 | -45  | 675
            mov $0x600025, %edi; mov $9, %ecx; std; rep stosq; cld        | -27  | 45
            mov $0x5fffd3, %edi; mov $90, %ecx; mov $9, %dx; rep insl     | -45  | 315
            """)
    void aWriteThatStartsAgainIsReportedOnce(String code, int from, int to) {
        returnFromPageFaults();
        StringBuilder text = new StringBuilder("""
                fninit
                movabsq $0x8182838485868788, %rax
                mov $0x1234567, %ecx
                movq %rax, %xmm1
                punpcklqdq %xmm1, %xmm1
                pcmpeqb %xmm2, %xmm2
                mov $0x5ffff9, %edi
                mov $0x201000, %esi
                """);
        text.append(code).append("\nhlt\n");
        guest.program(text.toString());
        guest.memory.write(0x200000, pattern(8192), 0, 8192);
        long stack = guest.cpu.r[Cpu.RSP];
        for (int warm = 0; warm < 4; warm++) {
            guest.cpu.r[Cpu.RIP] = TestCpu.CODE;
            guest.run();
            assertEquals(-1, guest.vector());
        }
        observe((BORDER >>> 12) - 1, BORDER >>> 12);
        for (long absent : new long[] {BORDER, BORDER - 1}) {
            guest.memory.write(BORDER - 4096, new byte[8192], 0, 8192);
            guest.present(absent, false);
            reports.clear();
            guest.cpu.r[Cpu.RIP] = TestCpu.CODE;
            guest.cpu.r[Cpu.RSP] = stack;
            guest.run();
            assertEquals(CpuFault.PF, guest.vector());
            assertEquals(absent & -1L << 21, guest.cpu.cr2 & -1L << 21);
            guest.present(absent, true);
            guest.run();
            assertEquals(-1, guest.vector());
            assertReportedOnce(BORDER + from, BORDER + to);
        }
    }

    private static byte[] pattern(int size) {
        byte[] bytes = new byte[size];
        for (int n = 0; n < size; n++) {
            bytes[n] = (byte) (n * 7 + 1);
        }
        return bytes;
    }

    private void assertReportedOnce(long from, long to) {
        TreeMap<Long, Byte> seen = new TreeMap<>();
        for (Report report : reports) {
            for (int n = 0; n < report.bytes.length; n++) {
                long at = report.address + n;
                assertEquals(null, seen.put(at, report.bytes[n]), () -> "twice: " + Long.toHexString(at));
            }
        }
        assertEquals(from, seen.firstKey());
        assertEquals(to - 1, seen.lastKey());
        assertEquals(to - from, seen.size());
        seen.forEach((at, value) ->
                assertEquals((byte) guest.memory.load(at, 1), (byte) value, () -> "at " + Long.toHexString(at)));
    }

    @Test
    void writesThroughBothAddressesOfAPageAreReported() {
        guest.memory.store(guest.cpu.cr3 + 0x2000 + 8 * (ALIAS >>> 21), 8, 0x400087);
        guest.program("""
                mov $0x400ff0, %ebx
                mov $0x4000ff0, %ecx
                mov $0x1122334455667788, %rax
                mov $3, %edx
                1:
                mov %rax, (%rbx)
                mov %eax, 4(%rcx)
                lock incq (%rcx)
                movb $5, (%rbx)
                mov %rax, 12(%rcx)
                mov %rax, 12(%rbx)
                dec %edx
                jnz 1b
                hlt
                """);
        guest.run();
        guest.memory.write(0x400000, new byte[8192], 0, 8192);
        observe(0x400);
        guest.cpu.r[Cpu.RIP] = TestCpu.CODE;
        guest.run();
        List<String> once = List.of(
                "400ff0 8877665544332211",
                "400ff4 88776655",
                "400ff0 8977665588776655",
                "400ff0 05",
                "400ffc 88776655",
                "400ffc 88776655");
        List<String> seen = reports.stream()
                .map(report ->
                        Long.toHexString(report.address) + " " + HexFormat.of().formatHex(report.bytes))
                .toList();
        List<String> expected = new ArrayList<>();
        for (int n = 0; n < 3; n++) {
            expected.addAll(once);
        }
        assertEquals(expected, seen);
        assertTrue(reports.get(0).instruction < reports.get(1).instruction);
    }
}
