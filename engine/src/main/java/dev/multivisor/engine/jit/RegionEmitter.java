package dev.multivisor.engine.jit;

import static java.lang.constant.ConstantDescs.CD_int;
import static java.lang.constant.ConstantDescs.CD_long;
import static java.lang.constant.ConstantDescs.CD_void;

import dev.multivisor.engine.cpu.CompiledCode;
import dev.multivisor.engine.cpu.ControlInstructions;
import dev.multivisor.engine.cpu.Cpu;
import dev.multivisor.engine.cpu.Dispatch;
import dev.multivisor.engine.isa.Instruction;
import dev.multivisor.engine.isa.Op;
import dev.multivisor.engine.isa.Operand.Kind;
import java.lang.classfile.ClassFile;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.Label;
import java.lang.classfile.instruction.SwitchCase;
import java.lang.constant.ClassDesc;
import java.lang.constant.ConstantDescs;
import java.lang.constant.MethodTypeDesc;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Emits a region as one method of a class: a guest block is a label, a jump within the region is a jump. Guest
 * registers are loaded into locals at the entry. General registers are stored wherever compiled code may be left, so that
 * the many ways out have nothing to bring along; XMM registers and flags are stored at the common exit, and by the handler
 * of exceptions. So the state is precise wherever one arises. The budget, and with several vCPUs attention, are
 * looked at where a jump goes back.
 */
final class RegionEmitter {
    private static final ClassDesc CONTROL = Code.desc(ControlInstructions.class);
    private static final ClassDesc DISPATCH = Code.desc(Dispatch.class), INSTRUCTION = Code.desc(Instruction.class);
    private static final ClassDesc SUPER = Code.desc(CompiledCode.class);
    private static final MethodTypeDesc RUN = MethodTypeDesc.of(CD_int, Code.CPU, CD_long, CD_int);
    private static final MethodTypeDesc CONSTRUCTOR =
            MethodTypeDesc.of(CD_void, INSTRUCTION.arrayType(), CD_int, CD_int);

    /** More targets of an indirect jump than this are told apart by a switch. */
    private static final int FEW = 3;

    /** A region's class file, and what its constructor takes. */
    record Result(byte[] classFile, Instruction[] handled, int exits, int longest) {}

    private final List<CodePart> parts;
    private final boolean ordered;
    private final List<Instruction> instructions;
    private final Usage usage;
    private final Map<Long, Integer> numbers = new HashMap<>();
    private final List<Instruction> handled = new ArrayList<>();
    private final Map<Long, Label> exitLabels = new HashMap<>();
    private int exits;

    /** Whether the class file is for people to read. */
    private boolean annotated;

    private Code code;
    private CodeBuilder b;
    private Conditions flags;
    private Integers integers;
    private Vectors vectors;
    private Label[] labels;

    /** Where the blocks are that calls return to. */
    private final Set<Long> returns = new LinkedHashSet<>();

    /** Instructions emitted so far. */
    private int emitted;

    /** General registers, as bits by number, that were written since they were stored last. */
    private int written;

    /** How many ways lead to a block, besides falling into it from the one emitted before. */
    private int[] entries;

    RegionEmitter(List<CodePart> parts, boolean ordered) {
        this.parts = parts;
        this.ordered = ordered;
        instructions =
                parts.stream().flatMap(part -> part.instructions().stream()).toList();
        usage = new Usage(instructions);
        for (int n = 0; n < parts.size(); n++) {
            numbers.put(parts.get(n).offset(), n);
        }
    }

    /**
     * Has the class file tell names of locals, and as line numbers, which guest instruction, from 1, each bytecode is
     * for; the common exit has the first number after them, and the handler of faults the second.
     */
    RegionEmitter annotated() {
        annotated = true;
        return this;
    }

    /** @param name the class's, in this package */
    Result emit(ClassDesc name) {
        byte[] bytes = ClassFile.of()
                .build(
                        name,
                        type -> type.withSuperclass(SUPER)
                                .withFlags(ClassFile.ACC_FINAL | ClassFile.ACC_SUPER)
                                .withMethodBody(
                                        ConstantDescs.INIT_NAME,
                                        CONSTRUCTOR,
                                        0,
                                        c -> c.aload(0)
                                                .aload(1)
                                                .iload(2)
                                                .iload(3)
                                                .invokespecial(SUPER, ConstantDescs.INIT_NAME, CONSTRUCTOR)
                                                .return_())
                                .withMethodBody("run", RUN, ClassFile.ACC_PUBLIC, this::method));
        int longest =
                parts.stream().mapToInt(part -> part.instructions().size()).sum();
        return new Result(bytes, handled.toArray(Instruction[]::new), exits, longest);
    }

    private void method(CodeBuilder builder) {
        b = builder;
        handled.clear();
        exitLabels.clear();
        exits = 0;
        code = new Code(b, usage, instructions);
        flags = new Conditions(code);
        Memory memory = new Memory(code, ordered);
        integers = new Integers(code, memory, flags);
        vectors = new Vectors(code, memory, flags);
        labels = parts.stream().map(part -> b.newLabel()).toArray(Label[]::new);
        countEntries();
        emitted = 0;
        code.annotated = annotated;

        // Without a budget nothing is done: so it can be called until HotSpot has compiled it.
        Label budgeted = b.newLabel();
        Label nothing = b.newLabel();
        b.iload(code.budget).ifgt(budgeted);
        b.labelBinding(nothing).loadConstant(CompiledCode.LEFT).ireturn();
        b.labelBinding(budgeted);
        if (instructions.stream().anyMatch(Vectors::emits)) {
            vectors.requireAvailable(nothing);
        }
        code.enter();
        Label first = b.newBoundLabel();
        for (int n = 0; n < parts.size(); n++) {
            part(n);
        }
        code.emitDeferred();
        code.line(emitted + 1);
        Label last = b.newBoundLabel();
        Label left = b.newBoundLabel();
        b.pop().iload(code.left).lload(code.at).bipush(32).lushr().l2i().isub().istore(code.left);
        code.load(code.start).load(code.at);
        b.l2i().i2l().ladd().lstore(code.rip);
        b.loadConstant(CompiledCode.LEFT).istore(code.exit);
        b.labelBinding(code.leave);
        b.lload(code.rip);
        code.writeBack(usage, false);
        b.iload(code.exit).ireturn();
        // The handler: whatever the exception is, the state is that before the instruction.
        Label handler = b.newBoundLabel();
        code.line(emitted + 2);
        int exception = b.allocateLocal(java.lang.classfile.TypeKind.REFERENCE);
        b.astore(exception);
        code.load(code.start).load(code.at);
        b.l2i().i2l().ladd();
        code.writeBack(usage, true);
        b.aload(exception).athrow();
        b.exceptionCatch(first, last, left, Code.LEAVE);
        b.exceptionCatchAll(first, last, handler);
        if (annotated) {
            LocalNames.name(code);
        }
    }

    private void countEntries() {
        entries = new int[parts.size()];
        entries[0] = 1;
        returns.clear();
        for (CodePart part : parts) {
            Instruction last = part.last();
            if (last.op == Op.CALL && part.endsInJump()) {
                returns.add(part.end());
            }
            for (long target : part.targets()) {
                entered(target);
            }
            if (last.a.kind() == Kind.RELATIVE && part.endsInJump()) {
                entered(part.end() + last.immediate);
            }
        }
        returns.forEach(this::entered);
        for (int n = 0; n < parts.size(); n++) {
            CodePart part = parts.get(n);
            boolean falls = !part.endsInJump() || part.last().op == Op.JCC;
            if (falls && (n + 1 == parts.size() || parts.get(n + 1).offset() != part.end())) {
                entered(part.end());
            }
        }
    }

    private void entered(long offset) {
        Integer number = numbers.get(offset);
        if (number != null) {
            entries[number]++;
        }
    }

    // ---- Blocks ----

    private void part(int number) {
        CodePart part = parts.get(number);
        b.labelBinding(labels[number]);
        if (entries[number] != 0) {
            flags.forget();
        }
        int done = 0;
        long offset = part.offset();
        int count = part.instructions().size();
        for (Instruction i : part.instructions()) {
            code.line(++emitted);
            boolean dead = DeadFlags.after(part.instructions(), done);
            Place place = new Place((int) offset, (int) offset + i.length, done, dead);
            done++;
            if (done == count && part.endsInJump()) {
                keep();
                jump(number, part, i, place);
                return;
            }
            if (mayLeave(i)) {
                keep();
            }
            if (Integers.emits(i)) {
                integers.emit(i, place);
            } else if (Vectors.emits(i)) {
                vectors.emit(i, place);
            } else {
                handle(i, place);
            }
            written |= Usage.writtenGprs(i);
            offset += i.length;
        }
        keep();
        code.done(count);
        goTo(number, part.end());
    }

    /** Whether an instruction may leave compiled code before it is done. */
    private static boolean mayLeave(Instruction i) {
        return i.memory() || Usage.usesStack(i) || Divisions.emits(i) || !Integers.emits(i);
    }

    /**
     * Stores the general registers written since the last time, wherever compiled code may be left next. If the exits did,
     * HotSpot would have to keep all of them for each, and took longer for it.
     */
    private void keep() {
        code.spill(written, 0);
        written = 0;
    }

    /** Has an instruction executed by the interpreter's handler. */
    private void handle(Instruction i, Place place) {
        int gprs = Usage.touchedGprs(i);
        int xmms = Usage.touchedXmms(i);
        code.at(place);
        code.spill(0, xmms & usage.dirtyXmms());
        code.spillFlags();
        b.aload(code.regs).loadConstant(Cpu.RIP);
        code.linear(place.offset());
        b.lastore();
        b.aload(code.cpu);
        b.aload(0).getfield(SUPER, "instructions", INSTRUCTION.arrayType());
        b.loadConstant(handled.size()).aaload();
        b.invokestatic(DISPATCH, "execute", Code.type(CD_void, Code.CPU, INSTRUCTION));
        handled.add(i);
        code.reload(gprs, xmms);
        code.forgetPages();
        flags.reload();
        Label stay = b.newLabel();
        b.aload(code.cpu).getfield(Code.CPU, "leave", ConstantDescs.CD_boolean).ifeq(stay);
        leave(place.done() + 1, place.next());
        b.labelBinding(stay);
    }

    // ---- Exits ----

    /** Leaves compiled code after so many instructions of a block, to go on at an offset. */
    private void leave(int done, long offset) {
        code.linear(offset).store(code.rip);
        code.done(done);
        b.loadConstant(CompiledCode.LEFT).istore(code.exit).goto_(code.leave);
    }

    /** Goes to the block at an offset, or leaves the region to there. The block before is counted as done. */
    private void goTo(int from, long offset) {
        Integer number = numbers.get(offset);
        if (number == null) {
            b.goto_(exit(offset));
        } else if (number > from) {
            if (number != from + 1) {
                b.goto_(labels[number]);
            }
        } else {
            look(offset);
            b.goto_(labels[number]);
        }
    }

    /** Leaves if the budget is used up or, with several vCPUs, attention is wanted. */
    private void look(long offset) {
        code.at(0, offset);
        if (ordered) {
            b.aload(code.cpu).iload(code.left);
            b.invokestatic(Code.LEAVE, "ifWanted", Code.type(CD_void, Code.CPU, CD_int));
        } else {
            b.iload(code.left).invokestatic(Code.LEAVE, "ifUsedUp", Code.type(CD_void, CD_int));
        }
    }

    /** A label of code that goes to the block at an offset, or leaves the region to there. */
    private Label way(int from, long offset) {
        Integer number = numbers.get(offset);
        if (number == null) {
            return exit(offset);
        }
        if (number > from) {
            return labels[number];
        }
        Label back = b.newLabel();
        code.later(() -> {
            b.labelBinding(back);
            look(offset);
            b.goto_(labels[number]);
        });
        return back;
    }

    private Label exit(long offset) {
        return exitLabels.computeIfAbsent(offset, key -> {
            Label label = b.newLabel();
            int number = exits++;
            code.later(() -> {
                b.labelBinding(label);
                code.linear(offset).store(code.rip);
                b.loadConstant(number).istore(code.exit).goto_(code.leave);
            });
            return label;
        });
    }

    // ---- Transfers of control ----

    private void jump(int number, CodePart part, Instruction i, Place place) {
        long target = place.next() + i.immediate;
        boolean direct = i.a.kind() == Kind.RELATIVE;
        int count = place.done() + 1;
        switch (i.op) {
            case JMP -> {
                if (direct) {
                    code.done(count);
                    goTo(number, target);
                } else {
                    integers.readTarget(i, place);
                    indirect(number, part.targets(), place, () -> {});
                }
            }
            case JCC -> {
                code.done(count);
                flags.branch(i.condition, way(number, target));
                goTo(number, place.next());
            }
            case CALL -> {
                if (!direct) {
                    integers.readTarget(i, place);
                    checkCanonical(place);
                    b.lload(code.value).lstore(code.x);
                }
                code.linear(place.next()).store(code.value);
                if (direct) {
                    integers.pushValue(place);
                    keepStackPointer();
                    code.done(count);
                    goTo(number, target);
                } else {
                    integers.pushValue(place);
                    keepStackPointer();
                    b.lload(code.x).lstore(code.value);
                    indirect(number, part.targets(), place, () -> {});
                }
            }
            default -> {
                integers.peek(place);
                Set<Long> targets = new LinkedHashSet<>(part.targets());
                targets.addAll(returns);
                indirect(number, List.copyOf(targets), place, integers::drop);
            }
        }
    }

    private void keepStackPointer() {
        code.spill(1 << Cpu.RSP, 0);
    }

    private void checkCanonical(Place place) {
        Label canonical = b.newLabel();
        b.lload(code.value)
                .loadConstant(16)
                .lshl()
                .loadConstant(16)
                .lshr()
                .lload(code.value)
                .lcmp();
        b.ifeq(canonical);
        code.at(place);
        b.aload(code.cpu).lload(code.value);
        b.invokestatic(CONTROL, "canonical", Code.type(CD_long, Code.CPU, CD_long))
                .pop2();
        b.labelBinding(canonical);
    }

    /**
     * Goes to the address in {@link Code#value}. The address of a block of the region is known to be canonical.
     *
     * @param rest what is left to do of the instruction, once it is sure not to fault
     */
    private void indirect(int from, List<Long> targets, Place place, Runnable rest) {
        List<Long> inside = targets.stream().filter(numbers::containsKey).toList();
        Label outside = b.newLabel();
        if (inside.size() > FEW) {
            b.lload(code.value).lload(code.start).lsub().lstore(code.z);
            b.lload(code.z).l2i().i2l().lload(code.z).lcmp().ifne(outside);
            b.lload(code.z).l2i();
            List<SwitchCase> cases = inside.stream()
                    .sorted()
                    .map(offset -> SwitchCase.of((int) (long) offset, b.newLabel()))
                    .toList();
            b.lookupswitch(outside, cases);
            for (SwitchCase one : cases) {
                b.labelBinding(one.target());
                finish(place, rest);
                b.goto_(way(from, one.caseValue()));
            }
        } else {
            for (long offset : inside) {
                Label other = b.newLabel();
                b.lload(code.value);
                code.linear(offset);
                b.lcmp().ifne(other);
                finish(place, rest);
                b.goto_(way(from, offset));
                b.labelBinding(other);
            }
        }
        b.labelBinding(outside);
        checkCanonical(place);
        finish(place, rest);
        b.lload(code.value).lstore(code.rip);
        b.loadConstant(exits++).istore(code.exit).goto_(code.leave);
    }

    private void finish(Place place, Runnable rest) {
        rest.run();
        keepStackPointer();
        code.done(place.done() + 1);
    }
}
