package dev.multivisor.engine.cpu;

import static dev.multivisor.engine.cpu.WritingProgram.FOLLOWERS;
import static dev.multivisor.engine.cpu.WritingProgram.SOURCE;
import static dev.multivisor.engine.cpu.WritingProgram.raw;
import static dev.multivisor.engine.cpu.WritingProgram.suffix;

/** Strings, the stack, vectors, the x87 unit and system registers, as a {@link WritingProgram} writes them. */
final class OtherWrites {
    /** What a store of a vector register looks like: its name, its size and alignment, whether it is the high half. */
    private record Vector(String name, int size, int alignment, boolean high) {
        Vector(String name, int size) {
            this(name, size, 1, false);
        }
    }

    private static final Vector[] VECTORS = {
        new Vector("movups", 16),
        new Vector("movupd", 16),
        new Vector("movdqu", 16),
        new Vector("movaps", 16, 16, false),
        new Vector("movapd", 16, 16, false),
        new Vector("movdqa", 16, 16, false),
        new Vector("movntps", 16, 16, false),
        new Vector("movntpd", 16, 16, false),
        new Vector("movntdq", 16, 16, false),
        new Vector("movss", 4),
        new Vector("movsd", 8),
        new Vector("movlps", 8),
        new Vector("movlpd", 8),
        new Vector("movhps", 8, 1, true),
        new Vector("movhpd", 8, 1, true),
        new Vector("movq", 8),
        new Vector("movd", 4)
    };

    private static final String[] NUMBERS = {"fldpi", "fldl2t", "fldl2e", "fldlg2", "fldln2", "fld1", "fldz"};

    /** Stores of a number: the name, and the size in bytes. */
    private static final String[] NUMBER_STORES = {
        "fsts 4",
        "fstps 4",
        "fstl 8",
        "fstpl 8",
        "fstpt 10",
        "fists 2",
        "fistl 4",
        "fistps 2",
        "fistpl 4",
        "fistpll 8",
        "fisttps 2",
        "fisttpl 4",
        "fisttpll 8",
        "fbstp 10"
    };

    private static final String[] SYSTEM_STORES = {
        "sgdt 10", "sidt 10", "sldt 2", "str 2", "smsw 2", "stmxcsr 4", "fnstsw 2", "fnstcw 2"
    };

    private final WritingProgram program;

    OtherWrites(WritingProgram program) {
        this.program = program;
    }

    void write() {
        switch (program.random.nextInt(13)) {
            case 0, 1 -> string(1 << program.random.nextInt(4));
            case 2, 3 -> vector();
            case 4 -> element();
            case 5 -> mmx();
            case 6 -> masked();
            case 7 -> push();
            case 8 -> pushAddress();
            case 9 -> popOrFlags();
            case 10 -> enter();
            case 11 -> number();
            default -> image();
        }
    }

    private void string(int size) {
        boolean down = program.random.nextInt(4) == 0;
        int kind = program.random.nextInt(5);
        boolean copies = kind < 2;
        boolean ports = kind == 4 && size < 8;
        int count = program.random.nextInt(5) == 0 ? 1 : 1 + program.random.nextInt(70);
        long address = program.place(count * size, 1);
        long value = ports ? -1 : program.random.nextLong();
        long from = SOURCE + program.random.nextInt(1000);
        long last = down ? (count - 1) * size : 0;
        program.load("rdi", address + last);
        program.load("rsi", from + last);
        program.load("rcx", count);
        program.load("rax", value);
        program.load("rdx", 0x80);
        program.prepare(down ? "std" : "cld");
        program.instruction((count == 1 ? "" : "rep ") + (copies ? "movs" : ports ? "ins" : "stos") + suffix(size));
        program.prepare("cld");
        for (int n = 0; n < count; n++) {
            int element = (down ? count - 1 - n : n) * size;
            program.change(address + element, size, copies ? program.sourced(from + element, size) : value);
        }
    }

    // ---- Vectors ----

    private void vectorRegister(long low, long high, String register) {
        program.load("rbx", low);
        program.load("rcx", high);
        program.prepare("movq %rbx, %" + register + "\nmovq %rcx, %xmm7\npunpcklqdq %xmm7, %" + register);
    }

    private void vector() {
        long low = program.random.nextLong();
        long high = program.random.nextLong();
        Vector form = VECTORS[program.random.nextInt(VECTORS.length)];
        long address = program.place(form.size, form.alignment);
        String at = program.at(address);
        vectorRegister(low, high, "xmm1");
        if (form.name.equals("movq") && program.random.nextBoolean()) {
            program.instruction(raw(0, "0x66, 0x48, 0x0f, 0x7e", 1, address, ""));
        } else {
            program.instruction(form.name + " %xmm1, " + at);
        }
        program.change(address, Math.min(form.size, 8), form.high ? high : low);
        if (form.size == 16) {
            program.change(address + 8, 8, high);
        }
    }

    /** PEXTRB, PEXTRW, PEXTRD, PEXTRQ and EXTRACTPS. */
    private void element() {
        long low = program.random.nextLong();
        long high = program.random.nextLong();
        int size = 1 << program.random.nextInt(4);
        int number = program.random.nextInt(16 / size);
        long address = program.place(size, 1);
        String at = program.at(address);
        vectorRegister(low, high, "xmm1");
        String name = size == 1 ? "pextrb" : size == 2 ? "pextrw" : size == 8 ? "pextrq" : "pextrd";
        program.instruction(
                (size == 4 && program.random.nextBoolean() ? "extractps" : name) + " $" + number + ", %xmm1, " + at);
        int shift = number * size * 8;
        program.change(address, size, (shift < 64 ? low : high) >>> shift);
    }

    private void mmx() {
        long value = program.random.nextLong();
        program.load("rbx", value);
        program.prepare("movq %rbx, %mm1");
        int kind = program.random.nextInt(4);
        int size = kind == 0 ? 4 : 8;
        long address = program.place(size, 1);
        String at = program.at(address);
        program.instruction(
                switch (kind) {
                    case 0 -> "movd %mm1, " + at;
                    case 1 -> "movq %mm1, " + at;
                    case 2 -> "movntq %mm1, " + at;
                    default -> raw(8, "0x0f, 0x7e", 1, address, "");
                });
        program.prepare("emms");
        program.change(address, size, value);
    }

    private void masked() {
        boolean wide = program.random.nextBoolean();
        long[] masks = {program.random.nextLong(), wide ? program.random.nextLong() : 0};
        long[] values = {program.random.nextLong(), program.random.nextLong()};
        long address = program.place(16, 1);
        vectorRegister(values[0], values[1], "xmm1");
        vectorRegister(masks[0], masks[1], "xmm2");
        program.prepare("movdq2q %xmm1, %mm1\nmovdq2q %xmm2, %mm2");
        program.load("rdi", address);
        program.instruction(wide ? "maskmovdqu %xmm2, %xmm1" : "maskmovq %mm2, %mm1");
        program.prepare("emms");
        for (int n = 0; n < 16; n++) {
            int shift = (n & 7) * 8;
            if ((masks[n >>> 3] >>> shift & 0x80) != 0) {
                program.changeByte(address + n, (int) (values[n >>> 3] >>> shift) & 0xff);
            }
        }
    }

    // ---- The stack ----

    private void push() {
        int size = program.random.nextInt(4) == 0 ? 2 : 8;
        long address = program.place(size, 1);
        long from = SOURCE + program.random.nextInt(1000);
        long value = program.random.nextLong();
        int immediate = program.random.nextInt(2000) - 1000;
        String at = program.at(from);
        program.load("rbx", value);
        program.load("rsp", address + size);
        switch (program.random.nextInt(6)) {
            case 0 -> program.instruction("push" + suffix(size) + (size == 2 ? " %bx" : " %rbx"));
            case 1 -> {
                program.instruction("push" + suffix(size) + " $" + immediate);
                value = immediate;
            }
            case 2 -> {
                program.instruction("push" + suffix(size) + " $" + immediate / 10);
                value = immediate / 10;
            }
            case 3 -> {
                program.instruction("push" + suffix(size) + " " + at);
                value = program.sourced(from, size);
            }
            case 4 -> {
                program.instruction("push" + suffix(size) + " %fs");
                value = 0;
            }
            default -> {
                program.instruction("push" + suffix(size) + " %gs");
                value = 0;
            }
        }
        program.change(address, size, value);
    }

    /** Calls of what follows; the far one pushes 4 bytes each of CS and EIP. */
    private void pushAddress() {
        long address = program.place(8, 1);
        int number = program.next();
        long follower = TestCpu.CODE + FOLLOWERS + 16L * number;
        String at = program.at(follower);
        program.load("rsp", address + 8);
        switch (program.random.nextInt(3)) {
            case 0 -> program.instruction("call f" + number);
            case 1 -> program.instruction("call *" + at);
            default -> {
                program.instruction("lcall *" + (follower + 8));
                program.change(address + 4, 4, 8);
                program.changeAs(address, 4, follower);
                program.forget(address, 8);
                return;
            }
        }
        program.changeAs(address, 8, follower);
        program.forget(address, 8);
    }

    private void popOrFlags() {
        int size = program.random.nextInt(4) == 0 ? 2 : 8;
        long address = program.place(size, 1);
        String at = program.at(address);
        switch (program.random.nextInt(3)) {
            case 0 -> {
                long from = SOURCE + program.random.nextInt(1000);
                program.load("rsp", from);
                program.instruction("pop" + suffix(size) + " " + at);
                program.change(address, size, program.sourced(from, size));
            }
            case 1 -> {
                program.load("rsp", address + size);
                program.prepare("cmp %eax, %eax");
                program.instruction("pushf" + suffix(size));
                program.change(address, size, Cpu.ZF | Cpu.PF | 2);
            }
            default -> {
                boolean code = program.random.nextBoolean();
                program.instruction("movw " + (code ? "%cs" : "%ss") + ", " + at);
                program.change(address, 2, code ? 8 : 16);
            }
        }
    }

    private void enter() {
        int level = program.random.nextInt(6);
        long address = program.place(8 * (level + 1), 1);
        long top = address + 8 * level;
        long frame = SOURCE + 100 + program.random.nextInt(1000);
        program.load("rbp", frame);
        program.load("rsp", top + 8);
        program.instruction("enter $" + program.random.nextInt(100) + ", $" + level);
        program.change(top, 8, frame);
        for (int n = 1; n < level; n++) {
            program.change(top - 8 * n, 8, program.sourced(frame - 8 * n, 8));
        }
        if (level > 0) {
            program.change(address, 8, top);
        }
    }

    // ---- What the model cannot work out ----

    /** The same instruction twice, first to a copy. Before each, the same is done. */
    private void copied(String before, String code, long address, int... runs) {
        long copy = program.copy();
        int end = runs[runs.length - 1];
        program.prepare(before + code + " " + copy);
        String at = program.at(address);
        program.prepare(before);
        program.instruction(code + " " + at);
        for (int n = 0; n < runs.length; n += 2) {
            program.changeAs(address + runs[n], runs[n + 1] - runs[n], copy + runs[n]);
        }
        program.forget(address, end);
    }

    private String numbers() {
        String first = NUMBERS[program.random.nextInt(NUMBERS.length)];
        return "fninit\n" + first + "\n" + (program.random.nextBoolean() ? "fchs\n" : "");
    }

    private void number() {
        if (program.random.nextInt(3) == 0) {
            String[] store = SYSTEM_STORES[program.random.nextInt(SYSTEM_STORES.length)].split(" ");
            int size = Integer.parseInt(store[1]);
            copied("", store[0], program.place(size, 1), 0, size);
        } else {
            String[] store = NUMBER_STORES[program.random.nextInt(NUMBER_STORES.length)].split(" ");
            int size = Integer.parseInt(store[1]);
            copied(numbers(), store[0], program.place(size, 1), 0, size);
        }
    }

    /** The environment or state of the x87 unit; FNSAVE initializes it, so it is loaded again in between. */
    private void image() {
        program.prepare(numbers());
        boolean small = program.random.nextInt(4) == 0;
        String prefix = small ? ".byte 0x66; " : "";
        switch (program.random.nextInt(4)) {
            case 0 -> copied("", "fxsave64", program.place(512, 16), 0, 24, 24, 32, 32, 416);
            case 1 -> copied("", "fxsave", program.place(512, 16), 0, 416);
            case 2 -> copied("", prefix + "fnstenv", program.place(28, 1), 0, small ? 14 : 28);
            default -> {
                int size = small ? 94 : 108;
                long address = program.place(size, 1);
                long copy = program.copy();
                program.prepare(prefix + "fnsave " + copy + "\n" + prefix + "frstor " + copy);
                String at = program.at(address);
                program.instruction(prefix + "fnsave " + at);
                program.changeAs(address, size, copy);
                program.forget(address, size);
            }
        }
    }
}
