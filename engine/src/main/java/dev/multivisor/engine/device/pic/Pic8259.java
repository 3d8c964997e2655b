package dev.multivisor.engine.device.pic;

import dev.multivisor.engine.device.StateCheck;

/** One Intel 8259A (data sheet 231468). Guarded by the lock of {@link Pic}. */
final class Pic8259 {
    private static final int AUTO_EOI = 1;
    private static final int ROTATE_ON_AUTO_EOI = 2;
    private static final int SPECIAL_MASK = 4;
    private static final int SPECIAL_FULLY_NESTED = 8;
    private static final int READ_ISR = 16;
    private static final int POLL = 32;
    private static final int WITH_ICW4 = 64;
    private static final int SINGLE = 128;

    private final boolean master;
    private final int elcrMask;
    private int lines;
    private int irr;
    private int isr;
    private int imr;
    private int elcr;
    private int vectorBase;
    private int priorityBase;
    private int initStep;
    private int flags;

    /** As firmware leaves it. */
    Pic8259(boolean master, int vectorBase, int imr) {
        this.master = master;
        elcrMask = master ? 0xf8 : 0xde;
        this.vectorBase = vectorBase;
        this.imr = imr;
    }

    Pic8259(boolean master, PicState.Chip state) {
        this(master, state.vectorBase() & 0xf8, state.imr() & 0xff);
        String name = master ? "pic.master." : "pic.slave.";
        lines = StateCheck.range(name + "lines", state.lines(), 0, 0xff);
        irr = StateCheck.range(name + "irr", state.irr(), 0, 0xff);
        isr = StateCheck.range(name + "isr", state.isr(), 0, 0xff);
        elcr = StateCheck.range(name + "elcr", state.elcr(), 0, 0xff) & elcrMask;
        priorityBase = StateCheck.range(name + "priorityBase", state.priorityBase(), 0, 7);
        initStep = StateCheck.range(name + "initStep", state.initStep(), 0, 4);
        flags = StateCheck.range(name + "flags", state.flags(), 0, 0xff);
    }

    PicState.Chip save() {
        return new PicState.Chip(lines, irr, isr, imr, elcr, vectorBase, priorityBase, initStep, flags);
    }

    void set(int input, boolean level) {
        int bit = 1 << input;
        if ((elcr & bit) != 0) {
            irr = level ? irr | bit : irr & ~bit;
        } else if (level && (lines & bit) == 0) {
            irr |= bit;
        }
        lines = level ? lines | bit : lines & ~bit;
    }

    /** The input to serve now, or -1: the INT output is high unless it is -1. */
    int highest() {
        int requested = irr & ~imr;
        if (requested == 0) {
            return -1;
        }
        int serving = isr;
        if (has(SPECIAL_MASK)) {
            serving &= ~imr;
        }
        if (master && has(SPECIAL_FULLY_NESTED)) {
            serving &= ~(1 << Pic.CASCADE);
        }
        int rank = rank(requested);
        return rank < rank(serving) ? rank + priorityBase & 7 : -1;
    }

    /** Distance of the first set bit from the highest priority; 8 if there is none. */
    private int rank(int bits) {
        int rotated = (bits >>> priorityBase | bits << 8 - priorityBase) & 0xff;
        return rotated == 0 ? 8 : Integer.numberOfTrailingZeros(rotated);
    }

    /** INTA: the input moves into service. */
    void acknowledge(int input) {
        int bit = 1 << input;
        if ((elcr & bit) == 0) {
            irr &= ~bit;
        }
        if (!has(AUTO_EOI)) {
            isr |= bit;
        } else if (has(ROTATE_ON_AUTO_EOI)) {
            priorityBase = input + 1 & 7;
        }
    }

    int vector(int input) {
        return vectorBase + input;
    }

    int elcr() {
        return elcr;
    }

    void elcr(int value) {
        elcr = value & elcrMask;
        irr = irr & ~elcr | lines & elcr;
    }

    /** Reads the even (0) or odd (1) port. */
    int read(int port) {
        if (has(POLL)) {
            flags &= ~POLL;
            int input = highest();
            if (input < 0) {
                return 0;
            }
            acknowledge(input);
            return 0x80 | input;
        }
        return port == 1 ? imr : has(READ_ISR) ? isr : irr;
    }

    /** Writes the even (0) or odd (1) port. */
    void write(int port, int value) {
        if (port == 0) {
            if ((value & 0x10) != 0) {
                icw1(value);
            } else if ((value & 0x08) != 0) {
                ocw3(value);
            } else {
                ocw2(value);
            }
            return;
        }
        switch (initStep) {
            case 2 -> {
                vectorBase = value & 0xf8;
                initStep = !has(SINGLE) ? 3 : has(WITH_ICW4) ? 4 : 0;
            }
            case 3 -> initStep = has(WITH_ICW4) ? 4 : 0;
            case 4 -> {
                flag(AUTO_EOI, (value & 2) != 0);
                flag(SPECIAL_FULLY_NESTED, (value & 0x10) != 0);
                initStep = 0;
            }
            default -> imr = value;
        }
    }

    private void icw1(int value) {
        imr = 0;
        isr = 0;
        irr = lines & elcr;
        priorityBase = 0;
        flags = 0;
        flag(WITH_ICW4, (value & 1) != 0);
        flag(SINGLE, (value & 2) != 0);
        initStep = 2;
    }

    private void ocw2(int value) {
        int level = value & 7;
        switch (value >>> 5) {
            case 0 -> flag(ROTATE_ON_AUTO_EOI, false);
            case 4 -> flag(ROTATE_ON_AUTO_EOI, true);
            case 1, 5 -> {
                int rank = rank(has(SPECIAL_MASK) ? isr & ~imr : isr);
                if (rank < 8) {
                    int input = rank + priorityBase & 7;
                    isr &= ~(1 << input);
                    if (value >>> 5 == 5) {
                        priorityBase = input + 1 & 7;
                    }
                }
            }
            case 3 -> isr &= ~(1 << level);
            case 6 -> priorityBase = level + 1 & 7;
            case 7 -> {
                isr &= ~(1 << level);
                priorityBase = level + 1 & 7;
            }
            default -> {
                // 2 is no operation.
            }
        }
    }

    private void ocw3(int value) {
        if ((value & 4) != 0) {
            flags |= POLL;
        }
        if ((value & 2) != 0) {
            flag(READ_ISR, (value & 1) != 0);
        }
        if ((value & 0x40) != 0) {
            flag(SPECIAL_MASK, (value & 0x20) != 0);
        }
    }

    private boolean has(int flag) {
        return (flags & flag) != 0;
    }

    private void flag(int flag, boolean on) {
        flags = on ? flags | flag : flags & ~flag;
    }
}
