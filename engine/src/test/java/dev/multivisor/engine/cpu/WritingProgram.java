package dev.multivisor.engine.cpu;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/**
 * A random program that writes to some pages of memory in every way, and a model that says which bytes it writes where
 * and in which order. What the model cannot work out (an FXSAVE image, a number of the x87 unit) the program writes
 * elsewhere first. Addresses are absolute, below 2 GiB.
 */
final class WritingProgram {
    /** Where it writes: some pages, of which some are tracked. */
    static final long START = TestCpu.DATA;

    static final int PAGES = 6, SIZE = PAGES * 4096;

    /** A copy of what the model does not know, by slots of 512 bytes, and the source of strings. */
    static final long COPIES = START + 0x40000, SOURCE = START + 0x80000;

    /** Where the addresses of the writing instructions stand, as an offset in the program. */
    static final int TABLE = 0x10000;

    /** A byte written: by which instruction, where, and what; or from which place among the copies. */
    record Change(int instruction, long address, int value, long copy) {}

    private final Random random;
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
        return text.toString();
    }

    List<Change> changes() {
        return changes;
    }

    int instructions() {
        return instructions;
    }

    private void write() {
        int size = 1 << random.nextInt(4);
        switch (random.nextInt(16)) {
            case 0 -> store(size);
            case 1 -> modify(size, random.nextBoolean() ? "" : "lock ");
            case 2 -> exchange(size);
            case 3 -> compareAndExchange(size, true);
            case 4 -> compareAndExchange(size, false);
            case 5 -> wide(true);
            case 6 -> wide(false);
            case 7, 8 -> string(size);
            case 9 -> vector();
            case 10 -> masked();
            case 11 -> image();
            case 12 -> extended();
            case 13 -> push();
            case 14 -> bit();
            default -> setOrConvert();
        }
    }

    // ---- What an instruction looks like, and what it does ----

    private long place(int size, int alignment) {
        // Ends of pages are what is interesting.
        int near = random.nextInt(PAGES - 1) * 4096 + 4096 - random.nextInt(24);
        int at = random.nextBoolean() ? near : random.nextInt(SIZE - 600);
        return START + (Math.min(at, SIZE - size) & -alignment);
    }

    private void instruction(String code) {
        text.append("w").append(instructions++).append(": ").append(code).append("\n");
    }

    private void load(String register, long value) {
        text.append("movabsq $").append(value).append(", %").append(register).append("\n");
    }

    private void change(long address, int size, long value) {
        for (int n = 0; n < size; n++) {
            changeByte(address + n, (int) (value >>> n * 8) & 0xff);
        }
    }

    private void changeByte(long address, int value) {
        model[(int) (address - START)] = (byte) value;
        changes.add(new Change(instructions - 1, address, value, 0));
    }

    private long held(long address, int size) {
        long value = 0;
        for (int n = 0; n < size; n++) {
            value |= (model[(int) (address - START) + n] & 0xffL) << n * 8;
        }
        return value;
    }

    private static String suffix(int size) {
        return switch (size) {
            case 1 -> "b";
            case 2 -> "w";
            case 4 -> "l";
            default -> "q";
        };
    }

    private static String register(int size) {
        return switch (size) {
            case 1 -> "%bl";
            case 2 -> "%bx";
            case 4 -> "%ebx";
            default -> "%rbx";
        };
    }

    private void store(int size) {
        long value = random.nextLong();
        long address = place(size, 1);
        load("rbx", value);
        boolean direct = size >= 4 && random.nextInt(3) == 0;
        instruction((direct ? "movnti " : "mov ") + register(size) + ", " + address);
        change(address, size, value);
    }

    private void modify(int size, String lock) {
        long value = random.nextLong();
        long address = place(size, 1);
        load("rbx", value);
        String[] names = {"add", "or", "and", "xor", "sub", "inc", "neg", "not"};
        int operation = random.nextInt(names.length);
        long old = held(address, size);
        instruction(lock + names[operation] + suffix(size) + (operation < 5 ? " " + register(size) + "," : "") + " "
                + address);
        change(
                address,
                size,
                switch (operation) {
                    case 0 -> old + value;
                    case 1 -> old | value;
                    case 2 -> old & value;
                    case 3 -> old ^ value;
                    case 4 -> old - value;
                    case 5 -> old + 1;
                    case 6 -> -old;
                    default -> ~old;
                });
    }

    private void exchange(int size) {
        long value = random.nextLong();
        long address = place(size, 1);
        load("rbx", value);
        long old = held(address, size);
        int kind = random.nextInt(3);
        instruction((kind == 0 ? "xchg" : kind == 1 ? "xadd" : "lock xadd") + suffix(size) + " " + register(size) + ", "
                + address);
        change(address, size, kind == 0 ? value : old + value);
    }

    /** Without LOCK, one that fails stores what was there; with it, nothing. */
    private void compareAndExchange(int size, boolean equal) {
        long value = random.nextLong();
        long address = place(size, 1);
        long old = held(address, size);
        boolean locked = random.nextBoolean();
        load("rax", equal ? old : ~old);
        load("rbx", value);
        instruction((locked ? "lock " : "") + "cmpxchg" + suffix(size) + " " + register(size) + ", " + address);
        if (equal || !locked) {
            change(address, size, equal ? value : old);
        }
    }

    /** CMPXCHG8B and CMPXCHG16B. */
    private void wide(boolean equal) {
        int size = random.nextBoolean() ? 16 : 8;
        long address = place(size, size);
        long low = random.nextLong();
        long high = random.nextLong();
        int half = size / 2;
        load("rax", equal ? held(address, half) : ~held(address, half));
        load("rdx", held(address + half, half));
        load("rbx", low);
        load("rcx", high);
        instruction("lock cmpxchg" + size + "b " + address);
        if (equal) {
            change(address, half, low);
            change(address + half, half, high);
        }
    }

    private void string(int size) {
        boolean down = random.nextInt(4) == 0;
        boolean copies = random.nextBoolean();
        int count = 1 + random.nextInt(70);
        long address = place(count * size, 1);
        long value = random.nextLong();
        long from = SOURCE + random.nextInt(1000);
        long last = down ? (count - 1) * size : 0;
        load("rdi", address + last);
        load("rsi", from + last);
        load("rcx", count);
        load("rax", value);
        text.append(down ? "std\n" : "cld\n");
        instruction("rep " + (copies ? "movs" : "stos") + suffix(size));
        text.append("cld\n");
        for (int n = 0; n < count; n++) {
            int element = (down ? count - 1 - n : n) * size;
            for (int b = 0; b < size; b++) {
                int stored =
                        copies ? source[(int) (from - SOURCE) + element + b] & 0xff : (int) (value >>> b * 8) & 0xff;
                changeByte(address + element + b, stored);
            }
        }
    }

    private void vector() {
        long low = random.nextLong();
        long high = random.nextLong();
        load("rbx", low);
        load("rcx", high);
        text.append("movq %rbx, %xmm1\nmovq %rcx, %xmm2\npunpcklqdq %xmm2, %xmm1\n");
        String[] names = {"movaps", "movups", "movdqu", "movntdq", "movss", "movsd", "movhps", "movq", "movd"};
        int kind = random.nextInt(names.length);
        int size = kind < 4 ? 16 : kind == 4 || kind == 8 ? 4 : 8;
        long address = place(size, kind == 0 || kind == 3 ? 16 : 1);
        instruction(names[kind] + " %xmm1, " + address);
        change(address, Math.min(size, 8), kind == 6 ? high : low);
        if (size == 16) {
            change(address + 8, 8, high);
        }
    }

    private void masked() {
        long mask = random.nextLong();
        long value = random.nextLong();
        long address = place(16, 1);
        load("rbx", value);
        load("rcx", mask);
        load("rdi", address);
        text.append("movq %rbx, %xmm1\nmovq %rcx, %xmm2\n");
        instruction("maskmovdqu %xmm2, %xmm1");
        for (int n = 0; n < 8; n++) {
            if ((mask >>> n * 8 & 0x80) != 0) {
                changeByte(address + n, (int) (value >>> n * 8) & 0xff);
            }
        }
    }

    private void copied(String code, long address, int... runs) {
        long copy = COPIES + 512L * copies++;
        text.append(code).append(" ").append(copy).append("\n");
        instruction(code + " " + address);
        for (int n = 0; n < runs.length; n += 2) {
            for (int b = runs[n]; b < runs[n + 1]; b++) {
                changes.add(new Change(instructions - 1, address + b, -1, copy + b));
            }
        }
        // The model does not know it: it is written over, so that nothing rests on it.
        load("rdi", address);
        load("rcx", runs[runs.length - 1]);
        load("rax", 0);
        instruction("rep stosb");
        change(address, 0, 0);
        for (int n = 0; n < runs[runs.length - 1]; n++) {
            changeByte(address + n, 0);
        }
    }

    private void image() {
        copied("fxsave64", place(512, 16), 0, 24, 24, 32, 32, 416);
    }

    private void extended() {
        text.append("fldpi\n");
        long copy = COPIES + 512L * copies;
        text.append("fld %st(0)\n");
        copied("fstpt", place(10, 1), 0, 10);
        text.append("fninit\n");
        assert copy != 0;
    }

    private void push() {
        long value = random.nextLong();
        long address = place(8, 1);
        load("rbx", value);
        load("rsp", address + 8);
        instruction("push %rbx");
        change(address, 8, value);
    }

    private void bit() {
        int index = random.nextInt(400) - 200;
        long address = START + 4096 + random.nextInt(SIZE - 8192);
        load("rbx", index);
        boolean locked = random.nextBoolean();
        instruction((locked ? "lock " : "") + "btcl %ebx, " + address);
        long word = address + (index >> 5) * 4L;
        change(word, 4, held(word, 4) ^ 1L << (index & 31));
    }

    private void setOrConvert() {
        if (random.nextBoolean()) {
            long address = place(1, 1);
            text.append("cmp %eax, %eax\n");
            instruction("sete " + address);
            change(address, 1, 1);
        } else {
            long address = place(2, 1);
            instruction("fnstcw " + address);
            change(address, 2, 0x37f);
        }
    }
}
