package dev.multivisor.engine.differential;

import dev.multivisor.engine.isa.Decoder;
import dev.multivisor.engine.isa.Form;
import dev.multivisor.engine.isa.Form.Attribute;
import dev.multivisor.engine.isa.Instruction;
import dev.multivisor.engine.isa.Op;
import java.util.Arrays;

/** Makes encodings of one form: the words of the table's row, put together anew for each instruction. */
final class Template {
    private final Form form;
    /** Mandatory prefix byte; 0 for NP, -1 for none demanded. */
    private int mandatory = -1;

    private int rexW = -1;
    private final byte[] opcode = new byte[3];
    private int opcodeLength;
    private int widened = 1;
    private boolean hasModRm;
    private int digit = -1;
    private int exact = -1;
    private boolean memoryOnly;
    private boolean registerOnly;
    private int immediate;
    private boolean offset;
    private boolean string;
    private boolean near;

    // Of the encoding that was made last.
    /** Where the displacement stands in the code, and its bytes; -1 if there is none. */
    int displacementAt;

    int displacementSize;
    Instruction instruction;

    Template(Form form) {
        this.form = form;
        for (String word : form.encoding().split(" ")) {
            word(word);
        }
        for (String operand : form.operands()) {
            char type = operand.charAt(0);
            memoryOnly |= type == 'M' && hasModRm;
            registerOnly |= (type == 'R' || type == 'U' || type == 'N') && hasModRm;
            immediate += type == 'I' || type == 'J' || type == 'A' ? 1 : 0;
            offset |= type == 'O';
        }
        string = form.has(Attribute.STRING);
        near = switch (form.op()) {
            case JMP, CALL, RET, JCC, JCXZ, LOOP, LOOPE, LOOPNE -> true;
            default -> false;
        };
    }

    private void word(String word) {
        switch (word) {
            case "NP" -> mandatory = 0;
            case "W0" -> rexW = 0;
            case "W1" -> rexW = 1;
            case "mem" -> memoryOnly = true;
            case "reg" -> registerOnly = true;
            case "/r" -> hasModRm = true;
            default -> {
                if (word.charAt(0) == '/') {
                    hasModRm = true;
                    digit = word.charAt(1) - '0';
                } else if (word.charAt(0) == '=') {
                    hasModRm = true;
                    exact = Integer.parseInt(word.substring(1), 16);
                } else {
                    int value = Integer.parseInt(word.substring(0, 2), 16);
                    widened = word.endsWith("+r") ? 8 : word.endsWith("+cc") ? 16 : 1;
                    boolean prefix = value == 0x66 || value == 0xf2 || value == 0xf3;
                    if (prefix && opcodeLength == 0) {
                        mandatory = value;
                    } else {
                        opcode[opcodeLength++] = (byte) value;
                    }
                }
            }
        }
    }

    /** One encoding, or null if the dice gave none of this form. */
    byte[] encode(Values v, Decoder decoder, int mode) {
        byte[] code = new byte[32];
        int n = prefixes(v, code, mode);
        for (int b = 0; b < opcodeLength; b++) {
            code[n++] = opcode[b];
        }
        if (widened > 1) {
            int first = code[n - 1] & 0xff;
            int span = widened - (first & widened - 1);
            code[n - 1] += (byte) v.below(span);
        }
        displacementAt = -1;
        displacementSize = 0;
        int at = n;
        if (hasModRm) {
            int modRm = exact >= 0 ? exact : v.below(256);
            if (digit >= 0) {
                modRm = modRm & 0xc7 | digit << 3;
            }
            if (exact < 0 && registerOnly) {
                modRm |= 0xc0;
            } else if (exact < 0 && memoryOnly) {
                modRm = modRm & 0x3f | v.below(3) << 6;
            }
            code[n++] = (byte) modRm;
        }
        for (int b = n; b < code.length; b++) {
            code[b] = (byte) v.bits();
        }
        immediates(v, code, n);
        instruction = decoder.decode(code, 0, code.length, mode);
        if (instruction.form != form) {
            return null;
        }
        locate(code, at);
        if (form.op() == Op.ENTER) {
            code[instruction.length - 1] = (byte) (v.chance(70) ? v.below(4) : v.below(64));
            instruction = decoder.decode(code, 0, code.length, mode);
        }
        return Arrays.copyOf(code, instruction.length);
    }

    private int prefixes(Values v, byte[] code, int mode) {
        int n = 0;
        boolean memory = hasModRm && !registerOnly || offset;
        if (v.chance(memory || string || near ? mode == 16 ? 30 : 8 : 1) && !(mode == 32 && memory && !v.chance(10))) {
            code[n++] = 0x67;
        }
        if ((memory || string) && v.chance(6)) {
            code[n++] = new byte[] {0x26, 0x2e, 0x36, 0x3e}[v.below(4)];
        }
        if (mode == 64 && (memory || string) && v.chance(6)) {
            code[n++] = 0x65;
        }
        // Processors of AMD and Intel differ in what 66 means for near branches and MOVSXD; it makes BSWAP undefined.
        boolean sized = mandatory == -1 && !(near && mode == 64) && form.op() != Op.BSWAP && form.op() != Op.MOVSXD;
        if (sized && v.chance(25) || mandatory >= 0xf2 && v.chance(10)) {
            code[n++] = 0x66;
        }
        if (form.has(Attribute.LOCK) && v.chance(15) || v.chance(1)) {
            code[n++] = (byte) 0xf0;
        }
        if (string && v.chance(60)) {
            code[n++] = (byte) (v.chance(50) ? 0xf2 : 0xf3);
        }
        if (mandatory > 0) {
            code[n++] = (byte) mandatory;
        }
        if (mode == 64) {
            int rex = v.chance(50) ? 0x40 | v.below(16) : 0;
            if (rexW == 1) {
                rex |= 0x48;
            } else if (rexW == 0) {
                rex &= ~8;
            }
            if (rex != 0) {
                code[n++] = (byte) rex;
            }
        }
        return n;
    }

    /** Immediates are biased where they may stand: behind ModRM without a displacement. */
    private void immediates(Values v, byte[] code, int n) {
        if (immediate > 0 && v.chance(60)) {
            long value = v.chance(50) ? v.below(80) : v.integer();
            for (int b = 0; b < 8; b++) {
                code[n + b] = (byte) (value >>> b * 8);
            }
        }
    }

    /** Finds the displacement by the rules of ModRM and SIB. */
    private void locate(byte[] code, int at) {
        if (offset) {
            displacementAt = at;
            displacementSize = instruction.addressSize;
            return;
        }
        int modRm = code[at] & 0xff;
        if (!hasModRm || modRm >= 0xc0) {
            return;
        }
        int mod = modRm >>> 6;
        if (instruction.addressSize == 2) {
            displacementAt = at + 1;
            displacementSize = mod == 0 && (modRm & 7) == 6 ? 2 : mod;
            return;
        }
        boolean sib = (modRm & 7) == 4;
        int base = sib ? code[at + 1] & 7 : modRm & 7;
        displacementAt = at + (sib ? 2 : 1);
        displacementSize = mod == 1 ? 1 : mod == 2 || base == 5 ? 4 : 0;
    }
}
