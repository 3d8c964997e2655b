package dev.multivisor.engine.cpu;

import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/**
 * A random program in 64-bit mode: blocks of integer, SSE and locked instructions on registers and memory, which branch
 * to each other, call functions, divide by what may be zero, reach for memory that is not there, and write to each
 * other's immediates. RBX is where its memory is, R14 a page that is not present, R15 counts branches down to its end.
 */
final class RandomProgram {
    private static final int BLOCKS = 8, FUNCTIONS = 3, IN_BLOCK = 7;
    private static final int[] TARGETS = {0, 1, 2, 5, 6, 7, 8, 9, 10, 11, 12, 13};
    private static final int[] ARITHMETIC = {0x01, 0x09, 0x11, 0x19, 0x21, 0x29, 0x31, 0x39};
    private static final int[] LOCKED = {0x01, 0x09, 0x21, 0x29, 0x31};
    private static final int[] BITS = {0xa3, 0xab, 0xb3, 0xbb};
    private static final int[] LANES = {0x60, 0x61, 0x62, 0x68, 0x69, 0x6a, 0x6c, 0x74, 0x76, 0xf4, 0xdc, 0xd9};
    private static final int[] SCALARS = {0x2e, 0x2f, 0x5a, 0x5d, 0x5f};

    /** Prefix and opcode of packed floating-point instructions; 0 for no prefix. */
    private static final int[] PACKED = {
        0x5d, 0x5f, 0x5a, 0x5b, 0x665d, 0x665f, 0x665a, 0x665b, 0x66e6, 0x667c, 0x667d, 0x66d0, 0xf35b, 0xf3e6, 0xf2e6,
        0xf27c, 0xf27d, 0xf2d0
    };

    private static final int[] SHIFTS = {0, 1, 2, 3, 4, 5, 7};

    /** A 32-bit branch displacement at a place, to a block, or a function above those. */
    private record Branch(int at, int to) {}

    private final Random random;
    private final ByteArrayOutputStream code = new ByteArrayOutputStream();
    private final List<Branch> branches = new ArrayList<>();
    private final List<Integer> immediates = new ArrayList<>();
    private final int[] starts = new int[BLOCKS + FUNCTIONS + 1];

    private RandomProgram(long seed) {
        random = new Random(seed);
    }

    static byte[] of(long seed) {
        return new RandomProgram(seed).generate();
    }

    private byte[] generate() {
        for (int block = 0; block < BLOCKS; block++) {
            starts[block] = code.size();
            body();
            // sub $1, %r15d; js end; jcc somewhere
            put(0x41, 0x83, 0xef, 1, 0x0f, 0x88);
            branch(BLOCKS + FUNCTIONS);
            if (random.nextInt(3) == 0) {
                put(0xe8);
                branch(BLOCKS + random.nextInt(FUNCTIONS));
            }
            put(0x0f, 0x80 + random.nextInt(16));
            branch(random.nextInt(BLOCKS));
        }
        put(0xe9);
        branch(0);
        for (int function = 0; function < FUNCTIONS; function++) {
            starts[BLOCKS + function] = code.size();
            body();
            put(0xc3);
        }
        starts[BLOCKS + FUNCTIONS] = code.size();
        put(0xf4);
        byte[] bytes = code.toByteArray();
        for (Branch b : branches) {
            write(bytes, b.at, starts[b.to] - b.at - 4);
        }
        return bytes;
    }

    private static void write(byte[] bytes, int at, int value) {
        for (int n = 0; n < 4; n++) {
            bytes[at + n] = (byte) (value >> 8 * n);
        }
    }

    private void branch(int to) {
        branches.add(new Branch(code.size(), to));
        number(0);
    }

    private void number(int value) {
        put(value, value >> 8, value >> 16, value >> 24);
    }

    private void put(int... bytes) {
        Arrays.stream(bytes).forEach(code::write);
    }

    private int target() {
        return TARGETS[random.nextInt(TARGETS.length)];
    }

    private void body() {
        for (int n = 1 + random.nextInt(IN_BLOCK); n > 0; n--) {
            instruction();
        }
    }

    /** A REX prefix for a register and one in the other field, of 32 or 64 bits. */
    private int rex(int register, int other) {
        return 0x40 | random.nextInt(2) << 3 | register >> 3 << 2 | other >> 3;
    }

    private static int registers(int register, int other) {
        return 0xc0 | (register & 7) << 3 | other & 7;
    }

    /** ModRM and displacement of memory at RBX. */
    private void memory(int register, int alignment) {
        put(0x43 | (register & 7) << 3, random.nextInt(120 / alignment) * alignment);
    }

    private void instruction() {
        int a = target();
        int b = target();
        switch (random.nextInt(35)) {
            case 0, 1, 2 -> put(rex(a, b), pick(ARITHMETIC), registers(a, b));
            case 3 -> put(0x40 | a >> 3 << 2 | b >> 3, pick(ARITHMETIC) - 1, registers(a, b));
            case 4 -> {
                put(rex(a, 0), pick(ARITHMETIC) + 2);
                memory(a, 1);
            }
            case 5 -> {
                put(rex(a, 0), pick(ARITHMETIC));
                memory(a, 1);
            }
            case 6 -> {
                put(rex(0, a), 0xc7, registers(0, a));
                immediates.add(code.size());
                number(random.nextInt());
            }
            case 7 -> {
                put(rex(a, 0), random.nextBoolean() ? 0x89 : 0x8b);
                memory(a, 1);
            }
            case 8 -> {
                put(0x48 | a >> 3 << 2, 0x8d);
                memory(a, 1);
            }
            case 9 -> put(0x40 | a >> 3, 0x50 | a & 7, 0x40 | b >> 3, 0x58 | b & 7);
            case 10 -> put(rex(0, a), 0xc1, registers(pick(SHIFTS), a), random.nextInt(70));
            case 11 -> put(rex(0, a), 0xd3, registers(pick(SHIFTS), a));
            case 12 -> put(rex(0, a), 0xff, registers(random.nextInt(2), a));
            case 13 -> put(rex(0, a), 0xf7, registers(2 + random.nextInt(4), a));
            case 14 -> put(rex(a, b), 0x0f, 0xaf, registers(a, b));
            case 15 -> put(0x40 | a >> 3, 0x0f, 0x90 + random.nextInt(16), registers(0, a));
            case 16 -> put(rex(a, b), 0x0f, 0x40 + random.nextInt(16), registers(a, b));
            case 17 -> put(rex(a, b), 0x0f, random.nextBoolean() ? 0xb6 : 0xbe, registers(a, b));
            case 18 -> put(rex(a, b), 0x0f, random.nextBoolean() ? 0xbc : 0xa3, registers(a, b));
            case 19 -> put(rex(a, b), 0x0f, 0xa4, registers(a, b), random.nextInt(40));
            case 20 -> {
                put(0xf0, rex(a, 0), 0x0f, 0xc1);
                memory(a, 4);
            }
            case 21 -> put(0x66, 0x0f, random.nextBoolean() ? 0xfe : 0xef, registers(a & 3, b & 3));
            case 22 -> {
                put(0x66, 0x0f, random.nextBoolean() ? 0x6f : 0x7f);
                memory(a & 3, 16);
            }
            case 23 -> put(0xf2, 0x0f, random.nextBoolean() ? 0x58 : 0x59, registers(a & 3, b & 3));
            case 24 -> {
                if (!immediates.isEmpty()) {
                    // movb $n, immediate(%rip)
                    put(0xc6, 0x05);
                    number(immediates.get(random.nextInt(immediates.size())) + random.nextInt(4) - code.size() - 5);
                    put(random.nextInt());
                }
            }
            case 25 -> put(rex(a, b), 0x0f, pick(BITS), registers(a, b));
            case 26 -> {
                put(rex(0, 0), 0x0f, 0xba);
                memory(4 + random.nextInt(4), 4);
                put(random.nextInt(70));
            }
            case 27 -> {
                put(0xf0, rex(a, 0), pick(LOCKED));
                memory(a, random.nextInt(8) == 0 ? 1 : 8);
            }
            case 28 -> exchange(a);
            case 29 -> put(0xf3, rex(a, b), 0x0f, 0xb8, registers(a, b));
            case 30 -> put(0x66, 0x0f, pick(LANES), registers(a & 3, b & 3));
            case 31 -> shuffle(a, b);
            case 32 -> scalar(a, b);
            case 33 -> packed(registers(a & 3, b & 3));
            default -> {
                switch (random.nextInt(24)) {
                    case 0 -> put(rex(0, a), 0xf7, registers(6 + random.nextInt(2), a));
                    case 1 -> put(0x49 | a >> 3 << 2, 0x8b, 0x06 | (a & 7) << 3);
                    default -> put(0x66, 0x48 | a >> 3, 0x0f, 0x6e, registers(b & 3, a));
                }
            }
        }
    }

    private void exchange(int a) {
        switch (random.nextInt(3)) {
            case 0 -> put(0xf0, rex(a, 0), 0x0f, 0xb1);
            case 1 -> put(rex(a, 0), 0x87);
            default -> {
                put(0xf0, rex(0, 0), 0xff);
                memory(random.nextInt(2), 8);
                return;
            }
        }
        memory(a, 8);
    }

    private void shuffle(int a, int b) {
        int vectors = registers(a & 3, b & 3);
        switch (random.nextInt(6)) {
            case 0 -> put(0x66, 0x0f, 0x38, random.nextBoolean() ? 0x00 : 0x17, vectors);
            case 1 -> put(0x66, 0x0f, 0x3a, 0x0f, vectors, random.nextInt(40));
            case 2 -> put(0x66, 0x0f, 0x73, registers(random.nextBoolean() ? 3 : 7, b & 3), random.nextInt(20));
            case 3 -> put(0x66 + 0x8c * random.nextInt(2), 0x0f, 0x70, vectors, random.nextInt(256));
            case 4 -> put(0x66, 0x0f, 0xc6, vectors, random.nextInt(4));
            default -> put(0x66, 0x40 | a >> 3 << 2, 0x0f, 0xd7, registers(a, b & 3));
        }
    }

    private void scalar(int a, int b) {
        int vectors = registers(a & 3, b & 3);
        int prefix = random.nextBoolean() ? 0xf2 : 0xf3;
        switch (random.nextInt(5)) {
            case 0 -> put(prefix, rex(a, 0), 0x0f, 0x2c + random.nextInt(2), registers(a, b & 3));
            case 1 -> put(prefix, rex(0, b), 0x0f, 0x2a, registers(a & 3, b));
            case 2 -> put(prefix, 0x0f, 0xc2, vectors, random.nextInt(8));
            default -> {
                int op = pick(SCALARS);
                if (op >= 0x5a) {
                    put(prefix, 0x0f, op, vectors);
                } else if (random.nextBoolean()) {
                    put(0x66, 0x0f, op, vectors);
                } else {
                    put(0x0f, op, vectors);
                }
            }
        }
    }

    private void packed(int vectors) {
        if (random.nextInt(4) == 0) {
            put(random.nextBoolean() ? 0x66 : 0x40, 0x0f, 0xc2, vectors, random.nextInt(8));
            return;
        }
        int op = pick(PACKED);
        if (op > 0xff) {
            put(op >>> 8);
        }
        put(0x0f, op & 0xff, vectors);
    }

    private int pick(int[] choices) {
        return choices[random.nextInt(choices.length)];
    }
}
