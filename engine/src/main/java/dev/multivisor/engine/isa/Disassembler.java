package dev.multivisor.engine.isa;

import java.util.Locale;

/** Writes instructions in Intel's syntax, much as {@code objdump -M intel} does. For reports and traces. */
public final class Disassembler {
    private static final String[] CONDITIONS = {
        "o", "no", "b", "ae", "e", "ne", "be", "a", "s", "ns", "p", "np", "l", "ge", "le", "g"
    };
    private static final String[] COMPARISONS = {"eq", "lt", "le", "unord", "neq", "nlt", "nle", "ord"};
    private static final String[] FCMOV = {"b", "e", "be", "u", "nb", "ne", "nbe", "nu"};
    private static final String[] LEGACY = {"ax", "cx", "dx", "bx", "sp", "bp", "si", "di"};
    private static final String[] LOW = {"al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil"};
    private static final String[] HIGH = {"ah", "ch", "dh", "bh"};
    private static final String[] SEGMENTS = {"es", "cs", "ss", "ds", "fs", "gs", "?", "?"};

    private Disassembler() {}

    /** The instruction as text; addresses of branches are relative to {@code address}, where it stands. */
    public static String text(Instruction i, long address) {
        StringBuilder out = new StringBuilder();
        if (i.has(Instruction.LOCK)) {
            out.append("lock ");
        }
        if (i.form.has(Form.Attribute.STRING)) {
            out.append(i.has(Instruction.REP) ? i.form.writes().isEmpty() ? "rep " : "repz " : "");
            out.append(i.has(Instruction.REPNE) ? "repnz " : "");
        }
        String mnemonic = mnemonic(i);
        out.append(mnemonic);
        String separator = " ";
        Operand[] operands = {i.a, i.b, i.c};
        for (Operand operand : operands) {
            boolean hidden = operand.kind() == Operand.Kind.NONE
                    || isComparison(i.op) && operand.kind() == Operand.Kind.IMMEDIATE && (i.immediate & 0xff) < 8;
            if (!hidden) {
                out.append(separator);
                operand(out, i, operand, address);
                separator = ",";
            }
        }
        if (i.base == Instruction.RIP) {
            out.append("        # 0x").append(Long.toHexString(address + i.displacement));
        }
        return out.toString();
    }

    /** The mnemonic alone, without prefixes. */
    public static String mnemonic(Instruction i) {
        int size = i.operandSize;
        return switch (i.op) {
            case JCC -> "j" + CONDITIONS[i.condition];
            case SETCC -> "set" + CONDITIONS[i.condition];
            case CMOVCC -> "cmov" + CONDITIONS[i.condition];
            case FCMOVCC -> "fcmov" + fcmov(i);
            case MOV_SREG, MOV_CR, MOV_DR -> "mov";
            case MOV -> i.form.encoding().startsWith("B8") && size == 8 || wideOffset(i) ? "movabs" : "mov";
            case CBW -> size == 2 ? "cbw" : size == 4 ? "cwde" : "cdqe";
            case CWD -> size == 2 ? "cwd" : size == 4 ? "cdq" : "cqo";
            case JMP_FAR -> "jmp far";
            case CALL_FAR -> "call far";
            case RET_FAR -> size == 8 ? "retfq" : "retf";
            case JCXZ -> i.addressSize == 2 ? "jcxz" : i.addressSize == 4 ? "jecxz" : "jrcxz";
            case IRET -> size == 2 ? "iretw" : size == 4 ? "iret" : "iretq";
            case SYSRET -> size == 8 ? "sysretq" : "sysretd";
            case SYSEXIT -> size == 8 ? "sysexitq" : "sysexitd";
            case MOVS -> "movs";
            case UD -> i.form == InstructionTable.INVALID ? "(bad)" : undefined(i.form.encoding());
            case PREFETCH ->
                i.form.encoding().startsWith("0F 0D")
                        ? "prefetchw"
                        : i.form.encoding().endsWith("/0 mem")
                                ? "prefetchnta"
                                : "prefetcht" + (i.form.encoding().charAt(7) - '1');
            case FXSAVE, FXRSTOR -> lower(i) + (size == 8 ? "64" : "");
            case CMPPS, CMPPD, CMPSS, CMPSD ->
                (i.immediate & 0xff) < 8 ? "cmp" + COMPARISONS[(int) i.immediate] + lower(i).substring(3) : lower(i);
            default -> lower(i);
        };
    }

    private static boolean isComparison(Op op) {
        return op == Op.CMPPS || op == Op.CMPPD || op == Op.CMPSS || op == Op.CMPSD;
    }

    private static boolean wideOffset(Instruction i) {
        return i.addressSize == 8 && i.form.operands().stream().anyMatch(o -> o.charAt(0) == 'O');
    }

    private static String lower(Instruction i) {
        return i.op.name().toLowerCase(Locale.ROOT);
    }

    private static String undefined(String encoding) {
        return encoding.startsWith("0F 0B")
                ? "ud2"
                : encoding.startsWith("0F B9") ? "ud1" : encoding.startsWith("0F FF") ? "ud0" : "(bad)";
    }

    private static String fcmov(Instruction i) {
        String encoding = i.form.encoding();
        int digit = encoding.indexOf('/') >= 0 ? encoding.charAt(encoding.indexOf('/') + 1) - '0' : 0;
        return FCMOV[(encoding.startsWith("DB") ? 4 : 0) + (digit & 3)];
    }

    private static void operand(StringBuilder out, Instruction i, Operand o, long address) {
        switch (o.kind()) {
            case GPR -> out.append(register(o.register(), o.size()));
            case HIGH -> out.append(HIGH[o.register()]);
            case SEGMENT -> out.append(SEGMENTS[o.register()]);
            case CONTROL -> out.append("cr").append(o.register());
            case DEBUG -> out.append("db").append(o.register());
            case XMM -> out.append("xmm").append(o.register());
            case MMX -> out.append("mm").append(o.register());
            case ST -> {
                out.append("st");
                if (i.a.kind() != Operand.Kind.ST || o.register() != 0) {
                    out.append('(').append(o.register()).append(')');
                }
            }
            case IMMEDIATE -> {
                int wide = Math.max(o.size(), immediateSize(i));
                out.append("0x").append(Long.toHexString(i.immediate & -1L >>> 64 - wide * 8));
            }
            case IMMEDIATE2 -> out.append("0x").append(Integer.toHexString(i.immediate2));
            case RELATIVE -> {
                long target = address + i.length + i.immediate;
                out.append("0x").append(Long.toHexString(i.operandSize == 8 ? target : target & mask(i.operandSize)));
            }
            case FAR ->
                out.append("0x")
                        .append(Integer.toHexString(i.immediate2))
                        .append(":0x")
                        .append(Long.toHexString(i.immediate));
            case STRING -> {
                pointer(out, o.size());
                out.append(o.register() == 7 ? "es" : SEGMENTS[i.segment == Instruction.FLAT ? 3 : i.segment])
                        .append(":[")
                        .append(register(o.register(), i.addressSize))
                        .append(']');
            }
            case MEMORY -> memory(out, i, o);
            default -> out.append('?');
        }
    }

    /** The size that an immediate is shown in: that of the operand it goes with. */
    private static int immediateSize(Instruction i) {
        return i.a.kind() == Operand.Kind.GPR || i.a.kind() == Operand.Kind.MEMORY || i.a.kind() == Operand.Kind.HIGH
                ? i.a.size() == 0 || i.a.size() > 8 ? 1 : i.a.size()
                : i.op == Op.PUSH ? i.operandSize : 1;
    }

    private static long mask(int size) {
        return -1L >>> 64 - size * 8;
    }

    private static void pointer(StringBuilder out, int size) {
        out.append(
                switch (size) {
                    case 1 -> "BYTE PTR ";
                    case 2 -> "WORD PTR ";
                    case 4 -> "DWORD PTR ";
                    case 6 -> "FWORD PTR ";
                    case 8 -> "QWORD PTR ";
                    case 10 -> "TBYTE PTR ";
                    case 16 -> "XMMWORD PTR ";
                    default -> "";
                });
    }

    private static void memory(StringBuilder out, Instruction i, Operand o) {
        pointer(out, o.size());
        boolean absolute = i.base == Instruction.ZERO && i.index == Instruction.ZERO;
        int usual = i.base == 4 || i.base == 5 ? Instruction.SS : Instruction.DS;
        if (i.segment != Instruction.FLAT && (i.segment != usual || absolute)) {
            out.append(SEGMENTS[i.segment]).append(':');
        } else if (absolute) {
            out.append("ds:");
        }
        if (absolute) {
            out.append("0x").append(Long.toHexString(i.displacement & mask(i.addressSize)));
            return;
        }
        out.append('[');
        String plus = "";
        if (i.base != Instruction.ZERO) {
            String pointer = i.addressSize == 8 ? "rip" : "eip";
            out.append(i.base == Instruction.RIP ? pointer : register(i.base, i.addressSize));
            plus = "+";
        }
        if (i.index != Instruction.ZERO) {
            out.append(plus).append(register(i.index, i.addressSize));
            if (i.addressSize != 2) {
                out.append('*').append(1 << i.scale);
            }
        }
        long displacement = i.base == Instruction.RIP ? i.displacement - i.length : i.displacement;
        if (displacement != 0) {
            out.append(displacement < 0 ? "-0x" : "+0x").append(Long.toHexString(Math.abs(displacement)));
        }
        out.append(']');
    }

    /** The name of a general register for a size in bytes. */
    public static String register(int number, int size) {
        if (number >= 8) {
            return "r" + number + (size == 8 ? "" : size == 4 ? "d" : size == 2 ? "w" : "b");
        }
        return switch (size) {
            case 8 -> "r" + LEGACY[number];
            case 4 -> "e" + LEGACY[number];
            case 2 -> LEGACY[number];
            default -> LOW[number];
        };
    }
}
