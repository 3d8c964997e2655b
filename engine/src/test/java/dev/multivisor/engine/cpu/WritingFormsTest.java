package dev.multivisor.engine.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.multivisor.api.PageObserver;
import dev.multivisor.engine.isa.Decoder;
import dev.multivisor.engine.isa.Form;
import dev.multivisor.engine.isa.InstructionTable;
import dev.multivisor.engine.isa.Op;
import dev.multivisor.engine.mmu.Tracking;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

/** What {@link TrackedWritesTest} runs has every form of the instruction table that stores. */
class WritingFormsTest {
    /** What only reads its first operand, if that is memory. Whatever is not here is taken for one that writes it. */
    private static final Set<Op> READS = EnumSet.of(
            Op.CMP,
            Op.TEST,
            Op.MUL,
            Op.IMUL,
            Op.DIV,
            Op.IDIV,
            Op.BT,
            Op.JMP,
            Op.JMP_FAR,
            Op.NOP,
            Op.PREFETCH,
            Op.CLFLUSH,
            Op.INVLPG,
            Op.VERR,
            Op.VERW,
            Op.LLDT,
            Op.LTR,
            Op.LGDT,
            Op.LIDT,
            Op.LMSW,
            Op.FLD,
            Op.FILD,
            Op.FBLD,
            Op.FLDCW,
            Op.FLDENV,
            Op.FRSTOR,
            Op.FXRSTOR,
            Op.LDMXCSR);

    /** What stores without naming the place. (Loads of segment registers, which set a descriptor's flags, aside.) */
    private static final Set<Op> IMPLICIT = EnumSet.of(
            Op.PUSH, Op.PUSHF, Op.ENTER, Op.CALL, Op.CALL_FAR, Op.INT, Op.INT1, Op.INT3, Op.MASKMOVQ, Op.MASKMOVDQU);

    /** What the programs do not have, and why. */
    private static final Map<Op, String> LEFT_OUT = Map.of(
            Op.INT, "ends in a handler: whatTheProcessorWritesByItselfIsReported has a trap's frame",
            Op.INT1, "as INT",
            Op.INT3, "as INT");

    /** Where all registers point. */
    private static final long MIDDLE = 0x280000;

    /** ModRM bytes but for the reg field: [RDI], and register 1. */
    private static final int[] NONE = {}, MODES = {0x07, 0xc1};

    private static boolean stores(Form form) {
        if (form.has(Form.Attribute.NOT64) || form.op() == Op.UD) {
            return false;
        }
        if (IMPLICIT.contains(form.op())) {
            return true;
        }
        if (form.operands().isEmpty() || List.of(form.encoding().split(" ")).contains("reg")) {
            return false;
        }
        String first = form.operands().getFirst();
        // Operand codes of memory, or of memory or a register; Y is where a string instruction stores.
        boolean memory = "EMWQOY".indexOf(first.charAt(0)) >= 0;
        return memory && !READS.contains(form.op());
    }

    @Test
    void everyFormThatStoresIsGeneratedOrLeftOutForAReason() {
        Set<Form> generated = new HashSet<>();
        for (int seed = 1; seed <= TrackedWritesTest.PROGRAMS; seed++) {
            WritingProgram program = new WritingProgram(seed, new byte[4096]);
            byte[] bytes = TestCpu.assemble(program.text(TrackedWritesTest.LENGTH));
            generated.addAll(program.forms(bytes));
        }
        List<String> missing = InstructionTable.STANDARD.forms().stream()
                .filter(form -> stores(form) && !generated.contains(form) && !LEFT_OUT.containsKey(form.op()))
                .map(WritingFormsTest::shown)
                .toList();
        assertEquals(List.of(), missing, "forms that store and are not generated");
        List<String> surprising = generated.stream()
                .filter(form -> !stores(form) || LEFT_OUT.containsKey(form.op()))
                .map(WritingFormsTest::shown)
                .toList();
        assertEquals(List.of(), surprising, "forms that are generated and not known to store");
        assertTrue(generated.size() > 180, "forms: " + generated.size());
    }

    /** Each form once, alone: one that is seen to write is one that is known to. */
    @Test
    void formsThatAreSeenToWriteAreKnown() {
        TestCpu guest = new TestCpu();
        Set<Form> seen = new HashSet<>();
        Form[] current = {null};
        observe(guest, () -> seen.add(current[0]));
        Set<Form> faulting = new HashSet<>();
        for (Form form : InstructionTable.STANDARD.forms()) {
            current[0] = form;
            for (int modRm : form.op() == Op.UD || form.has(Form.Attribute.PRIVILEGED) ? NONE : MODES) {
                boolean before = seen.contains(form);
                if (execute(guest, form, modRm) && guest.cpu.r[Cpu.RIP] >>> 12 == TestCpu.HANDLERS >>> 12) {
                    faulting.add(form);
                    if (!before) {
                        // What was written is the frame of a fault.
                        seen.remove(form);
                    }
                }
            }
        }
        List<String> unknown = seen.stream()
                .filter(form -> !stores(form))
                .map(WritingFormsTest::shown)
                .toList();
        assertEquals(List.of(), unknown, "forms that write and are not known to store");
        assertTrue(seen.size() > 180, "forms: " + seen.size());
        assertTrue(faulting.size() < 60, "forms that fault: " + faulting.size());
    }

    private static void observe(TestCpu guest, Runnable heard) {
        AtomicLongArray dirty = new AtomicLongArray((int) (TestCpu.SIZE >>> 18));
        for (int n = 0; n < dirty.length(); n++) {
            dirty.set(n, -1);
        }
        PageObserver observer = new PageObserver() {
            @Override
            public void written(int cpu, long instruction, long address, byte[] bytes) {
                if (cpu >= 0) {
                    heard.run();
                }
            }

            @Override
            public void beforeWrite(long page) {}
        };
        Tracking tracking = new Tracking(guest.memory);
        tracking.observe(observer, dirty, new AtomicLongArray(dirty.length()));
        tracking.track(LongStream.range(MIDDLE - 0x10000 >>> 12, MIDDLE + 0x10000 >>> 12)
                .toArray());
    }

    /** Executes a form once; false if there is none in 64-bit mode with this kind of ModRM. */
    private static boolean execute(TestCpu guest, Form form, int modRm) {
        byte[] code = encode(form, modRm);
        if (new Decoder().decode(code, 0, code.length, 64).form != form) {
            return false;
        }
        Cpu cpu = guest.cpu;
        guest.memory.write(MIDDLE - 0x10000, new byte[0x20000], 0, 0x20000);
        guest.program(code);
        for (int n = 0; n < 16; n++) {
            cpu.r[n] = MIDDLE;
        }
        Arrays.fill(cpu.xmm, -1);
        Arrays.fill(cpu.stSignificand, -1);
        cpu.fpuControl = 0x37f;
        cpu.fpuStatus = 0;
        cpu.mxcsr = 0x1f80;
        cpu.halted = false;
        cpu.clearAttention();
        guest.interpreter.runExactly(1);
        return true;
    }

    /** The words of the row, with no-operations as immediates and as what follows. */
    private static byte[] encode(Form form, int modRm) {
        byte[] code = new byte[32];
        Arrays.fill(code, (byte) 0x90);
        int at = 0;
        String[] words = form.encoding().split(" ");
        boolean wide = List.of(words).contains("W1");
        for (int n = 0; n < words.length; n++) {
            String word = words[n];
            if (word.startsWith("/")) {
                int reg = word.equals("/r") ? 2 : word.charAt(1) - '0';
                code[at++] = (byte) (modRm | reg << 3);
            } else if (word.startsWith("=")) {
                code[at++] = (byte) Integer.parseInt(word.substring(1), 16);
            } else if (word.matches("[0-9A-F]{2}(\\+.*)?")) {
                int value = Integer.parseInt(word.substring(0, 2), 16);
                boolean prefix = n == 0 && (value == 0x66 || value == 0xf2 || value == 0xf3);
                if (wide && !prefix) {
                    code[at++] = 0x48;
                    wide = false;
                }
                code[at++] = (byte) value;
            }
        }
        return code;
    }

    private static String shown(Form form) {
        return form.encoding() + " " + form.op() + " " + String.join(",", form.operands());
    }
}
