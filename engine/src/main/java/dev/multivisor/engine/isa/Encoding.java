package dev.multivisor.engine.isa;

import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/** A row of the instruction table, taken apart for the decoder: what must match, and how operands are encoded. */
final class Encoding {
    /** Mandatory prefixes; {@link #ANY_PREFIX} leaves 66 to mean the operand size and F2/F3 to mean repetition. */
    static final int NO_PREFIX = 0, PREFIX_66 = 1, PREFIX_F3 = 2, PREFIX_F2 = 3, ANY_PREFIX = -1;

    /** Restrictions of ModRM.mod. */
    static final int ANY_MOD = 0, MEMORY_ONLY = 1, REGISTER_ONLY = 2;

    /** How the opcode byte is widened: not, by a register, by a condition. */
    static final int PLAIN = 1, PLUS_REGISTER = 8, PLUS_CONDITION = 16;

    /** Where an operand comes from. */
    enum Source {
        /** ModRM.rm: a register or memory, or either. */
        RM_GPR,
        RM_MEMORY,
        RM_XMM,
        RM_MMX,
        RM_ST,
        /** ModRM.reg. */
        REG_GPR,
        REG_XMM,
        REG_MMX,
        REG_SEGMENT,
        REG_CONTROL,
        REG_DEBUG,
        /** The opcode's low three bits. */
        OPCODE_GPR,
        IMMEDIATE,
        RELATIVE,
        FAR,
        OFFSET,
        STRING_SOURCE,
        STRING_TARGET,
        /** A register that the opcode implies. */
        FIXED_GPR,
        FIXED_SEGMENT,
        FIXED_ST,
        FIXED_XMM,
        /** A constant immediate. */
        CONSTANT
    }

    /** Sizes that depend on the operand size are negative. */
    static final int SIZE_V = -1, SIZE_Z = -2, SIZE_Y = -3, SIZE_A = -4, SIZE_P = -5, SIZE_S = -6;

    /**
     * How one operand is encoded.
     *
     * @param source where it comes from
     * @param size in bytes, or one of the sizes above
     * @param number the register or constant of a fixed operand
     */
    record Argument(Source source, int size, int number) {}

    private static final Argument[] NO_ARGUMENTS = {};

    final Form form;
    final Argument[] arguments;
    final int map;
    final int opcode;
    final int prefix;
    /** REX.W: 0, 1, or -1 for either. */
    final int w;
    /** ModRM.reg, or -1. */
    final int digit;
    /** The whole ModRM byte, or -1. */
    final int exact;

    final int mod;
    final int width;
    final boolean hasModRm;
    /** Has 64-bit operand size in 64-bit mode. */
    final boolean wide;
    /** In 64-bit mode the prefix 66 does not change the operand size. */
    final boolean fixedSize;

    final boolean not64;
    final boolean only64;
    final boolean lockable;
    /** ModRM.mod is ignored: rm is always a register. */
    final boolean ignoresMod;

    Encoding(Form form) {
        this.form = form;
        this.arguments = arguments(form.operands());
        int mapNumber = 0;
        int lastByte = -1;
        int mandatory = ANY_PREFIX;
        int rexW = -1;
        int reg = -1;
        int whole = -1;
        int restriction = ANY_MOD;
        int widened = PLAIN;
        boolean modRm = false;
        for (String token : words(form.encoding())) {
            int plus = token.indexOf('+');
            switch (token) {
                case "NP" -> mandatory = NO_PREFIX;
                case "W0" -> rexW = 0;
                case "W1" -> rexW = 1;
                case "mem" -> restriction = MEMORY_ONLY;
                case "reg" -> restriction = REGISTER_ONLY;
                case "/r" -> modRm = true;
                default -> {
                    if (token.charAt(0) == '/') {
                        modRm = true;
                        reg = token.charAt(1) - '0';
                    } else if (token.charAt(0) == '=') {
                        modRm = true;
                        whole = Integer.parseInt(token, 1, 3, 16);
                    } else {
                        int value = Integer.parseInt(token, 0, plus < 0 ? token.length() : plus, 16);
                        if (plus > 0) {
                            widened = token.endsWith("+r") ? PLUS_REGISTER : PLUS_CONDITION;
                        }
                        if (lastByte < 0 && mapNumber == 0 && mandatory == ANY_PREFIX && isPrefix(value)) {
                            mandatory = value == 0x66 ? PREFIX_66 : value == 0xf3 ? PREFIX_F3 : PREFIX_F2;
                        } else if (mapNumber == 0 && value == 0x0f) {
                            mapNumber = 1;
                        } else if (mapNumber == 1 && lastByte < 0 && (value == 0x38 || value == 0x3a)) {
                            mapNumber = value == 0x38 ? 2 : 3;
                        } else {
                            lastByte = value;
                        }
                    }
                }
            }
        }
        boolean control = false;
        for (Argument argument : arguments) {
            control |= argument.source == Source.REG_CONTROL || argument.source == Source.REG_DEBUG;
        }
        for (String operand : form.operands()) {
            if (restriction == ANY_MOD && modRm && !control) {
                restriction = switch (operand.charAt(0)) {
                    case 'M' -> MEMORY_ONLY;
                    case 'R', 'U', 'N' -> REGISTER_ONLY;
                    default -> ANY_MOD;
                };
            }
        }
        if (lastByte < 0 || !modRm && rexW >= 0) {
            throw new IllegalArgumentException("instruction table: bad encoding \"" + form.encoding() + '"');
        }
        map = mapNumber;
        opcode = lastByte;
        prefix = mandatory;
        w = rexW;
        digit = reg;
        exact = whole;
        mod = restriction;
        width = widened;
        hasModRm = modRm;
        ignoresMod = control;
        wide = form.has(Form.Attribute.WIDE);
        not64 = form.has(Form.Attribute.NOT64);
        only64 = form.has(Form.Attribute.ONLY64);
        lockable = form.has(Form.Attribute.LOCK);
        fixedSize = wide
                && switch (form.op()) {
                    case PUSH, POP, PUSHF, POPF, ENTER, LEAVE -> false;
                    default -> true;
                };
    }

    /** Bytes 66, F2 and F3 open an encoding as mandatory prefixes; no opcode has these values. */
    private static boolean isPrefix(int value) {
        return value == 0x66 || value == 0xf2 || value == 0xf3;
    }

    /** Whether ModRM.mod may be 3, or anything else. */
    boolean allowsMod(boolean register) {
        return mod == ANY_MOD || mod == (register ? REGISTER_ONLY : MEMORY_ONLY);
    }

    /** The more it demands, the higher: of two rows that match, the higher one is meant. */
    int specificity() {
        return (prefix != ANY_PREFIX ? 16 : 0)
                + (exact >= 0 ? 8 : 0)
                + (digit >= 0 ? 4 : 0)
                + (mod != ANY_MOD ? 2 : 0)
                + (w >= 0 ? 1 : 0);
    }

    private static Argument[] arguments(List<String> operands) {
        if (operands.isEmpty()) {
            return NO_ARGUMENTS;
        }
        Argument[] result = new Argument[operands.size()];
        for (int n = 0; n < result.length; n++) {
            result[n] = argument(operands.get(n));
        }
        return result;
    }

    private static Argument argument(String code) {
        return switch (code) {
            case "AL" -> new Argument(Source.FIXED_GPR, 1, 0);
            case "CL" -> new Argument(Source.FIXED_GPR, 1, 1);
            case "AX" -> new Argument(Source.FIXED_GPR, 2, 0);
            case "DX" -> new Argument(Source.FIXED_GPR, 2, 2);
            case "eAX" -> new Argument(Source.FIXED_GPR, SIZE_Z, 0);
            case "rAX" -> new Argument(Source.FIXED_GPR, SIZE_V, 0);
            case "1" -> new Argument(Source.CONSTANT, 1, 1);
            case "3" -> new Argument(Source.CONSTANT, 1, 3);
            case "ES" -> new Argument(Source.FIXED_SEGMENT, 2, Instruction.ES);
            case "CS" -> new Argument(Source.FIXED_SEGMENT, 2, Instruction.CS);
            case "SS" -> new Argument(Source.FIXED_SEGMENT, 2, Instruction.SS);
            case "DS" -> new Argument(Source.FIXED_SEGMENT, 2, Instruction.DS);
            case "FS" -> new Argument(Source.FIXED_SEGMENT, 2, Instruction.FS);
            case "GS" -> new Argument(Source.FIXED_SEGMENT, 2, Instruction.GS);
            case "ST0" -> new Argument(Source.FIXED_ST, 10, 0);
            case "STi" -> new Argument(Source.RM_ST, 10, 0);
            case "XMM0" -> new Argument(Source.FIXED_XMM, 16, 0);
            default -> new Argument(source(code), size(code), 0);
        };
    }

    private static Source source(String code) {
        return switch (code.charAt(0)) {
            case 'E', 'R' -> Source.RM_GPR;
            case 'M' -> Source.RM_MEMORY;
            case 'W', 'U' -> Source.RM_XMM;
            case 'Q', 'N' -> Source.RM_MMX;
            case 'G' -> Source.REG_GPR;
            case 'V' -> Source.REG_XMM;
            case 'P' -> Source.REG_MMX;
            case 'S' -> Source.REG_SEGMENT;
            case 'C' -> Source.REG_CONTROL;
            case 'D' -> Source.REG_DEBUG;
            case 'Z' -> Source.OPCODE_GPR;
            case 'I' -> Source.IMMEDIATE;
            case 'J' -> Source.RELATIVE;
            case 'A' -> Source.FAR;
            case 'O' -> Source.OFFSET;
            case 'X' -> Source.STRING_SOURCE;
            case 'Y' -> Source.STRING_TARGET;
            default -> throw new IllegalArgumentException("instruction table: unknown operand " + code);
        };
    }

    private static int size(String code) {
        return switch (code.substring(1)) {
            case "" -> 0;
            case "b" -> 1;
            case "w" -> 2;
            case "d", "ss", "si" -> 4;
            case "q", "sd", "pi" -> 8;
            case "t" -> 10;
            case "dq", "ps", "pd", "x" -> 16;
            case "v" -> SIZE_V;
            case "z" -> SIZE_Z;
            case "y" -> SIZE_Y;
            case "a" -> SIZE_A;
            case "p" -> SIZE_P;
            case "s" -> SIZE_S;
            default -> throw new IllegalArgumentException("instruction table: unknown type of operand " + code);
        };
    }

    /** An operand's size in bytes for an effective operand size. */
    static int size(int size, int operandSize, boolean mode64) {
        if (size >= 0) {
            return size;
        }
        return switch (size) {
            case SIZE_V -> operandSize;
            case SIZE_Z -> Math.min(operandSize, 4);
            case SIZE_Y -> operandSize == 8 ? 8 : 4;
            case SIZE_A -> operandSize * 2;
            case SIZE_P -> operandSize + 2;
            default -> mode64 ? 10 : 6;
        };
    }

    /** The words of a column. */
    static List<String> words(String column) {
        List<String> result = new ArrayList<>(5);
        int start = 0;
        while (start < column.length()) {
            int end = column.indexOf(' ', start);
            end = end < 0 ? column.length() : end;
            if (end > start) {
                result.add(column.substring(start, end));
            }
            start = end + 1;
        }
        return result;
    }

    /** The attributes among a column's words. */
    static Set<Form.Attribute> attributes(List<String> words) {
        Set<Form.Attribute> result = EnumSet.noneOf(Form.Attribute.class);
        for (String word : words) {
            if (word.indexOf(':') < 0) {
                result.add(Form.Attribute.valueOf(word));
            }
        }
        return result;
    }
}
