package dev.multivisor.engine.cpu;

import dev.multivisor.engine.isa.Decoder;
import dev.multivisor.engine.isa.Form;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/**
 * A random program that writes to some pages of memory in every way, and a model that says which bytes it writes where
 * and in which order. What the model cannot work out (an FXSAVE image, a number of the x87 unit, the address of the next
 * instruction) the program or its assembler writes elsewhere too. Addresses are absolute, below 2 GiB.
 */
final class WritingProgram {
    /** Where it writes: some pages, of which some are tracked. */
    static final long START = TestCpu.DATA;

    static final int PAGES = 6, SIZE = PAGES * 4096;

    /** A copy of what the model does not know, by slots of 512 bytes, and the source of strings. */
    static final long COPIES = START + 0x40000, SOURCE = START + 0x80000;

    /** Where the addresses of the writing instructions stand, as an offset in the program. */
    static final int TABLE = 0x40000;

    /**
     * Where the addresses of what follows them stand, 16 bytes each: of 8 bytes for a near call, and from the ninth
     * byte on for a far one.
     */
    static final int FOLLOWERS = 0x48000;

    /** A byte written: by which instruction, where, and what; or from which place among the copies. */
    record Change(int instruction, long address, int value, long copy) {}

    final Random random;
    private final IntegerWrites integers = new IntegerWrites(this);
    private final OtherWrites others = new OtherWrites(this);
    private final StringBuilder text = new StringBuilder();
    private final List<Change> changes = new ArrayList<>();
    private final byte[] model = new byte[SIZE];
    private final byte[] source;
    private int instructions;
    private int copies;

    WritingProgram(long seed, byte[] source) {
        random = new Random(seed);
        this.source = source;
        text.append("cld\nfninit\n");
    }

    String text(int length) {
        while (instructions < length) {
            write();
        }
        text.append("hlt\n.org ").append(TABLE).append("\n");
        for (int n = 0; n < instructions; n++) {
            text.append(".quad w").append(n).append("\n");
        }
        text.append(".org ").append(FOLLOWERS).append("\n");
        for (int n = 0; n < instructions; n++) {
            text.append(".quad f" + n + "\n.long f" + n + ", 8\n");
        }
        return text.toString();
    }

    List<Change> changes() {
        return changes;
    }

    /** The forms of the writing instructions of an assembled program. */
    List<Form> forms(byte[] program) {
        Decoder decoder = new Decoder();
        List<Form> forms = new ArrayList<>();
        for (int n = 0; n < instructions; n++) {
            int at = 0;
            for (int b = 0; b < 4; b++) {
                at |= (program[TABLE + 8 * n + b] & 0xff) << b * 8;
            }
            forms.add(decoder.decode(program, at - (int) TestCpu.CODE, program.length, 64).form);
        }
        return forms;
    }

    private void write() {
        if (random.nextBoolean()) {
            integers.write();
        } else {
            others.write();
        }
    }

    // ---- What an instruction looks like, and what it does ----

    long place(int size, int alignment) {
        // Ends of pages are what is interesting.
        int near = random.nextInt(PAGES - 1) * 4096 + 4096 - random.nextInt(24);
        int at = random.nextBoolean() ? near : random.nextInt(SIZE - 600);
        return START + (Math.min(at, SIZE - size) & -alignment);
    }

    /** The operand at an address, said in one of several ways; R8 and R9 may be loaded for it. */
    String at(long address) {
        int kind = random.nextInt(4);
        if (kind > 1) {
            return "0x" + Long.toHexString(address);
        }
        int displacement = random.nextBoolean() ? random.nextInt(256) - 128 : random.nextInt();
        int index = kind == 0 ? 0 : random.nextInt(2000) - 1000;
        load("r8", address - displacement - 4L * index);
        load("r9", index);
        return displacement + (kind == 0 ? "(%r8)" : "(%r8,%r9,4)");
    }

    /** What precedes a writing instruction. */
    void prepare(String code) {
        text.append(code).append("\n");
    }

    /** A writing instruction. Whatever changes follow are its own. */
    void instruction(String code) {
        text.append("w").append(instructions).append(": ").append(code).append("\n");
        text.append("f").append(instructions++).append(":\n");
    }

    /** The number of the next writing instruction. */
    int next() {
        return instructions;
    }

    /** What is given by its bytes because an assembler would choose another form: an absolute address. */
    static String raw(int size, String opcode, int register, long address, String immediate) {
        return ".byte " + (size == 2 ? "0x66, " : size == 8 ? "0x48, " : "") + opcode + ", " + (4 | register << 3)
                + ", 0x25; .long " + address + (immediate.isEmpty() ? "" : "; .byte " + immediate);
    }

    void load(String register, long value) {
        text.append("movabsq $").append(value).append(", %").append(register).append("\n");
    }

    void change(long address, int size, long value) {
        for (int n = 0; n < size; n++) {
            changeByte(address + n, (int) (value >>> n * 8) & 0xff);
        }
    }

    void changeByte(long address, int value) {
        model[(int) (address - START)] = (byte) value;
        changes.add(new Change(instructions - 1, address, value, 0));
    }

    /** Bytes that the model does not know, but that stand somewhere else too. They must be forgotten. */
    void changeAs(long address, int size, long copy) {
        for (int n = 0; n < size; n++) {
            changes.add(new Change(instructions - 1, address + n, -1, copy + n));
        }
    }

    /** Writes over what the model does not know, so that nothing rests on it. */
    void forget(long address, int size) {
        load("rdi", address);
        load("rcx", size);
        load("rax", 0);
        instruction("rep stosb");
        for (int n = 0; n < size; n++) {
            changeByte(address + n, 0);
        }
    }

    /** A place for a copy. */
    long copy() {
        return COPIES + 512L * copies++;
    }

    long held(long address, int size) {
        long value = 0;
        for (int n = 0; n < size; n++) {
            value |= (model[(int) (address - START) + n] & 0xffL) << n * 8;
        }
        return value;
    }

    /** What stands at the source of strings. */
    long sourced(long address, int size) {
        long value = 0;
        for (int n = 0; n < size; n++) {
            value |= (source[(int) (address - SOURCE) + n] & 0xffL) << n * 8;
        }
        return value;
    }

    static String suffix(int size) {
        return switch (size) {
            case 1 -> "b";
            case 2 -> "w";
            case 4 -> "l";
            default -> "q";
        };
    }

    static String register(int size) {
        return switch (size) {
            case 1 -> "%bl";
            case 2 -> "%bx";
            case 4 -> "%ebx";
            default -> "%rbx";
        };
    }
}
