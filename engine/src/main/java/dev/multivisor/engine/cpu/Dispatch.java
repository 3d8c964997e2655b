package dev.multivisor.engine.cpu;

import dev.multivisor.engine.cpu.fpu.FpuInstructions;
import dev.multivisor.engine.cpu.sse.QuickArithmetic;
import dev.multivisor.engine.cpu.sse.Scalar;
import dev.multivisor.engine.cpu.sse.SseInstructions;
import dev.multivisor.engine.isa.Form;
import dev.multivisor.engine.isa.Form.Attribute;
import dev.multivisor.engine.isa.Instruction;
import dev.multivisor.engine.isa.InstructionTable;
import dev.multivisor.engine.isa.Op;
import java.lang.invoke.MethodHandles;

/** The way to the handlers of all forms: the checks that a form's attributes ask for, then its group's handler. */
public final class Dispatch {
    private static final int INTEGER = 0,
            TRANSFER = 1,
            CONTROL = 2,
            STRING = 3,
            SYSTEM = 4,
            SEGMENT = 5,
            FAR = 6,
            SSE_GROUP = 7,
            FPU = 8,
            NONE = 9;

    /** Bits of {@link #CHECKS}: something of what the attributes ask for. */
    private static final int PRIVILEGED = 1,
            PROTECTED = 2,
            X87 = 4,
            MMX = 8,
            SSE = 16,
            SHA = 32,
            WAIT = 64,
            LENGTH = 128;

    private static final byte[] GROUPS = new byte[Op.values().length];
    private static final byte[] CHECKS =
            new byte[InstructionTable.STANDARD.forms().size()];

    static {
        // A call of a class that is not there yet would make HotSpot give up the interpreter's loop, or the code of a
        // region, and compile it again.
        try {
            MethodHandles.lookup().ensureInitialized(FpuInstructions.class);
            MethodHandles.lookup().ensureInitialized(SseInstructions.class);
            MethodHandles.lookup().ensureInitialized(QuickArithmetic.class);
            MethodHandles.lookup().ensureInitialized(Scalar.class);
        } catch (IllegalAccessException e) {
            throw new AssertionError(e);
        }
        for (Op op : Op.values()) {
            GROUPS[op.ordinal()] = (byte) group(op);
        }
        for (Form form : InstructionTable.STANDARD.forms()) {
            CHECKS[form.index()] = (byte) checks(form);
        }
    }

    private Dispatch() {}

    private static int group(Op op) {
        return switch (op) {
            case ADD,
                    OR,
                    ADC,
                    SBB,
                    AND,
                    SUB,
                    XOR,
                    CMP,
                    TEST,
                    INC,
                    DEC,
                    NOT,
                    NEG,
                    MUL,
                    IMUL,
                    DIV,
                    IDIV,
                    ROL,
                    ROR,
                    RCL,
                    RCR,
                    SHL,
                    SHR,
                    SAR,
                    SHLD,
                    SHRD,
                    BT,
                    BTS,
                    BTR,
                    BTC,
                    BSF,
                    BSR,
                    POPCNT,
                    XCHG,
                    XADD,
                    CMPXCHG,
                    CMPXCHG8B,
                    CMPXCHG16B,
                    CRC32,
                    LAHF,
                    SAHF,
                    DAA,
                    DAS,
                    AAA,
                    AAS,
                    AAM,
                    AAD,
                    SALC,
                    CLC,
                    STC,
                    CMC,
                    CLD,
                    STD -> INTEGER;
            case MOV,
                    MOVZX,
                    MOVSX,
                    MOVSXD,
                    LEA,
                    MOVBE,
                    BSWAP,
                    PUSH,
                    POP,
                    PUSHA,
                    POPA,
                    PUSHF,
                    POPF,
                    CBW,
                    CWD,
                    XLAT,
                    ENTER,
                    LEAVE,
                    BOUND,
                    SETCC,
                    CMOVCC,
                    NOP,
                    PAUSE,
                    UD,
                    MOVNTI -> TRANSFER;
            case JMP, CALL, RET, JCC, JCXZ, LOOP, LOOPE, LOOPNE -> CONTROL;
            case MOVS, CMPS, STOS, LODS, SCAS, INS, OUTS -> STRING;
            case FXSAVE, FXRSTOR, LDMXCSR, STMXCSR -> SSE_GROUP;
            default -> {
                if (SystemInstructions.OPS.contains(op)) {
                    yield SYSTEM;
                } else if (SegmentInstructions.OPS.contains(op)) {
                    yield SEGMENT;
                } else if (FarInstructions.OPS.contains(op)) {
                    yield FAR;
                }
                if (op.compareTo(Op.F2XM1) >= 0 && op.compareTo(Op.FWAIT) <= 0) {
                    yield FPU;
                }
                yield op.compareTo(Op.EMMS) >= 0 ? SSE_GROUP : NONE;
            }
        };
    }

    private static int checks(Form form) {
        if (form == InstructionTable.TOO_LONG) {
            return LENGTH;
        }
        return (form.has(Attribute.PRIVILEGED) ? PRIVILEGED : 0)
                | (form.has(Attribute.PROTECTED) ? PROTECTED : 0)
                | (form.has(Attribute.X87) ? X87 : 0)
                | (form.has(Attribute.MMX) ? MMX : 0)
                | (form.has(Attribute.SSE) ? SSE : 0)
                | (form.has(Attribute.SHA) ? SHA : 0)
                | (form.has(Attribute.X87) && !form.has(Attribute.NOWAIT) || form.has(Attribute.MMX) ? WAIT : 0);
    }

    /** Executes an instruction. RIP is at it; forms that end a block set RIP, for others the caller does. */
    public static void execute(Cpu cpu, Instruction i) {
        int checks = CHECKS[i.form.index()] & 0xff;
        if (checks != 0) {
            check(cpu, i, checks);
        }
        switch (GROUPS[i.op.ordinal()]) {
            case INTEGER -> IntegerInstructions.execute(cpu, i);
            case TRANSFER -> TransferInstructions.execute(cpu, i);
            case CONTROL -> ControlInstructions.execute(cpu, i);
            case STRING -> StringInstructions.execute(cpu, i);
            case SYSTEM -> SystemInstructions.execute(cpu, i);
            case SEGMENT -> SegmentInstructions.execute(cpu, i);
            case FAR -> FarInstructions.execute(cpu, i);
            case SSE_GROUP -> SseInstructions.execute(cpu, i);
            case FPU -> FpuInstructions.execute(cpu, i);
            default -> throw cpu.fault(CpuFault.UD);
        }
    }

    private static void check(Cpu cpu, Instruction i, int checks) {
        if (checks == SSE && (cpu.cr0 & (Cpu.CR0_EM | Cpu.CR0_TS)) == 0 && (cpu.cr4 & Cpu.CR4_OSFXSR) != 0) {
            return;
        }
        if ((checks & LENGTH) != 0) {
            throw cpu.fault(CpuFault.GP);
        }
        if ((checks & SHA) != 0 && !cpu.model.sha()) {
            throw cpu.fault(CpuFault.UD);
        }
        if ((checks & PROTECTED) != 0 && (!cpu.protectedMode() || cpu.virtual8086())) {
            throw cpu.fault(CpuFault.UD);
        }
        if ((checks & PRIVILEGED) != 0 && cpu.cpl != 0) {
            throw cpu.fault(CpuFault.GP);
        }
        if ((checks & (X87 | MMX | SSE)) != 0) {
            available(cpu, i, checks);
        }
    }

    /** Intel SDM vol. 3, table 13-1, and vol. 1, 8.7. */
    private static void available(Cpu cpu, Instruction i, int checks) {
        boolean emulated = (cpu.cr0 & Cpu.CR0_EM) != 0;
        boolean switched = (cpu.cr0 & Cpu.CR0_TS) != 0;
        if ((checks & SSE) != 0 && (emulated || (cpu.cr4 & Cpu.CR4_OSFXSR) == 0)) {
            throw cpu.fault(CpuFault.UD);
        }
        if ((checks & MMX) != 0 && emulated) {
            throw cpu.fault(CpuFault.UD);
        }
        if (i.op == Op.FWAIT) {
            switched &= (cpu.cr0 & Cpu.CR0_MP) != 0;
            emulated = false;
        }
        if (switched || (checks & X87) != 0 && emulated) {
            throw cpu.fault(CpuFault.NM);
        }
        // ES: an unmasked x87 exception is pending.
        if ((checks & WAIT) != 0 && (cpu.fpuStatus & 0x80) != 0) {
            throw cpu.fault(CpuFault.MF);
        }
    }
}
