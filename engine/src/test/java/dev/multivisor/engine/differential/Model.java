package dev.multivisor.engine.differential;

import dev.multivisor.api.GuestMemory;
import dev.multivisor.engine.cpu.AheadCode;
import dev.multivisor.engine.cpu.CodePages;
import dev.multivisor.engine.cpu.Cpu;
import dev.multivisor.engine.cpu.CpuFault;
import dev.multivisor.engine.cpu.CpuModel;
import dev.multivisor.engine.cpu.CpuReset;
import dev.multivisor.engine.cpu.Interpreter;
import dev.multivisor.engine.cpu.TestCompiler;
import dev.multivisor.engine.isa.Op;
import dev.multivisor.engine.mmu.Mmu;
import dev.multivisor.engine.mmu.PhysicalMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;

/** The interpreter with page tables, descriptors and exception handlers like those that a case meets on the host. */
final class Model {
    private static final long PML4 = 0x1000,
            PDPT = 0x2000,
            PD = 0x3000,
            WINDOW_PT = 0x4000,
            CODE_PT = 0x5000,
            HIGH_PDPT = 0x6000,
            HIGH_PD = 0x7000,
            GDT = 0x8000,
            IDT = 0x9000,
            TSS = 0xa000,
            STACK_TOP = 0xd000,
            WINDOW = 0xe000,
            CODE = 0x10000,
            SIZE = 0x20000;

    /** Where the supervisor sees physical memory. */
    private static final long HIGH = 0xffff800000000000L;

    private static final long HANDLERS = HIGH + 0x1000000;
    private static final int KERNEL_CS = 0x10, TR = 0x40, CS16 = 0x07, CS32 = 0x23, CS64 = 0x33, SS = 0x2b;
    private static final int DATA16 = 0x0f;
    private static final long ERROR_CODES = 1 << 8 | 1 << 10 | 1 << 11 | 1 << 12 | 1 << 13 | 1 << 14 | 1 << 17;
    private static final int HLT = 0xf4;
    private static final int MAX_STEPS = 1000;

    private final Arena arena = Arena.ofAuto();
    private final MemorySegment ram = arena.allocate(SIZE, 4096);
    private final MemorySegment window = ram.asSlice(WINDOW, TestCase.WINDOW_SIZE);
    private final MemorySegment expected = arena.allocate(TestCase.WINDOW_SIZE, 4096);
    private final byte[] pattern = TestCase.pattern();
    private final byte[] after = new byte[pattern.length];
    private final PhysicalMemory memory = new PhysicalMemory(new Ram(ram));
    private final Cpu cpu = new Cpu(0, new Mmu(memory), null);
    private final Interpreter interpreter;
    private byte[] lastCode = {};
    private int lastMode;
    private boolean alignmentChecked;

    private record Ram(MemorySegment bytes) implements GuestMemory {
        @Override
        public List<Region> regions() {
            return List.of(new Region(0, 0, bytes.byteSize()));
        }
    }

    Model() {
        MemorySegment.copy(pattern, 0, window, ValueLayout.JAVA_BYTE, 0, pattern.length);
        MemorySegment.copy(pattern, 0, expected, ValueLayout.JAVA_BYTE, 0, pattern.length);
        tables();
        CpuReset.powerOn(cpu);
        cpu.model = new CpuModel(1, 1_000_000, 1_000_000, true);
        cpu.cr0 = Cpu.CR0_PE | Cpu.CR0_MP | Cpu.CR0_ET | Cpu.CR0_NE | Cpu.CR0_WP | Cpu.CR0_PG | Cpu.CR0_AM;
        cpu.cr3 = PML4;
        cpu.cr4 = Cpu.CR4_PAE | Cpu.CR4_OSFXSR | Cpu.CR4_OSXMMEXCPT | Cpu.CR4_FSGSBASE;
        cpu.efer = Cpu.EFER_SCE | Cpu.EFER_LME | Cpu.EFER_LMA | Cpu.EFER_NXE;
        cpu.gdtrBase = HIGH + GDT;
        cpu.gdtrLimit = 0x4f;
        cpu.idtrBase = HIGH + IDT;
        cpu.idtrLimit = 0xfff;
        segment(Cpu.TR, TR, HIGH + TSS, 0x67, 0x8b);
        segment(Cpu.FS, 0, 0, 0, 0);
        segment(Cpu.GS, 0, TestCase.GS_BASE, 0, 0);
        interpreter = new Interpreter(cpu, new CodePages(memory), TestCompiler.CHOSEN, false, AheadCode.NONE);
    }

    private void put(long address, long value) {
        ram.set(ValueLayout.JAVA_LONG_UNALIGNED, address, value);
    }

    /** The window and the code page are the user's; a supervisor's large page shows everything. */
    private void tables() {
        put(PML4, PDPT | 0x67);
        put(PML4 + 256 * 8, HIGH_PDPT | 0x63);
        put(PDPT, PD | 0x67);
        put(HIGH_PDPT, HIGH_PD | 0x63);
        put(HIGH_PD, 0xe3);
        put(HIGH_PD + (HANDLERS - HIGH >>> 21) * 8, 0xe3);
        put(PD + (TestCase.WINDOW >>> 21) * 8, WINDOW_PT | 0x67);
        put(PD + (TestCase.CODE_PAGE >>> 21) * 8, CODE_PT | 0x67);
        put(WINDOW_PT, WINDOW | 0x67 | 1L << 63);
        put(WINDOW_PT + 8, WINDOW + 4096 | 0x67 | 1L << 63);
        put(CODE_PT, CODE | 0x65);
        ram.asSlice(CODE, 4096).fill((byte) 0xcc);
        put(GDT + KERNEL_CS, 0x00af9b000000ffffL);
        put(GDT + (CS32 & ~7), 0x00cffb000000ffffL);
        put(GDT + (SS & ~7), 0x00cff3000000ffffL);
        put(GDT + (CS64 & ~7), 0x00affb000000ffffL);
        for (int vector = 0; vector < 256; vector++) {
            ram.set(ValueLayout.JAVA_BYTE, vector * 16, (byte) HLT);
            long target = HANDLERS + vector * 16;
            put(IDT + vector * 16, target & 0xffff | KERNEL_CS << 16 | 0xee00L << 32 | (target >>> 16 & 0xffff) << 48);
            put(IDT + vector * 16 + 8, target >>> 32);
        }
        put(TSS + 4, HIGH + STACK_TOP);
    }

    private void segment(int number, int selector, long base, int limit, int access) {
        cpu.selector[number] = selector;
        cpu.segmentBase[number] = base;
        cpu.segmentLimit[number] = limit;
        cpu.segmentAccess[number] = access;
    }

    Outcome run(TestCase test) {
        load(test);
        Outcome outcome = new Outcome();
        boolean ended = test.inBlock ? block() : step(test);
        store(test, outcome);
        if (cpu.shutdown || !ended) {
            outcome.vector = Outcome.TIMEOUT;
            cpu.shutdown = false;
        } else if (test.inBlock) {
            afterBlock(test, outcome);
        }
        return outcome;
    }

    private boolean step(TestCase test) {
        int steps = 0;
        do {
            interpreter.step();
        } while (cpu.cpl == 3 && cpu.r[Cpu.RIP] == test.start() && ++steps < MAX_STEPS);
        return steps < MAX_STEPS;
    }

    /** Runs it with the INT3 that follows, or stands where it jumps to, until the handler halts. */
    private boolean block() {
        cpu.clearAttention();
        interpreter.run(MAX_STEPS);
        return cpu.halted;
    }

    /** Takes back what was only done to stop, as {@link Oracle} does. */
    private void afterBlock(TestCase test, Outcome outcome) {
        if (outcome.vector == CpuFault.BP && test.form.op() != Op.INT3) {
            outcome.rip--;
            outcome.vector = Outcome.COMPLETED;
        } else if (outcome.vector == CpuFault.PF && outcome.rip != test.start() && outcome.cr2 == outcome.rip) {
            outcome.vector = Outcome.COMPLETED;
        }
    }

    private void load(TestCase test) {
        cpu.setFlags(test.flags | 0x202);
        if (lastMode != test.mode || cpu.cpl != 3 || alignmentChecked) {
            lastMode = test.mode;
            switch (test.mode) {
                case 64 -> segment(Cpu.CS, CS64, 0, -1, 0xa0fb);
                case 32 -> segment(Cpu.CS, CS32, 0, -1, 0xc0fb);
                default -> segment(Cpu.CS, CS16, TestCase.CODE_PAGE, 0xfff, 0xfb);
            }
            for (int n : new int[] {Cpu.ES, Cpu.SS, Cpu.DS}) {
                if (test.mode == 16) {
                    segment(n, DATA16, TestCase.WINDOW, (int) TestCase.WINDOW_SIZE - 1, 0xf3);
                } else {
                    segment(n, SS, 0, -1, 0xc0f3);
                }
            }
            segment(Cpu.GS, 0, TestCase.GS_BASE, 0, 0);
            cpu.cpl = 3;
            cpu.halted = false;
            cpu.updateMode();
        }
        System.arraycopy(test.gpr, 0, cpu.r, 0, 16);
        cpu.r[Cpu.RIP] = test.start();
        if (!Arrays.equals(lastCode, test.code)) {
            byte[] bytes = new byte[16];
            Arrays.fill(bytes, (byte) 0xcc);
            System.arraycopy(test.code, 0, bytes, 0, test.code.length);
            memory.write(CODE + TestCase.CODE - TestCase.CODE_PAGE, bytes, 0, 16);
            lastCode = test.code;
        }
        ByteBuffer fx = ByteBuffer.wrap(test.fx).order(ByteOrder.LITTLE_ENDIAN);
        cpu.fpuControl = fx.getShort(0) & 0xffff;
        cpu.fpuStatus = fx.getShort(TestCase.FX_FSW) & 0xffff;
        cpu.fpuTags = fx.get(TestCase.FX_FTW) & 0xff;
        cpu.mxcsr = fx.getInt(TestCase.FX_MXCSR);
        int top = cpu.fpuStatus >>> 11 & 7;
        for (int n = 0; n < 8; n++) {
            cpu.stSignificand[top + n & 7] = fx.getLong(TestCase.FX_ST + n * 16);
            cpu.stExponent[top + n & 7] = fx.getShort(TestCase.FX_ST + n * 16 + 8) & 0xffff;
        }
        for (int n = 0; n < 32; n++) {
            cpu.xmm[n] = fx.getLong(TestCase.FX_XMM + n * 8);
        }
        cpu.fpuIp = 0;
        cpu.fpuDp = 0;
        cpu.fpuOpcode = 0;
        cpu.fpuCs = 0;
        cpu.fpuDs = 0;
        MemorySegment.copy(test.patch, 0, window, ValueLayout.JAVA_BYTE, test.patchOffset, test.patch.length);
        MemorySegment.copy(test.patch, 0, expected, ValueLayout.JAVA_BYTE, test.patchOffset, test.patch.length);
    }

    private void store(TestCase test, Outcome outcome) {
        System.arraycopy(cpu.r, 0, outcome.gpr, 0, 16);
        outcome.rip = cpu.r[Cpu.RIP];
        outcome.flags = cpu.flags();
        alignmentChecked = (outcome.flags & Cpu.AC) != 0;
        if (cpu.cpl != 3) {
            outcome.vector = (int) (outcome.rip - HANDLERS) >>> 4;
            outcome.cr2 = cpu.cr2;
            long frame = cpu.r[Cpu.RSP] - HIGH;
            if ((ERROR_CODES >>> outcome.vector & 1) != 0) {
                outcome.error = ram.get(ValueLayout.JAVA_LONG_UNALIGNED, frame);
                frame += 8;
            }
            outcome.rip = ram.get(ValueLayout.JAVA_LONG_UNALIGNED, frame);
            outcome.flags = ram.get(ValueLayout.JAVA_LONG_UNALIGNED, frame + 16);
            outcome.gpr[Cpu.RSP] = ram.get(ValueLayout.JAVA_LONG_UNALIGNED, frame + 24);
        }
        ByteBuffer fx = ByteBuffer.wrap(outcome.fx).order(ByteOrder.LITTLE_ENDIAN);
        fx.putShort(0, (short) cpu.fpuControl);
        fx.putShort(TestCase.FX_FSW, (short) cpu.fpuStatus);
        fx.put(TestCase.FX_FTW, (byte) cpu.fpuTags);
        fx.putInt(TestCase.FX_MXCSR, cpu.mxcsr);
        int top = cpu.fpuStatus >>> 11 & 7;
        for (int n = 0; n < 8; n++) {
            fx.putLong(TestCase.FX_ST + n * 16, cpu.stSignificand[top + n & 7]);
            fx.putShort(TestCase.FX_ST + n * 16 + 8, (short) cpu.stExponent[top + n & 7]);
        }
        for (int n = 0; n < 32; n++) {
            fx.putLong(TestCase.FX_XMM + n * 8, cpu.xmm[n]);
        }
        changes(outcome);
        int at = test.patchOffset;
        MemorySegment.copy(pattern, at, window, ValueLayout.JAVA_BYTE, at, test.patch.length);
        MemorySegment.copy(pattern, at, expected, ValueLayout.JAVA_BYTE, at, test.patch.length);
    }

    /** Finds what changed in the window, and takes it back. */
    private void changes(Outcome outcome) {
        long first = window.mismatch(expected);
        if (first < 0) {
            return;
        }
        MemorySegment.copy(window, ValueLayout.JAVA_BYTE, 0, after, 0, after.length);
        int last = after.length;
        while (after[last - 1] == expected.get(ValueLayout.JAVA_BYTE, last - 1)) {
            last--;
        }
        outcome.changedOffset = (int) first;
        outcome.changed = Arrays.copyOfRange(after, (int) first, last);
        MemorySegment.copy(pattern, 0, window, ValueLayout.JAVA_BYTE, 0, pattern.length);
        MemorySegment.copy(pattern, 0, expected, ValueLayout.JAVA_BYTE, 0, pattern.length);
    }
}
