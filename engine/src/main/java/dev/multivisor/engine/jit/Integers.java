package dev.multivisor.engine.jit;

import static java.lang.constant.ConstantDescs.CD_int;
import static java.lang.constant.ConstantDescs.CD_long;

import dev.multivisor.engine.cpu.Alu;
import dev.multivisor.engine.cpu.Cpu;
import dev.multivisor.engine.isa.Instruction;
import dev.multivisor.engine.isa.Op;
import dev.multivisor.engine.isa.Operand;
import dev.multivisor.engine.isa.Operand.Kind;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.Label;
import java.lang.constant.ClassDesc;

/** Integer instructions that do not transfer control, in line. */
final class Integers {
    private static final ClassDesc MATH = Code.desc(Math.class), LONG = Code.desc(Long.class);
    private static final ClassDesc INTEGER = Code.desc(Integer.class), ALU = Code.desc(Alu.class);
    private static final long TOP = 3L << 62;

    private final Code code;
    private final CodeBuilder b;
    private final Memory memory;
    private final Conditions flags;
    private final Bits bits;
    private final Locked locked;
    private final Divisions divisions;

    Integers(Code code, Memory memory, Conditions flags) {
        this.code = code;
        b = code.b;
        this.memory = memory;
        this.flags = flags;
        bits = new Bits(code, memory, flags, this);
        locked = new Locked(code, memory, flags, this);
        divisions = new Divisions(code, this);
    }

    /** Whether an instruction is emitted here; if not, its handler is called. */
    static boolean emits(Instruction i) {
        if (Bits.emits(i) || Locked.emits(i) || Divisions.emits(i)) {
            return true;
        }
        if (i.has(Instruction.LOCK)) {
            return false;
        }
        return switch (i.op) {
            case ADD,
                    OR,
                    ADC,
                    SBB,
                    AND,
                    SUB,
                    XOR,
                    CMP,
                    TEST,
                    MOV,
                    MOVZX,
                    MOVSX,
                    MOVSXD,
                    LEA,
                    INC,
                    DEC,
                    NEG,
                    NOT,
                    SETCC,
                    CMOVCC,
                    CBW,
                    CWD,
                    NOP,
                    SHL,
                    SHR,
                    SAR,
                    ROL,
                    ROR -> true;
            case BSWAP -> i.a.kind() == Kind.GPR && i.a.size() >= 4;
            case LEAVE -> i.operandSize == 8;
            case PUSH -> i.operandSize == 8 && plain(i.a);
            case POP -> i.operandSize == 8 && i.a.kind() == Kind.GPR;
            case XCHG -> i.a.kind() != Kind.MEMORY && i.b.kind() != Kind.MEMORY;
            case IMUL -> i.b.kind() != Kind.NONE || i.a.size() >= 4;
            case MUL -> i.a.size() >= 4;
            case BSF, BSR -> true;
            default -> false;
        };
    }

    private static boolean plain(Operand o) {
        return o.kind() == Kind.GPR || o.kind() == Kind.IMMEDIATE || o.kind() == Kind.MEMORY;
    }

    /** Emits one for which {@link #emits} holds. */
    void emit(Instruction i, Place place) {
        if (Bits.emits(i)) {
            bits.emit(i, place);
        } else if (Locked.emits(i)) {
            locked.emit(i, place);
        } else if (Divisions.emits(i)) {
            divisions.emit(i, place);
        } else {
            emitPlain(i, place);
        }
    }

    private void emitPlain(Instruction i, Place place) {
        switch (i.op) {
            case ADD, OR, ADC, SBB, AND, SUB, XOR, CMP, TEST -> arithmetic(i, place);
            case INC, DEC, NEG, NOT -> unary(i, place);
            case SHL, SHR, SAR, ROL, ROR -> shift(i, place);
            case MOV -> {
                read(i, i.b, place);
                write(i, i.a, place);
            }
            case MOVZX -> {
                read(i, i.b, place);
                b.lload(code.value);
                code.zeroExtend(i.b.size()).store(code.value);
                write(i, i.a, place);
            }
            case MOVSX, MOVSXD -> {
                read(i, i.b, place);
                b.lload(code.value);
                code.signExtend(i.b.size()).store(code.value);
                write(i, i.a, place);
            }
            case LEA -> {
                code.effective(i, place).store(code.value);
                write(i, i.a, place);
            }
            case SETCC -> setcc(i, place);
            case CMOVCC -> cmov(i, place);
            case CBW -> extendAccumulator(i);
            case CWD -> signOfAccumulator(i);
            case XCHG -> exchange(i, place);
            case BSWAP -> byteSwap(i);
            case BSF, BSR -> bitScan(i, place);
            case IMUL, MUL -> multiply(i, place);
            case PUSH -> push(i, place);
            case POP -> {
                pop(place);
                b.lload(code.value).lstore(code.gpr[i.a.register()]);
            }
            case LEAVE -> leave(place);
            default -> {}
        }
    }

    // ---- Operands ----

    /** Reads an operand to {@link Code#value}; a register with anything above its size. */
    void read(Instruction i, Operand o, Place place) {
        switch (o.kind()) {
            case GPR -> b.lload(code.gpr[o.register()]);
            case HIGH ->
                b.lload(code.gpr[o.register()])
                        .bipush(8)
                        .lushr()
                        .loadConstant(255L)
                        .land();
            case IMMEDIATE -> b.loadConstant(i.immediate);
            case IMMEDIATE2 -> b.loadConstant((long) i.immediate2);
            default -> {
                memory.at(i, place);
                memory.load(o.size(), place);
                return;
            }
        }
        b.lstore(code.value);
    }

    /** Writes {@link Code#value} to an operand. */
    private void write(Instruction i, Operand o, Place place) {
        if (o.kind() == Kind.MEMORY) {
            memory.at(i, place);
            memory.store(o.size(), place);
        } else {
            writeRegister(o);
        }
    }

    /** Writes {@link Code#value} to a register, of which the other bytes stay, but for the upper half of a doubleword. */
    void writeRegister(Operand o) {
        int register = code.gpr[o.register()];
        if (o.kind() == Kind.HIGH) {
            b.lload(register).loadConstant(~0xff00L).land();
            b.lload(code.value).loadConstant(255L).land().bipush(8).lshl().lor();
        } else if (o.size() < 4) {
            b.lload(register).loadConstant(-1L << o.size() * 8).land();
            b.lload(code.value);
            code.zeroExtend(o.size());
            b.lor();
        } else {
            b.lload(code.value);
            code.zeroExtend(o.size());
        }
        b.lstore(register);
    }

    /** Reads the destination of an instruction that writes it too, to {@link Code#value}. */
    void readDestination(Instruction i, Place place) {
        if (i.a.kind() == Kind.MEMORY) {
            memory.at(i, place);
            memory.loadForWrite(i.a.size(), place);
        } else {
            read(i, i.a, place);
        }
    }

    /** Writes {@link Code#value} to the destination that {@link #readDestination} has read. */
    void writeDestination(Instruction i) {
        if (i.a.kind() == Kind.MEMORY) {
            memory.storeBack(i.a.size());
        } else {
            writeRegister(i.a);
        }
    }

    private static int log(int size) {
        return Integer.numberOfTrailingZeros(size);
    }

    // ---- Arithmetic ----

    private void arithmetic(Instruction i, Place place) {
        boolean writes = i.op != Op.CMP && i.op != Op.TEST;
        if (i.b.kind() == Kind.MEMORY) {
            read(i, i.b, place);
            b.lload(code.value).lstore(code.y);
            read(i, i.a, place);
            b.lload(code.value).lstore(code.x);
        } else {
            if (writes) {
                readDestination(i, place);
            } else {
                read(i, i.a, place);
            }
            b.lload(code.value).lstore(code.x);
            read(i, i.b, place);
            b.lload(code.value).lstore(code.y);
        }
        int size = i.a.size();
        switch (i.op) {
            case ADD -> {
                operands(LazyFlags.ADD + log(size));
                b.lload(code.x).lload(code.y).ladd().lstore(code.value);
            }
            case SUB -> {
                operands(LazyFlags.SUB + log(size));
                b.lload(code.x).lload(code.y).lsub().lstore(code.value);
            }
            case CMP -> operands(LazyFlags.SUB + log(size));
            case ADC -> withCarry(true, size);
            case SBB -> withCarry(false, size);
            default -> {
                b.lload(code.x).lload(code.y);
                switch (i.op) {
                    case OR -> b.lor();
                    case XOR -> b.lxor();
                    default -> b.land();
                }
                b.lstore(code.value);
                flags.logic(code.value, size);
            }
        }
        if (writes) {
            writeDestination(i);
        }
    }

    private void operands(int kind) {
        b.lload(code.x).lstore(code.fa).lload(code.y).lstore(code.fb);
        flags.set(kind);
    }

    /** ADC and SBB of {@link Code#x} and {@link Code#y}. */
    private void withCarry(boolean add, int size) {
        flags.carry();
        b.lstore(code.z);
        b.lload(code.x).lload(code.y);
        if (add) {
            b.ladd().lload(code.z).ladd().lstore(code.value);
            // Carries: x & y | (x | y) & ~sum
            b.lload(code.x).lload(code.y).land().lload(code.x).lload(code.y).lor();
            b.lload(code.value).loadConstant(-1L).lxor().land().lor();
        } else {
            b.lsub().lload(code.z).lsub().lstore(code.value);
            // Borrows: ~x & y | (~x | y) & difference
            b.lload(code.x).loadConstant(-1L).lxor().lstore(code.z);
            b.lload(code.z).lload(code.y).land().lload(code.z).lload(code.y).lor();
            b.lload(code.value).land().lor();
        }
        b.lstore(code.z);
        b.lload(code.z).loadConstant(64 - size * 8).lshl().loadConstant(TOP).land();
        b.lload(code.z).loadConstant(8L).land().lor().lstore(code.fb);
        rawResult(size);
    }

    /** The first word of the flags becomes {@link Code#value}; the second one is there. */
    private void rawResult(int size) {
        code.load(code.value).signExtend(size).store(code.fa);
        flags.set(LazyFlags.RAW);
    }

    private void unary(Instruction i, Place place) {
        readDestination(i, place);
        b.lload(code.value).lstore(code.x);
        int size = i.a.size();
        switch (i.op) {
            case NOT -> b.lload(code.x).loadConstant(-1L).lxor();
            case NEG -> {
                b.lload(code.x).lstore(code.fb).lconst_0().lstore(code.fa);
                flags.set(LazyFlags.SUB + log(size));
                b.lload(code.x).lneg();
            }
            default -> {
                flags.carry();
                b.bipush(63).lshl().lstore(code.fb);
                b.lload(code.x).lstore(code.fa);
                flags.set((i.op == Op.INC ? LazyFlags.INC : LazyFlags.DEC) + log(size));
                b.lload(code.x).lconst_1();
                if (i.op == Op.INC) {
                    b.ladd();
                } else {
                    b.lsub();
                }
            }
        }
        b.lstore(code.value);
        writeDestination(i);
    }

    // ---- Shifts ----

    private void shift(Instruction i, Place place) {
        int size = i.a.size();
        int mask = size == 8 ? 63 : 31;
        readDestination(i, place);
        b.lload(code.value).lstore(code.x);
        if (i.b.kind() != Kind.GPR) {
            int count = (int) i.immediate & mask;
            if (count != 0 && (i.op == Op.SHL || i.op == Op.SHR || i.op == Op.SAR)) {
                shiftBy(i.op, count, 64 - size * 8);
                writeDestination(i);
                return;
            }
        }
        code.spillFlags();
        b.aload(code.cpu).lload(code.x);
        if (i.b.kind() == Kind.GPR) {
            b.lload(code.gpr[i.b.register()]).l2i().bipush(mask).iand();
        } else {
            b.loadConstant((int) i.immediate & mask);
        }
        b.loadConstant(64 - size * 8);
        b.invokestatic(ALU, method(i.op), Code.type(CD_long, Code.CPU, CD_long, CD_int, CD_int));
        b.lstore(code.value);
        flags.reload();
        writeDestination(i);
    }

    private static String method(Op op) {
        return switch (op) {
            case SHL -> "shl";
            case SHR -> "shr";
            case SAR -> "sar";
            case ROL -> "rol";
            default -> "ror";
        };
    }

    /** SHL, SHR and SAR of {@link Code#x} by a count that is not 0; as {@link Alu}'s, with the count constant. */
    private void shiftBy(Op op, int count, int shift) {
        b.lload(code.x).loadConstant(shift).lshl();
        switch (op) {
            case SHL -> {
                b.loadConstant(count - 1).lshl().lstore(code.fb);
                b.lload(code.fb).loadConstant(1).lshl().lstore(code.x);
                b.lload(code.x).loadConstant(shift).lshr().lstore(code.fa);
                b.lload(code.x).loadConstant(shift).lushr().lstore(code.value);
            }
            case SHR -> {
                b.loadConstant(shift).lushr().loadConstant(count - 1).lushr().lstore(code.fb);
                b.lload(code.fb).loadConstant(1).lushr().lstore(code.value);
                b.lload(code.value)
                        .loadConstant(shift)
                        .lshl()
                        .loadConstant(shift)
                        .lshr();
                b.lstore(code.fa);
            }
            default -> {
                b.loadConstant(shift).lshr().loadConstant(count - 1).lshr().lstore(code.fb);
                b.lload(code.fb).loadConstant(1).lshr().lstore(code.value);
                b.lload(code.value).lstore(code.fa);
            }
        }
        flags.set((op == Op.SHL ? LazyFlags.SHL : op == Op.SHR ? LazyFlags.SHR : LazyFlags.SAR) + log(8 - shift / 8));
    }

    // ---- Moves and conditions ----

    private void setcc(Instruction i, Place place) {
        Label holds = b.newLabel();
        Label end = b.newLabel();
        flags.branch(i.condition, holds);
        b.lconst_0().lstore(code.value).goto_(end);
        b.labelBinding(holds).lconst_1().lstore(code.value);
        b.labelBinding(end);
        write(i, i.a, place);
    }

    /** The source is read in any case; a doubleword destination loses its upper half in any case. */
    private void cmov(Instruction i, Place place) {
        read(i, i.b, place);
        Label holds = b.newLabel();
        flags.branch(i.condition, holds);
        b.lload(code.gpr[i.a.register()]).lstore(code.value);
        b.labelBinding(holds);
        writeRegister(i.a);
    }

    private void extendAccumulator(Instruction i) {
        b.lload(code.gpr[Cpu.RAX]);
        code.signExtend(i.operandSize / 2).store(code.value);
        writeRegister(new Operand(Kind.GPR, Cpu.RAX, i.operandSize));
    }

    private void signOfAccumulator(Instruction i) {
        b.lload(code.gpr[Cpu.RAX]);
        code.signExtend(i.operandSize);
        b.bipush(63).lshr().lstore(code.value);
        writeRegister(new Operand(Kind.GPR, Cpu.RDX, i.operandSize));
    }

    private void exchange(Instruction i, Place place) {
        read(i, i.a, place);
        b.lload(code.value).lstore(code.x);
        read(i, i.b, place);
        b.lload(code.value).lstore(code.y);
        b.lload(code.x).lstore(code.value);
        writeRegister(i.b);
        b.lload(code.y).lstore(code.value);
        writeRegister(i.a);
    }

    private void byteSwap(Instruction i) {
        int register = code.gpr[i.a.register()];
        b.lload(register);
        if (i.a.size() == 8) {
            b.invokestatic(LONG, "reverseBytes", Code.type(CD_long, CD_long));
        } else {
            b.l2i()
                    .invokestatic(INTEGER, "reverseBytes", Code.type(CD_int, CD_int))
                    .i2l();
            code.zeroExtend(4);
        }
        b.lstore(register);
    }

    /** The destination stays when the source is zero, all of it, as processors do. */
    private void bitScan(Instruction i, Place place) {
        read(i, i.b, place);
        b.lload(code.value);
        code.zeroExtend(i.b.size()).store(code.x);
        flags.logic(code.x, i.b.size());
        Label zero = b.newLabel();
        b.lload(code.x).lconst_0().lcmp().ifeq(zero);
        if (i.op == Op.BSF) {
            b.lload(code.x).invokestatic(LONG, "numberOfTrailingZeros", Code.type(CD_int, CD_long));
        } else {
            b.bipush(63).lload(code.x).invokestatic(LONG, "numberOfLeadingZeros", Code.type(CD_int, CD_long));
            b.isub();
        }
        b.i2l().lstore(code.value);
        writeRegister(i.a);
        b.labelBinding(zero);
    }

    // ---- Products ----

    private void multiply(Instruction i, Place place) {
        if (i.b.kind() != Kind.NONE) {
            truncated(i, place);
            return;
        }
        int size = i.a.size();
        boolean signed = i.op == Op.IMUL;
        read(i, i.a, place);
        b.lload(code.value).lstore(code.y);
        b.lload(code.gpr[Cpu.RAX]).lstore(code.x);
        if (size == 8) {
            b.lload(code.x).lload(code.y);
            b.invokestatic(
                    MATH, signed ? "multiplyHigh" : "unsignedMultiplyHigh", Code.type(CD_long, CD_long, CD_long));
            b.lstore(code.z);
            b.lload(code.x).lload(code.y).lmul().lstore(code.gpr[Cpu.RAX]);
            b.lload(code.z).lstore(code.gpr[Cpu.RDX]);
            b.lload(code.z);
            if (signed) {
                b.lload(code.gpr[Cpu.RAX]).bipush(63).lshr().lxor();
            }
        } else {
            extended(code.x, signed);
            extended(code.y, signed);
            b.lmul().lstore(code.z);
            b.lload(code.z);
            code.zeroExtend(4).store(code.gpr[Cpu.RAX]);
            b.lload(code.z).bipush(32).lushr().lstore(code.gpr[Cpu.RDX]);
            b.lload(code.z);
            if (signed) {
                b.lload(code.z).l2i().i2l().lxor();
            } else {
                b.bipush(32).lushr();
            }
        }
        b.invokestatic(Code.FLAGS, "overflow", Code.type(CD_long, CD_long)).lstore(code.fb);
        b.lload(code.gpr[Cpu.RAX]).lstore(code.value);
        rawResult(size);
    }

    private void extended(int local, boolean signed) {
        b.lload(local);
        if (signed) {
            code.signExtend(4);
        } else {
            code.zeroExtend(4);
        }
    }

    /** IMUL with two or three operands. */
    private void truncated(Instruction i, Place place) {
        int size = i.a.size();
        boolean three = i.c.kind() != Kind.NONE;
        read(i, i.b, place);
        b.lload(code.value);
        code.signExtend(size).store(code.x);
        read(i, three ? i.c : i.a, place);
        b.lload(code.value);
        code.signExtend(size).store(code.y);
        b.lload(code.x).lload(code.y).lmul().lstore(code.value);
        b.lload(code.x).lload(code.y).loadConstant(64 - size * 8);
        b.invokestatic(Code.FLAGS, "productAux", Code.type(CD_long, CD_long, CD_long, CD_int))
                .lstore(code.fb);
        rawResult(size);
        writeRegister(i.a);
    }

    // ---- The stack ----

    private void push(Instruction i, Place place) {
        read(i, i.a, place);
        pushValue(place);
    }

    /** Pushes {@link Code#value}. */
    void pushValue(Place place) {
        memory.at(Cpu.RSP, -8);
        memory.store(8, place);
        b.lload(code.address).lstore(code.gpr[Cpu.RSP]);
    }

    /** Loads the top of the stack to {@link Code#value}, but leaves it there. */
    void peek(Place place) {
        memory.at(Cpu.RSP, 0);
        memory.load(8, place);
    }

    void drop() {
        b.lload(code.gpr[Cpu.RSP]).loadConstant(8L).ladd().lstore(code.gpr[Cpu.RSP]);
    }

    private void pop(Place place) {
        peek(place);
        drop();
    }

    private void leave(Place place) {
        memory.at(Cpu.RBP, 0);
        memory.load(8, place);
        b.lload(code.gpr[Cpu.RBP]).loadConstant(8L).ladd().lstore(code.gpr[Cpu.RSP]);
        b.lload(code.value).lstore(code.gpr[Cpu.RBP]);
    }

    /** The target of an indirect jump, to {@link Code#value}. */
    void readTarget(Instruction i, Place place) {
        read(i, i.a, place);
    }
}
