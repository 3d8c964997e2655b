package dev.multivisor.engine.jit;

import java.lang.classfile.CodeElement;
import java.lang.classfile.CodeModel;
import java.lang.classfile.Instruction;
import java.lang.classfile.Label;
import java.lang.classfile.instruction.BranchInstruction;
import java.lang.classfile.instruction.ConstantInstruction;
import java.lang.classfile.instruction.ExceptionCatch;
import java.lang.classfile.instruction.FieldInstruction;
import java.lang.classfile.instruction.IncrementInstruction;
import java.lang.classfile.instruction.InvokeInstruction;
import java.lang.classfile.instruction.LabelTarget;
import java.lang.classfile.instruction.LoadInstruction;
import java.lang.classfile.instruction.LocalVariable;
import java.lang.classfile.instruction.LookupSwitchInstruction;
import java.lang.classfile.instruction.StoreInstruction;
import java.lang.constant.ClassDesc;
import java.lang.constant.ConstantDesc;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/**
 * Prints bytecode, a line for each instruction, with the names of locals, and labels where something jumps to. Without
 * offsets: then a change at one place leaves the other lines as they are.
 */
final class BytecodePrinter {
    private static final String INDENT = "            ";

    private final StringBuilder out;
    private final Map<Label, Integer> labels = new HashMap<>();
    private final Map<Integer, String> locals = new HashMap<>();

    /** Labels that stand before the next instruction: a heading may come between. */
    private final StringBuilder pending = new StringBuilder();

    /** @param code what will be printed */
    BytecodePrinter(CodeModel code, StringBuilder out) {
        this.out = out;
        List<Label> targets = new ArrayList<>();
        for (CodeElement element : code) {
            switch (element) {
                case BranchInstruction branch -> targets.add(branch.target());
                case LookupSwitchInstruction choice -> {
                    choice.cases().forEach(one -> targets.add(one.target()));
                    targets.add(choice.defaultTarget());
                }
                case ExceptionCatch handler -> targets.add(handler.handler());
                case LocalVariable local ->
                    locals.put(local.slot(), local.name().stringValue());
                default -> {}
            }
        }
        int number = 0;
        for (CodeElement element : code) {
            if (element instanceof LabelTarget here && targets.contains(here.label())) {
                labels.put(here.label(), ++number);
            }
        }
    }

    /** Prints an instruction or a label; nothing for what is neither. */
    void print(CodeElement element) {
        if (element instanceof LabelTarget here) {
            if (labels.containsKey(here.label())) {
                pending.append("      ").append(label(here.label())).append(":\n");
            }
        } else if (element instanceof Instruction instruction) {
            String opcode = instruction.opcode().name().toLowerCase(Locale.ROOT);
            out.append(pending);
            pending.setLength(0);
            out.append((INDENT + text(instruction, opcode)).stripTrailing()).append('\n');
        }
    }

    private String text(Instruction instruction, String opcode) {
        return switch (instruction) {
            case LoadInstruction load -> plain(opcode) + local(load.slot());
            case StoreInstruction store -> plain(opcode) + local(store.slot());
            case IncrementInstruction increment -> "iinc " + local(increment.slot()) + " " + increment.constant();
            case ConstantInstruction constant -> constant(constant.constantValue());
            case FieldInstruction field ->
                opcode + " " + type(field.owner().asSymbol()) + "."
                        + field.name().stringValue();
            case InvokeInstruction call ->
                opcode + " " + type(call.owner().asSymbol()) + "." + call.name().stringValue()
                        + call.typeSymbol().displayDescriptor();
            case BranchInstruction branch -> plain(opcode) + label(branch.target());
            case LookupSwitchInstruction choice -> opcode + " " + cases(choice);
            default -> opcode;
        };
    }

    /** The instruction's name as the JVM specification has it, without the local or the width. */
    private static String plain(String opcode) {
        return opcode.replaceFirst("_w?[0-3]?$", "") + " ";
    }

    private String local(int slot) {
        return locals.getOrDefault(slot, "#" + slot);
    }

    private String label(Label label) {
        return "L" + labels.get(label);
    }

    /** Small numbers in decimal, addresses and masks in hexadecimal. */
    private static String constant(ConstantDesc value) {
        if (value instanceof Long number) {
            boolean small = Math.abs(number) < 1 << 16;
            return "constant " + (small ? number + "" : "0x" + Long.toHexString(number)) + "L";
        }
        return "constant " + value;
    }

    private static String type(ClassDesc type) {
        return type.displayName();
    }

    private String cases(LookupSwitchInstruction choice) {
        Map<Integer, String> cases = new TreeMap<>();
        choice.cases().forEach(one -> cases.put(one.caseValue(), label(one.target())));
        return cases + " or " + label(choice.defaultTarget());
    }
}
