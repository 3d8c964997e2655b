package dev.multivisor.engine.jit;

import static java.lang.constant.ConstantDescs.CD_int;
import static java.lang.constant.ConstantDescs.CD_long;

import dev.multivisor.engine.cpu.Alu;
import dev.multivisor.engine.cpu.Cpu;
import dev.multivisor.engine.isa.Instruction;
import dev.multivisor.engine.isa.Op;
import dev.multivisor.engine.isa.Operand.Kind;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.Label;
import java.lang.constant.ClassDesc;

/**
 * Rotations, shifts by CL and of two registers, and instructions on single bits, in line: their flags are computed only
 * where somebody may look at them.
 */
final class Bits {
    private static final ClassDesc LONG = Code.desc(Long.class), INTEGER = Code.desc(Integer.class);
    private static final long TOP = 3L << 62;

    private final Code code;
    private final CodeBuilder b;
    private final Memory memory;
    private final Conditions flags;
    private final Integers integers;

    Bits(Code code, Memory memory, Conditions flags, Integers integers) {
        this.code = code;
        b = code.b;
        this.memory = memory;
        this.flags = flags;
        this.integers = integers;
    }

    /** Whether an instruction is emitted here. */
    static boolean emits(Instruction i) {
        if (i.has(Instruction.LOCK)) {
            return false;
        }
        return switch (i.op) {
            case ROL, ROR -> i.a.size() >= 4;
            case SHL, SHR, SAR -> i.a.size() >= 4 && i.b.kind() == Kind.GPR;
            case SHLD, SHRD -> i.a.size() >= 4 && (i.c.kind() != Kind.GPR || i.a.kind() == Kind.GPR);
            case BT, BTS, BTR, BTC -> i.a.size() >= 4 && (i.a.kind() == Kind.GPR || i.addressSize == 8);
            case POPCNT -> true;
            default -> false;
        };
    }

    /** Emits one for which {@link #emits} holds. */
    void emit(Instruction i, Place place) {
        switch (i.op) {
            case ROL, ROR -> rotate(i, place);
            case SHL, SHR, SAR -> shiftByRegister(i, place);
            case SHLD, SHRD -> {
                if (i.c.kind() == Kind.GPR) {
                    doubleShiftByRegister(i);
                } else {
                    doubleShift(i, place);
                }
            }
            case POPCNT -> count(i, place);
            default -> bitTest(i, place);
        }
    }

    private static int countMask(Instruction i) {
        return i.a.size() == 8 ? 63 : 31;
    }

    private static int shift(Instruction i) {
        return 64 - i.a.size() * 8;
    }

    /** The count of a rotation or shift, masked, as an int on the stack. */
    private void count(Instruction i) {
        if (i.b.kind() == Kind.GPR) {
            b.lload(code.gpr[i.b.register()]).l2i().bipush(countMask(i)).iand();
        } else {
            b.loadConstant((int) i.immediate & countMask(i));
        }
    }

    // ---- Rotations ----

    private void rotate(Instruction i, Place place) {
        boolean left = i.op == Op.ROL;
        boolean counted = i.b.kind() == Kind.GPR;
        boolean changes = counted || ((int) i.immediate & countMask(i)) != 0;
        integers.readDestination(i, place);
        b.lload(code.value);
        if (i.a.size() == 8) {
            count(i);
            b.invokestatic(LONG, left ? "rotateLeft" : "rotateRight", Code.type(CD_long, CD_long, CD_int));
        } else {
            b.l2i();
            count(i);
            b.invokestatic(INTEGER, left ? "rotateLeft" : "rotateRight", Code.type(CD_int, CD_int, CD_int));
            b.i2l();
            code.zeroExtend(4);
        }
        b.lstore(code.value);
        if (changes && !place.flagsDead()) {
            flags.raw();
            Label same = b.newLabel();
            if (counted) {
                count(i);
                b.ifeq(same);
            }
            rotated(left, i.a.size() * 8);
            b.labelBinding(same);
        }
        integers.writeDestination(i);
    }

    /** CF and OF of a rotation to {@link Code#value}, which is zero-extended; the other flags stay. */
    private void rotated(boolean left, int bits) {
        b.lload(code.fb).loadConstant(~TOP).land().lload(code.value);
        if (left) {
            b.bipush(63).lshl().lor();
            b.lload(code.value).loadConstant(bits - 1).lushr().bipush(62).lshl();
        } else {
            b.loadConstant(64 - bits).lshl().loadConstant(TOP).land();
        }
        b.lor().lstore(code.fb);
    }

    // ---- Shifts ----

    private void shiftByRegister(Instruction i, Place place) {
        integers.readDestination(i, place);
        b.lload(code.value).loadConstant(shift(i)).lshl();
        switch (i.op) {
            case SHL -> {}
            case SHR -> b.loadConstant(shift(i)).lushr();
            default -> b.loadConstant(shift(i)).lshr();
        }
        b.lstore(code.x);
        if (place.flagsDead()) {
            b.lload(code.x);
            shifted(i, () -> count(i));
            if (i.op == Op.SHL) {
                b.loadConstant(shift(i)).lushr();
            }
            b.lstore(code.value);
        } else {
            shiftWithFlags(i);
        }
        integers.writeDestination(i);
    }

    private void shifted(Instruction i, Runnable count) {
        count.run();
        switch (i.op) {
            case SHL -> b.lshl();
            case SHR -> b.lushr();
            default -> b.lshr();
        }
    }

    /** As {@link Alu}'s. The flags are those of one of two instructions, so that nothing is known of them afterwards. */
    private void shiftWithFlags(Instruction i) {
        Label same = b.newLabel();
        count(i);
        b.ifeq(same);
        b.lload(code.x);
        shifted(i, () -> {
            count(i);
            b.iconst_1().isub();
        });
        b.lstore(code.fb);
        b.lload(code.fb).iconst_1();
        switch (i.op) {
            case SHL -> {
                b.lshl().lstore(code.x);
                b.lload(code.x).loadConstant(shift(i)).lshr().lstore(code.fa);
                b.lload(code.x).loadConstant(shift(i)).lushr().lstore(code.value);
            }
            case SHR -> {
                b.lushr().lstore(code.value);
                b.lload(code.value).loadConstant(shift(i)).lshl();
                b.loadConstant(shift(i)).lshr().lstore(code.fa);
            }
            default -> {
                b.lshr().lstore(code.value);
                b.lload(code.value).lstore(code.fa);
            }
        }
        int kind = i.op == Op.SHL ? LazyFlags.SHL : i.op == Op.SHR ? LazyFlags.SHR : LazyFlags.SAR;
        flags.set(kind + Integer.numberOfTrailingZeros(i.a.size()));
        b.labelBinding(same);
        flags.forget();
    }

    /** SHLD and SHRD by a constant. */
    private void doubleShift(Instruction i, Place place) {
        int size = i.a.size();
        int count = (int) i.immediate & countMask(i);
        boolean left = i.op == Op.SHLD;
        integers.readDestination(i, place);
        if (count != 0) {
            b.lload(code.value);
            code.zeroExtend(size).store(code.x);
            b.lload(code.x).loadConstant(count);
            b.lload(code.gpr[i.b.register()]);
            if (left) {
                code.zeroExtend(size);
                b.loadConstant(size * 8 - count).lushr().lstore(code.y);
                b.lshl();
            } else {
                b.loadConstant(size * 8 - count).lshl().lstore(code.y);
                b.lushr();
            }
            b.lload(code.y).lor().lstore(code.value);
            if (!place.flagsDead()) {
                doubleShiftFlags(left, count, shift(i));
            }
        }
        integers.writeDestination(i);
    }

    /** CF is what went out last, OF whether the sign changed. */
    private void doubleShiftFlags(boolean left, int count, int shift) {
        b.lload(code.value).loadConstant(shift).lshl().lstore(code.y);
        b.lload(code.y).loadConstant(shift).lshr().lstore(code.fa);
        b.lload(code.x);
        if (left) {
            b.loadConstant(shift + count - 1)
                    .lshl()
                    .loadConstant(Long.MIN_VALUE)
                    .land();
        } else {
            b.loadConstant(count - 1).lushr().bipush(63).lshl();
        }
        b.lstore(code.z);
        b.lload(code.y).lload(code.x).loadConstant(shift).lshl().lxor();
        b.loadConstant(Long.MIN_VALUE).land().lload(code.z).lxor().iconst_1().lushr();
        b.lload(code.z).lor().lstore(code.fb);
        flags.set(LazyFlags.RAW);
    }

    private void doubleShiftByRegister(Instruction i) {
        code.spillFlags();
        b.aload(code.cpu).lload(code.gpr[i.a.register()]);
        b.lload(code.gpr[i.b.register()]);
        b.lload(code.gpr[i.c.register()]).l2i().bipush(countMask(i)).iand();
        b.loadConstant(shift(i));
        b.invokestatic(
                Code.desc(Alu.class),
                i.op == Op.SHLD ? "shld" : "shrd",
                Code.type(CD_long, Code.CPU, CD_long, CD_long, CD_int, CD_int));
        b.lstore(code.value);
        flags.reload();
        integers.writeDestination(i);
    }

    // ---- Single bits ----

    /** BT, BTS, BTR and BTC: CF changes, the other flags stay. */
    private void bitTest(Instruction i, Place place) {
        int size = i.a.size();
        if (i.b.kind() == Kind.GPR) {
            b.lload(code.gpr[i.b.register()]);
        } else {
            b.loadConstant(i.immediate);
        }
        b.lstore(code.y);
        if (i.a.kind() == Kind.MEMORY) {
            bitInMemory(i, place);
        } else {
            b.lload(code.gpr[i.a.register()]).lstore(code.value);
        }
        // Masked to six bits by the shift itself.
        b.lload(code.y).loadConstant(size * 8L - 1).land().lstore(code.y);
        b.lload(code.value).lload(code.y).l2i().lushr().lconst_1().land().lstore(code.x);
        if (i.op != Op.BT) {
            b.lload(code.value).lconst_1().lload(code.y).l2i().lshl();
            switch (i.op) {
                case BTS -> b.lor();
                case BTR -> b.loadConstant(-1L).lxor().land();
                default -> b.lxor();
            }
            b.lstore(code.value);
            integers.writeDestination(i);
        }
        if (!place.flagsDead()) {
            flags.raw();
            setCarry();
        }
    }

    /** Loads what has the bit {@link Code#y}: one in a register reaches beyond the operand, to both sides. */
    private void bitInMemory(Instruction i, Place place) {
        int size = i.a.size();
        memory.at(i, place);
        if (i.b.kind() == Kind.GPR) {
            b.lload(code.address).lload(code.y);
            code.signExtend(size);
            b.loadConstant(size == 8 ? 6 : 5).lshr();
            b.loadConstant(size == 8 ? 3 : 2).lshl().ladd().lstore(code.address);
        }
        if (i.op == Op.BT) {
            memory.load(size, place);
        } else {
            memory.loadForWrite(size, place);
        }
    }

    /** CF becomes {@link Code#x}, 0 or 1; OF stays, which is told by its difference from CF. */
    private void setCarry() {
        b.lload(code.fb).bipush(63).lushr().lload(code.x).lxor().lstore(code.x);
        b.lload(code.x).bipush(63).lshl().lload(code.x).bipush(62).lshl().lor();
        b.lload(code.fb).lxor().lstore(code.fb);
    }

    /** POPCNT: as {@link Cpu#setArithmeticFlags} with ZF or nothing. */
    private void count(Instruction i, Place place) {
        integers.read(i, i.b, place);
        b.lload(code.value);
        code.zeroExtend(i.b.size()).store(code.value);
        b.lload(code.value)
                .invokestatic(LONG, "bitCount", Code.type(CD_int, CD_long))
                .i2l()
                .lstore(code.value);
        if (!place.flagsDead()) {
            b.lload(code.value).lneg().bipush(63).lushr().lstore(code.fa);
            b.lload(code.fa).lconst_1().lxor().bipush(8).lshl().lstore(code.fb);
            flags.set(LazyFlags.RAW);
        }
        integers.writeRegister(i.a);
    }
}
