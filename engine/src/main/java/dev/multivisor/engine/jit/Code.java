package dev.multivisor.engine.jit;

import static java.lang.constant.ConstantDescs.CD_double;
import static java.lang.constant.ConstantDescs.CD_int;
import static java.lang.constant.ConstantDescs.CD_long;
import static java.lang.constant.ConstantDescs.CD_void;

import dev.multivisor.engine.cpu.Cpu;
import dev.multivisor.engine.cpu.Leave;
import dev.multivisor.engine.isa.Instruction;
import dev.multivisor.engine.mmu.FastAccess;
import dev.multivisor.engine.mmu.Mmu;
import dev.multivisor.engine.mmu.PhysicalMemory;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.Label;
import java.lang.classfile.TypeKind;
import java.lang.constant.ClassDesc;
import java.lang.constant.MethodTypeDesc;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;

/**
 * The method being emitted: its locals, and what every emitter needs of it. Guest registers that the region uses are
 * in locals from the entry to an exit. The operand stack is empty wherever guest memory is accessed, because what is
 * seldom executed stands at the method's end.
 */
final class Code {
    static final ClassDesc CPU = desc(Cpu.class), MMU = desc(Mmu.class);
    static final ClassDesc FLAGS = desc(LazyFlags.class), LONGS = CD_long.arrayType();
    static final ClassDesc LEAVE = desc(Leave.class);
    private static final ClassDesc DOUBLE = desc(Double.class);
    static final ClassDesc MEMORY = desc(PhysicalMemory.class), SEGMENT = desc(MemorySegment.class);

    final CodeBuilder b;

    /** Locals: parameters. */
    final int cpu = 1, start = 2, budget = 4;

    /** Locals: what is left of the budget, the machine's parts, the exit taken and RIP there. */
    final int left, regs, xmms, mmu, exit, rip;

    /** Locals: the TLB's tags, all of RAM, and an offset in it. */
    final int tags, ram, offset;

    /** The pages last found, in locals. */
    final Sites sites;

    /** Local: offset of the instruction that may fault, and in the upper half the instructions done before it. */
    final int at;

    /** Locals: flags as {@link LazyFlags} has them. */
    final int kind, fa, fb;

    /** Locals of no lasting value: a linear address, a value, operands. */
    final int address, value, x, y, z;

    /** Locals of guest registers, or -1. */
    final int[] gpr = new int[16];

    /** Locals of the halves of XMM registers, low at 2n, or -1. */
    private final int[] xmm = new int[32];

    /** Of those halves, which locals are doubles: so that HotSpot has them in registers for such. */
    private final boolean[] isDouble = new boolean[32];

    /** Where all exits end, with {@link #exit} and {@link #rip} set. */
    final Label leave;

    private final Deque<Runnable> later = new ArrayDeque<>();

    /** Whether the class file tells which guest instruction each bytecode is for, as line numbers. */
    boolean annotated;

    private int line;

    Code(CodeBuilder b, Usage usage, List<Instruction> instructions) {
        this.b = b;
        left = local(TypeKind.INT);
        regs = local(TypeKind.REFERENCE);
        xmms = local(TypeKind.REFERENCE);
        mmu = local(TypeKind.REFERENCE);
        tags = local(TypeKind.REFERENCE);
        ram = local(TypeKind.REFERENCE);
        offset = local(TypeKind.LONG);
        exit = local(TypeKind.INT);
        rip = local(TypeKind.LONG);
        at = local(TypeKind.LONG);
        kind = local(TypeKind.INT);
        fa = local(TypeKind.LONG);
        fb = local(TypeKind.LONG);
        address = local(TypeKind.LONG);
        value = local(TypeKind.LONG);
        x = local(TypeKind.LONG);
        y = local(TypeKind.LONG);
        z = local(TypeKind.LONG);
        for (int n = 0; n < 16; n++) {
            gpr[n] = usage.usesGpr(n) ? local(TypeKind.LONG) : -1;
        }
        for (int n = 0; n < 32; n++) {
            isDouble[n] = (n & 1) == 0 && usage.isDouble(n >> 1);
            xmm[n] = usage.usesXmm(n >> 1) ? local(isDouble[n] ? TypeKind.DOUBLE : TypeKind.LONG) : -1;
        }
        sites = new Sites(b, instructions);
        leave = b.newLabel();
    }

    static ClassDesc desc(Class<?> type) {
        return type.describeConstable().orElseThrow();
    }

    static MethodTypeDesc type(ClassDesc result, ClassDesc... parameters) {
        return MethodTypeDesc.of(result, parameters);
    }

    private int local(TypeKind type) {
        return b.allocateLocal(type);
    }

    /** Defers code that is seldom executed to the end of the method. */
    void later(Runnable emitter) {
        int number = line;
        later.add(() -> {
            line(number);
            emitter.run();
        });
    }

    /** What follows is for a guest instruction, by number, as {@link RegionEmitter#annotated} says. */
    void line(int number) {
        line = number;
        if (annotated) {
            b.lineNumber(number);
        }
    }

    void emitDeferred() {
        while (!later.isEmpty()) {
            later.remove().run();
        }
    }

    // ---- Halves of XMM registers, by number ----

    /** Loads one as a long. */
    void loadXmm(int half) {
        if (isDouble[half]) {
            b.dload(xmm[half]);
            fromDouble();
        } else {
            b.lload(xmm[half]);
        }
    }

    /** Stores the long on the stack. */
    void storeXmm(int half) {
        if (isDouble[half]) {
            toDouble();
            b.dstore(xmm[half]);
        } else {
            b.lstore(xmm[half]);
        }
    }

    /** Loads one that is a double. */
    void loadDouble(int half) {
        b.dload(xmm[half]);
    }

    void storeDouble(int half) {
        b.dstore(xmm[half]);
    }

    /** The long on the stack becomes the double with the same bits. */
    void toDouble() {
        b.invokestatic(DOUBLE, "longBitsToDouble", type(CD_double, CD_long));
    }

    /** The double on the stack becomes the long with the same bits. */
    void fromDouble() {
        b.invokestatic(DOUBLE, "doubleToRawLongBits", type(CD_long, CD_double));
    }

    boolean isDouble(int half) {
        return isDouble[half];
    }

    /** The local of a half, or -1. */
    int xmm(int half) {
        return xmm[half];
    }

    // ---- Constants and locals ----

    Code constant(long value) {
        b.loadConstant(value);
        return this;
    }

    Code constant(int value) {
        b.loadConstant(value);
        return this;
    }

    Code load(int local) {
        b.lload(local);
        return this;
    }

    Code store(int local) {
        b.lstore(local);
        return this;
    }

    /** Keeps the low bytes of the long on the stack. */
    Code zeroExtend(int size) {
        if (size < 8) {
            constant(-1L >>> 64 - size * 8);
            b.land();
        }
        return this;
    }

    /** Sign-extends the long on the stack from some bytes. */
    Code signExtend(int size) {
        switch (size) {
            case 1 -> b.l2i().i2b().i2l();
            case 2 -> b.l2i().i2s().i2l();
            case 4 -> b.l2i().i2l();
            default -> {}
        }
        return this;
    }

    // ---- State ----

    /** Says which instruction is being executed, for a fault that it may raise. */
    void at(Place place) {
        at(place.done(), place.offset());
    }

    /** Says how many instructions of a block are done and at which offset is the next, for {@link Leave}. */
    void at(int done, long offset) {
        constant((long) done << 32 | offset & 0xffffffffL).store(at);
    }

    /** The linear address at an offset from the region's entry. */
    Code linear(long offset) {
        load(start);
        if (offset != 0) {
            constant(offset);
            b.ladd();
        }
        return this;
    }

    void done(int instructions) {
        if (instructions != 0) {
            b.iinc(left, -instructions);
        }
    }

    /** Loads what locals stand for from the {@link Cpu}. */
    void enter() {
        b.iload(budget).istore(left);
        b.aload(cpu).getfield(CPU, "r", LONGS).astore(regs);
        b.aload(cpu).getfield(CPU, "xmm", LONGS).astore(xmms);
        b.aload(cpu).getfield(CPU, "mmu", MMU).astore(mmu);
        b.aload(mmu).invokevirtual(MMU, "memory", type(MEMORY));
        b.invokevirtual(MEMORY, "ram", type(SEGMENT)).astore(ram);
        b.aload(ram)
                .invokestatic(desc(FastAccess.class), "ready", type(CD_long, SEGMENT))
                .lstore(offset);
        reloadTags();
        sites.enter();
        constant(0).b.istore(exit);
        for (int local : new int[] {offset, rip, at, address, value, x, y, z}) {
            constant(0L).store(local);
        }
        reloadFlags();
        reload(-1, -1);
    }

    /** After anything but a load or store of the method's own. */
    void forgetPages() {
        reloadTags();
        sites.forget();
    }

    private void reloadTags() {
        b.aload(mmu).invokevirtual(MMU, "tags", type(LONGS)).astore(tags);
    }

    /** Loads registers, given as bits by number, that have locals. */
    void reload(int gprs, int xmmRegisters) {
        each(gpr, gprs, 1, n -> b.aload(regs).loadConstant(n).laload().lstore(gpr[n]));
        each(xmm, xmmRegisters, 2, n -> {
            b.aload(xmms).loadConstant(n).laload();
            storeXmm(n);
        });
    }

    /** Stores registers, given as bits by number, that have locals. */
    void spill(int gprs, int xmmRegisters) {
        each(gpr, gprs, 1, n -> b.aload(regs).loadConstant(n).lload(gpr[n]).lastore());
        each(xmm, xmmRegisters, 2, n -> {
            b.aload(xmms).loadConstant(n);
            loadXmm(n);
            b.lastore();
        });
    }

    private static void each(int[] locals, int registers, int halves, java.util.function.IntConsumer action) {
        for (int n = 0; n < locals.length; n++) {
            if (locals[n] >= 0 && (registers >>> n / halves & 1) != 0) {
                action.accept(n);
            }
        }
    }

    void spillFlags() {
        b.aload(cpu).iload(kind).lload(fa).lload(fb);
        b.invokestatic(FLAGS, "spill", type(CD_void, CPU, CD_int, CD_long, CD_long));
    }

    void reloadFlags() {
        b.aload(cpu).getfield(CPU, "flagResult", CD_long).lstore(fa);
        b.aload(cpu).getfield(CPU, "flagAux", CD_long).lstore(fb);
        constant(LazyFlags.RAW).b.istore(kind);
    }

    /** Stores all but general registers, and how far it came. RIP is on the stack; after a fault, {@link #at} counts too. */
    void writeBack(Usage usage, boolean fault) {
        b.lstore(rip);
        spill(0, usage.dirtyXmms());
        b.aload(regs).loadConstant(Cpu.RIP).lload(rip).lastore();
        spillFlags();
        b.aload(cpu).dup().getfield(CPU, "instructions", CD_long);
        b.iload(budget).iload(left).isub().i2l().ladd();
        if (fault) {
            b.lload(at).bipush(32).lushr().ladd();
        }
        b.putfield(CPU, "instructions", CD_long);
    }

    // ---- Operands ----

    /** The effective address of the memory operand, without the segment's base. */
    Code effective(Instruction i, Place place) {
        boolean started = false;
        if (i.base == Instruction.RIP) {
            linear(place.offset() + i.displacement);
            started = true;
        } else {
            if (i.base != Instruction.ZERO) {
                load(gpr[i.base]);
                started = true;
            }
            if (i.index != Instruction.ZERO) {
                load(gpr[i.index]);
                if (i.scale != 0) {
                    constant(i.scale).b.lshl();
                }
                started = add(started);
            }
            if (i.displacement != 0 || !started) {
                constant(i.displacement);
                add(started);
            }
        }
        if (i.addressSize == 4) {
            zeroExtend(4);
        }
        return this;
    }

    private boolean add(boolean started) {
        if (started) {
            b.ladd();
        }
        return true;
    }

    /** The linear address of the memory operand. */
    Code linear(Instruction i, Place place) {
        effective(i, place);
        if (i.segment == Cpu.FS || i.segment == Cpu.GS) {
            b.aload(cpu)
                    .getfield(CPU, "segmentBase", LONGS)
                    .loadConstant(i.segment)
                    .laload()
                    .ladd();
        }
        return this;
    }
}
