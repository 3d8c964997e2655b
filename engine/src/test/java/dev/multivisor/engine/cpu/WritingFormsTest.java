package dev.multivisor.engine.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.multivisor.engine.isa.Form;
import dev.multivisor.engine.isa.InstructionTable;
import dev.multivisor.engine.isa.Op;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
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

    private static String shown(Form form) {
        return form.encoding() + " " + form.op() + " " + String.join(",", form.operands());
    }
}
