package dev.multivisor.engine.isa;

import dev.multivisor.engine.isa.Encoding.Argument;
import dev.multivisor.engine.isa.Encoding.Source;

/**
 * Decodes instructions (Intel SDM, volume 2, chapter 2). Not safe for several threads: each has one of its own.
 *
 * <p>An encoding that is invalid becomes an instruction {@link Op#UD} of the form {@link InstructionTable#INVALID},
 * with the bytes that were needed to tell as its length. One of more than 15 bytes is {@link #TOO_LONG}.
 */
public final class Decoder {
    /** The bytes ended before the instruction did: fetch more and decode again. */
    public static final Instruction INCOMPLETE = special(InstructionTable.INCOMPLETE, 0);

    /** More than 15 bytes: #GP(0). */
    public static final Instruction TOO_LONG = special(InstructionTable.TOO_LONG, 15);

    /** The longest instruction, in bytes. */
    public static final int MAX_LENGTH = 15;

    private static final int POOL = 1 << 15;

    private static final int REX_B = 1, REX_X = 2, REX_R = 4, REX_W = 8;

    /** What a byte means before the opcode: 0 nothing, else one of these. */
    private static final int P_SEGMENT = 1, P_OPERAND = 2, P_ADDRESS = 3, P_LOCK = 4, P_REPNE = 5, P_REP = 6, P_REX = 7;

    private static final byte[] PREFIX = new byte[256];
    private static final Operand[] OPERANDS = new Operand[Operand.Kind.values().length << 9];

    // Base and index of the 16-bit addressing forms (SDM vol. 2, table 2-1).
    private static final int[] BASE16 = {3, 3, 5, 5, 6, 7, 5, 3};
    private static final int[] INDEX16 = {6, 7, 6, 7, 16, 16, 16, 16};

    static {
        for (int b : new int[] {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65}) {
            PREFIX[b] = P_SEGMENT;
        }
        PREFIX[0x66] = P_OPERAND;
        PREFIX[0x67] = P_ADDRESS;
        PREFIX[0xf0] = P_LOCK;
        PREFIX[0xf2] = P_REPNE;
        PREFIX[0xf3] = P_REP;
        for (int b = 0x40; b < 0x50; b++) {
            PREFIX[b] = P_REX;
        }
    }

    private final Encoding[][] lookup;
    private final Instruction.Builder out = new Instruction.Builder();

    /** What was decoded last, by a hash of its bytes, for most instructions are found in many places; null if not kept. */
    private Instruction[] pool;

    private byte[] code;
    private int start;
    private int position;
    private int end;
    private int limit;
    private boolean exhausted;

    private boolean mode64;
    private int rex;
    private int segmentOverride;
    private int modRm;
    private boolean stack;

    /** A decoder of the standard table. */
    public Decoder() {
        this(InstructionTable.STANDARD);
    }

    Decoder(InstructionTable table) {
        lookup = table.lookup;
    }

    /** A decoder that mostly returns the same object for the same bytes: for instructions that are kept. */
    public static Decoder pooling() {
        Decoder decoder = new Decoder();
        decoder.pool = new Instruction[POOL];
        return decoder;
    }

    private static Instruction special(Form form, int length) {
        Instruction.Builder builder = new Instruction.Builder();
        builder.form = form;
        builder.length = length;
        return new Instruction(builder);
    }

    /**
     * Decodes one instruction.
     *
     * @param bytes holds its bytes
     * @param offset where it starts
     * @param limit where the bytes end
     * @param codeSize 16, 32 or 64
     * @return the instruction, or {@link #INCOMPLETE} if it goes on after the limit
     */
    public Instruction decode(byte[] bytes, int offset, int limit, int codeSize) {
        this.code = bytes;
        this.start = offset;
        this.position = offset;
        this.limit = limit;
        this.end = Math.min(limit, offset + MAX_LENGTH);
        this.exhausted = false;
        this.mode64 = codeSize == 64;
        int opcode = prefixes();
        int map = 0;
        if (opcode == 0x0f) {
            opcode = next();
            map = 1;
            if (opcode == 0x38 || opcode == 0x3a) {
                map = opcode == 0x38 ? 2 : 3;
                opcode = next();
            }
        }
        if (exhausted) {
            return shortOfBytes();
        }
        int prefixes = out.prefixes;
        int mandatory = (prefixes & Instruction.REP) != 0
                ? Encoding.PREFIX_F3
                : (prefixes & Instruction.REPNE) != 0
                        ? Encoding.PREFIX_F2
                        : (prefixes & Instruction.OPERAND_SIZE) != 0 ? Encoding.PREFIX_66 : Encoding.NO_PREFIX;
        int key = InstructionTable.key(mode64, map, mandatory, opcode);
        if (opcode == 0x90 && map == 0 && (rex & REX_B) != 0) {
            key |= 1; // 90 is NOP for rAX only: with REX.B it is XCHG R8,rAX, as 91 is with other registers.
        }
        Encoding[] node = lookup[key];
        if (node == null) {
            return invalid();
        }
        Encoding encoding = node[0];
        if (node.length > 1) {
            modRm = next();
            encoding = node.length == InstructionTable.BY_FIELDS
                    ? node[(rex & REX_W) << 1 | (modRm >= 0xc0 ? 8 : 0) | modRm >>> 3 & 7]
                    : node[(rex & REX_W) << 5 | modRm];
            if (exhausted) {
                return shortOfBytes();
            }
            if (encoding == null) {
                return invalid();
            }
        } else if (encoding.hasModRm) {
            modRm = next();
        }
        return finish(encoding, opcode, codeSize);
    }

    /** Reads prefixes; returns the first byte after them. */
    private int prefixes() {
        int found = 0;
        int segment = -1;
        int lastRex = 0;
        int b;
        while (true) {
            b = next();
            int kind = PREFIX[b];
            if (kind == 0 || kind == P_REX && !mode64) {
                break;
            }
            if (kind == P_REX) {
                lastRex = b;
                continue;
            }
            lastRex = 0;
            switch (kind) {
                case P_SEGMENT -> {
                    int number = b >= 0x64 ? b - 0x60 : b >>> 3 & 3;
                    if (!mode64 || number >= Instruction.FS) {
                        segment = number;
                    }
                }
                case P_OPERAND -> found |= Instruction.OPERAND_SIZE;
                case P_ADDRESS -> found |= Instruction.ADDRESS_SIZE;
                case P_LOCK -> found |= Instruction.LOCK;
                case P_REPNE -> found = found & ~Instruction.REP | Instruction.REPNE;
                default -> found = found & ~Instruction.REPNE | Instruction.REP;
            }
        }
        if ((lastRex & REX_W) != 0) {
            found |= Instruction.REX_W;
        }
        out.prefixes = found;
        rex = lastRex;
        segmentOverride = segment;
        return b;
    }

    private Instruction finish(Encoding encoding, int opcode, int codeSize) {
        Instruction.Builder o = out;
        int prefixes = o.prefixes;
        boolean size66 = (prefixes & Instruction.OPERAND_SIZE) != 0;
        boolean size67 = (prefixes & Instruction.ADDRESS_SIZE) != 0;
        if (mode64) {
            o.addressSize = size67 ? 4 : 8;
            o.operandSize = (rex & REX_W) != 0 ? 8 : size66 && !encoding.fixedSize ? 2 : encoding.wide ? 8 : 4;
        } else {
            o.addressSize = codeSize == 32 ^ size67 ? 4 : 2;
            o.operandSize = codeSize == 32 ^ size66 ? 4 : 2;
        }
        o.form = encoding.form;
        o.condition = opcode & 15;
        o.base = Instruction.ZERO;
        o.index = Instruction.ZERO;
        o.scale = 0;
        o.displacement = 0;
        o.immediate = 0;
        o.immediate2 = 0;
        stack = false;
        if (encoding.hasModRm && modRm < 0xc0 && !encoding.ignoresMod) {
            if (o.addressSize == 2) {
                address16();
            } else {
                address();
            }
        }
        o.segment = segmentOverride >= 0
                ? segmentOverride
                : mode64 ? Instruction.FLAT : stack ? Instruction.SS : Instruction.DS;
        o.stack = stack && segmentOverride < 0;
        Argument[] arguments = encoding.arguments;
        int count = arguments.length;
        o.a = count > 0 ? operand(encoding, arguments[0], opcode) : Operand.NONE;
        o.b = count > 1 ? operand(encoding, arguments[1], opcode) : Operand.NONE;
        o.c = count > 2 ? operand(encoding, arguments[2], opcode) : Operand.NONE;
        if (exhausted) {
            return shortOfBytes();
        }
        if ((prefixes & Instruction.LOCK) != 0 && (!encoding.lockable || o.a.kind() != Operand.Kind.MEMORY)) {
            return invalid();
        }
        o.length = position - start;
        if (o.base == Instruction.RIP) {
            o.displacement += o.length;
        }
        return pool == null ? new Instruction(o) : pooled(o, codeSize);
    }

    private Instruction pooled(Instruction.Builder o, int codeSize) {
        int hash = codeSize;
        for (int n = start; n < position; n++) {
            hash = 31 * hash + code[n];
        }
        int slot = (hash ^ hash >>> 16) & POOL - 1;
        Instruction known = pool[slot];
        if (known == null || !known.matches(o)) {
            known = new Instruction(o);
            pool[slot] = known;
        }
        return known;
    }

    private void address16() {
        int mod = modRm >>> 6;
        int rm = modRm & 7;
        if (mod == 0 && rm == 6) {
            out.displacement = signed(2);
            return;
        }
        out.base = BASE16[rm];
        out.index = INDEX16[rm];
        stack = out.base == 5;
        out.displacement = mod == 0 ? 0 : signed(mod);
    }

    private void address() {
        int mod = modRm >>> 6;
        int rm = modRm & 7;
        if (rm == 4) {
            int sib = next();
            int number = sib >>> 3 & 7 | (rex & REX_X) << 2;
            if (number != 4) {
                out.index = number;
                out.scale = sib >>> 6;
            }
            rm = sib & 7;
            if (rm == 5 && mod == 0) {
                out.displacement = signed(4);
                return;
            }
        } else if (rm == 5 && mod == 0) {
            out.base = mode64 ? Instruction.RIP : Instruction.ZERO;
            out.displacement = signed(4);
            return;
        }
        out.base = rm | (rex & REX_B) << 3;
        stack = out.base == 4 || out.base == 5;
        out.displacement = mod == 0 ? 0 : signed(mod == 1 ? 1 : 4);
    }

    private Operand operand(Encoding encoding, Argument argument, int opcode) {
        Instruction.Builder o = out;
        int size = Encoding.size(argument.size(), o.operandSize, mode64);
        int reg = modRm >>> 3 & 7;
        return switch (argument.source()) {
            case RM_GPR, RM_MEMORY ->
                modRm < 0xc0 && !encoding.ignoresMod
                        ? of(Operand.Kind.MEMORY, 0, size)
                        : general(modRm & 7 | (rex & REX_B) << 3, size);
            case RM_XMM ->
                modRm < 0xc0
                        ? of(Operand.Kind.MEMORY, 0, size)
                        : of(Operand.Kind.XMM, modRm & 7 | (rex & REX_B) << 3, size);
            case RM_MMX -> modRm < 0xc0 ? of(Operand.Kind.MEMORY, 0, size) : of(Operand.Kind.MMX, modRm & 7, size);
            case RM_ST -> of(Operand.Kind.ST, modRm & 7, size);
            case REG_GPR -> general(reg | (rex & REX_R) << 1, size);
            case REG_XMM -> of(Operand.Kind.XMM, reg | (rex & REX_R) << 1, size);
            case REG_MMX -> of(Operand.Kind.MMX, reg, size);
            case REG_SEGMENT -> of(Operand.Kind.SEGMENT, reg, size);
            case REG_CONTROL -> of(Operand.Kind.CONTROL, reg | (rex & REX_R) << 1, size);
            case REG_DEBUG -> of(Operand.Kind.DEBUG, reg | (rex & REX_R) << 1, size);
            case OPCODE_GPR -> general(opcode & 7 | (rex & REX_B) << 3, size);
            case IMMEDIATE -> immediate(argument == encoding.arguments[0] || !hasImmediateFirst(encoding), size);
            case RELATIVE -> {
                // In 64-bit mode the displacement of a near branch is never wider than 32 bits.
                int bytes = argument.size() == 1 ? 1 : Math.min(size, 4);
                o.immediate = signed(bytes);
                yield of(Operand.Kind.RELATIVE, 0, bytes);
            }
            case FAR -> {
                int bytes = o.operandSize;
                o.immediate = signed(bytes) & -1L >>> 64 - bytes * 8;
                o.immediate2 = (int) signed(2) & 0xffff;
                yield of(Operand.Kind.FAR, 0, size);
            }
            case OFFSET -> {
                int bytes = o.addressSize;
                o.displacement = bytes == 8 ? signed(8) : signed(bytes) & -1L >>> 64 - bytes * 8;
                yield of(Operand.Kind.MEMORY, 0, size);
            }
            case STRING_SOURCE -> of(Operand.Kind.STRING, 6, size);
            case STRING_TARGET -> of(Operand.Kind.STRING, 7, size);
            case FIXED_GPR -> of(Operand.Kind.GPR, argument.number(), size);
            case FIXED_SEGMENT -> of(Operand.Kind.SEGMENT, argument.number(), size);
            case FIXED_ST -> of(Operand.Kind.ST, argument.number(), size);
            case FIXED_XMM -> of(Operand.Kind.XMM, argument.number(), size);
            case CONSTANT -> {
                o.immediate = argument.number();
                yield of(Operand.Kind.IMMEDIATE, 0, size);
            }
        };
    }

    private static boolean hasImmediateFirst(Encoding encoding) {
        return encoding.arguments[0].source() == Source.IMMEDIATE;
    }

    private Operand immediate(boolean first, int size) {
        if (first) {
            out.immediate = signed(size);
            return of(Operand.Kind.IMMEDIATE, 0, size);
        }
        out.immediate2 = (int) signed(size) & (int) (-1L >>> 64 - size * 8);
        return of(Operand.Kind.IMMEDIATE2, 0, size);
    }

    /** A general register; bytes 4 to 7 without any REX are AH, CH, DH and BH. */
    private Operand general(int number, int size) {
        return size == 1 && rex == 0 && number >= 4
                ? of(Operand.Kind.HIGH, number - 4, 1)
                : of(Operand.Kind.GPR, number, size);
    }

    /** A shared operand object. */
    private static Operand of(Operand.Kind kind, int register, int size) {
        int slot = kind.ordinal() << 9 | register << 5 | size;
        Operand operand = OPERANDS[slot];
        if (operand == null) {
            operand = new Operand(kind, register, size);
            OPERANDS[slot] = operand;
        }
        return operand;
    }

    private Instruction shortOfBytes() {
        return limit - start >= MAX_LENGTH ? TOO_LONG : INCOMPLETE;
    }

    private Instruction invalid() {
        Instruction.Builder o = out;
        o.form = InstructionTable.INVALID;
        o.length = position - start;
        o.a = Operand.NONE;
        o.b = Operand.NONE;
        o.c = Operand.NONE;
        o.base = Instruction.ZERO;
        o.index = Instruction.ZERO;
        return new Instruction(o);
    }

    private int next() {
        if (position >= end) {
            exhausted = true;
            return 0;
        }
        return code[position++] & 0xff;
    }

    /** A little-endian number of 1, 2, 4 or 8 bytes. */
    private long signed(int bytes) {
        if (position + bytes > end) {
            exhausted = true;
            return 0;
        }
        int p = position;
        position = p + bytes;
        byte[] from = code;
        return switch (bytes) {
            case 1 -> from[p];
            case 2 -> (short) (from[p] & 0xff | from[p + 1] << 8);
            case 4 -> word(from, p);
            default -> word(from, p) & 0xffffffffL | (long) word(from, p + 4) << 32;
        };
    }

    private static int word(byte[] from, int p) {
        return from[p] & 0xff | (from[p + 1] & 0xff) << 8 | (from[p + 2] & 0xff) << 16 | from[p + 3] << 24;
    }
}
