package dev.multivisor.engine.cpu;

import static dev.multivisor.engine.cpu.WritingProgram.SIZE;
import static dev.multivisor.engine.cpu.WritingProgram.START;
import static dev.multivisor.engine.cpu.WritingProgram.raw;
import static dev.multivisor.engine.cpu.WritingProgram.register;
import static dev.multivisor.engine.cpu.WritingProgram.suffix;

/** General-purpose instructions of a {@link WritingProgram} that name what they write. */
final class IntegerWrites {
    private final WritingProgram program;

    IntegerWrites(WritingProgram program) {
        this.program = program;
    }

    void write() {
        int size = 1 << program.random.nextInt(4);
        switch (program.random.nextInt(12)) {
            case 0 -> store(size);
            case 1, 2, 3 -> modify(size);
            case 4 -> exchange(size);
            case 5 -> compareAndExchange(size, program.random.nextBoolean());
            case 6 -> wide(program.random.nextBoolean());
            case 7, 8 -> shift(program.random.nextBoolean() ? 1 : size);
            case 9 -> doubleShift(Math.max(size, 2));
            case 10 -> bit(Math.max(size, 2));
            default -> set();
        }
    }

    /** An immediate value as an instruction of some size takes it: of a byte, or of up to four. */
    private long immediate(int size) {
        int value = program.random.nextInt();
        return program.random.nextBoolean() || size == 1 ? (byte) value : size == 2 ? (short) value : value;
    }

    private String lock() {
        return program.random.nextInt(3) == 0 ? "lock " : "";
    }

    private void store(int size) {
        long value = program.random.nextLong();
        long address = program.place(size, 1);
        String at = program.at(address);
        program.load("rbx", value);
        switch (program.random.nextInt(4)) {
            case 0 -> {
                value = immediate(size);
                program.instruction("mov" + suffix(size) + " $" + value + ", " + at);
            }
            case 1 -> {
                program.load("rax", value);
                String accumulator = size == 1 ? "%al" : size == 2 ? "%ax" : size == 4 ? "%eax" : "%rax";
                program.instruction("movabs " + accumulator + ", " + address);
            }
            case 2 -> program.instruction("mov " + register(size) + ", " + at);
            default -> {
                size = Math.max(size, 4);
                address = program.place(size, 1);
                program.instruction("movnti " + register(size) + ", " + address);
            }
        }
        program.change(address, size, value);
    }

    private void modify(int size) {
        long value = program.random.nextLong();
        long address = program.place(size, 1);
        String at = program.at(address);
        program.load("rbx", value);
        String[] names = {"add", "or", "adc", "sbb", "and", "sub", "xor", "inc", "dec", "neg", "not"};
        int operation = program.random.nextInt(names.length);
        String source = " " + register(size) + ",";
        if (operation >= 7) {
            source = "";
        } else if (program.random.nextBoolean()) {
            value = immediate(size);
            source = " $" + value + ",";
        }
        int carry = program.random.nextInt(2);
        program.prepare(carry == 0 ? "clc" : "stc");
        long old = program.held(address, size);
        program.instruction(lock() + names[operation] + suffix(size) + source + " " + at);
        program.change(
                address,
                size,
                switch (operation) {
                    case 0 -> old + value;
                    case 1 -> old | value;
                    case 2 -> old + value + carry;
                    case 3 -> old - value - carry;
                    case 4 -> old & value;
                    case 5 -> old - value;
                    case 6 -> old ^ value;
                    case 7 -> old + 1;
                    case 8 -> old - 1;
                    case 9 -> -old;
                    default -> ~old;
                });
    }

    private void exchange(int size) {
        long value = program.random.nextLong();
        long address = program.place(size, 1);
        String at = program.at(address);
        program.load("rbx", value);
        long old = program.held(address, size);
        int kind = program.random.nextInt(3);
        program.instruction((kind == 0 ? "xchg" : kind == 1 ? "xadd" : "lock xadd") + suffix(size) + " "
                + register(size) + ", " + at);
        program.change(address, size, kind == 0 ? value : old + value);
    }

    /** Without LOCK, one that fails stores what was there; with it, nothing. */
    private void compareAndExchange(int size, boolean equal) {
        long value = program.random.nextLong();
        long address = program.place(size, 1);
        String at = program.at(address);
        long old = program.held(address, size);
        String lock = lock();
        program.load("rax", equal ? old : ~old);
        program.load("rbx", value);
        program.instruction(lock + "cmpxchg" + suffix(size) + " " + register(size) + ", " + at);
        if (equal || lock.isEmpty()) {
            program.change(address, size, equal ? value : old);
        }
    }

    /** CMPXCHG8B and CMPXCHG16B: one that fails stores nothing. */
    private void wide(boolean equal) {
        int size = program.random.nextBoolean() ? 16 : 8;
        long address = program.place(size, size == 16 ? 16 : 1);
        String at = program.at(address);
        long low = program.random.nextLong();
        long high = program.random.nextLong();
        int half = size / 2;
        program.load("rax", equal ? program.held(address, half) : ~program.held(address, half));
        program.load("rdx", program.held(address + half, half));
        program.load("rbx", low);
        program.load("rcx", high);
        program.instruction(lock() + "cmpxchg" + size + "b " + at);
        if (equal) {
            program.change(address, half, low);
            program.change(address + half, half, high);
        }
    }

    /** One that shifts by nothing stores what was there. */
    private void shift(int size) {
        long address = program.place(size, 1);
        int operation = program.random.nextInt(8);
        int kind = program.random.nextInt(3);
        int count = kind == 1 ? 1 : program.random.nextInt(kind == 0 ? 128 : 256);
        boolean carry = program.random.nextBoolean();
        long old = program.held(address, size);
        program.load("rcx", count);
        program.prepare(carry ? "stc" : "clc");
        int opcode = (kind == 0 ? 0xc0 : kind == 1 ? 0xd0 : 0xd2) + (size == 1 ? 0 : 1);
        program.instruction(raw(size, "" + opcode, operation, address, kind == 0 ? "" + count : ""));
        program.change(address, size, shifted(operation, old, size * 8, count & (size == 8 ? 63 : 31), carry ? 1 : 0));
    }

    private static long shifted(int operation, long value, int bits, int count, long carry) {
        long mask = -1L >>> 64 - bits;
        for (int n = 0; n < count; n++) {
            long high = value >>> bits - 1 & 1;
            long low = value & 1;
            value = switch (operation) {
                case 0 -> value << 1 | high;
                case 1 -> value >>> 1 | low << bits - 1;
                case 2 -> value << 1 | carry;
                case 3 -> value >>> 1 | carry << bits - 1;
                case 4, 6 -> value << 1;
                case 5 -> value >>> 1;
                default -> value >>> 1 | high << bits - 1;
            };
            value &= mask;
            carry = (operation & 1) == 0 ? high : low;
        }
        return value;
    }

    /** SHLD and SHRD; words by 16 at most, for more is undefined. */
    private void doubleShift(int size) {
        long address = program.place(size, 1);
        String at = program.at(address);
        long other = program.random.nextLong();
        boolean left = program.random.nextBoolean();
        boolean direct = program.random.nextBoolean();
        int count = program.random.nextInt(size == 2 ? 17 : 128);
        program.load("rbx", other);
        program.load("rcx", count);
        long value = program.held(address, size);
        program.instruction((left ? "shld" : "shrd") + suffix(size) + (direct ? " $" + count : " %cl") + ", "
                + register(size) + ", " + at);
        int bits = size * 8;
        for (int n = 0; n < (count & (size == 8 ? 63 : 31)); n++) {
            value = left ? value << 1 | other >>> bits - 1 - n & 1 : value >>> 1 | (other >>> n & 1) << bits - 1;
        }
        program.change(address, size, value);
    }

    private void bit(int size) {
        int bits = size * 8;
        boolean direct = program.random.nextBoolean();
        int index = direct ? program.random.nextInt(bits) : program.random.nextInt(400) - 200;
        long address = START + 4096 + program.random.nextInt(SIZE - 8192);
        String at = program.at(address);
        program.load("rbx", index);
        int operation = program.random.nextInt(3);
        program.instruction(lock() + new String[] {"bts", "btr", "btc"}[operation] + suffix(size) + " "
                + (direct ? "$" + index : register(size)) + ", " + at);
        long word = address + Math.floorDiv(index, bits) * (long) size;
        long mask = 1L << Math.floorMod(index, bits);
        long old = program.held(word, size);
        program.change(word, size, operation == 0 ? old | mask : operation == 1 ? old & ~mask : old ^ mask);
    }

    private void set() {
        long address = program.place(1, 1);
        String at = program.at(address);
        boolean value = program.random.nextBoolean();
        program.prepare("cmp %eax, %eax");
        program.instruction((value ? "sete " : "setne ") + at);
        program.change(address, 1, value ? 1 : 0);
    }
}
