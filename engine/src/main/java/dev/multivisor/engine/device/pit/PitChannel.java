package dev.multivisor.engine.device.pit;

import dev.multivisor.engine.device.GuestTime;
import dev.multivisor.engine.device.StateCheck;
import dev.multivisor.engine.device.Timers;

/**
 * One counter of an Intel 8254 (data sheet 231164). Everything follows from the time that has passed since its start.
 */
final class PitChannel {
    /** Ticks of its clock in a second. */
    static final long HERTZ = 1_193_182;

    private static final int LOW_BYTE = 1;
    private static final int HIGH_BYTE = 2;

    private int control;
    private int reload;
    private boolean loaded;
    private boolean triggered;
    private boolean gate;
    private long base;
    private long start;
    private int writeLow = -1;
    private boolean readHigh;
    private int latch = -1;
    private int status = -1;

    PitChannel(boolean gate) {
        this.gate = gate;
        control = 0x30;
    }

    PitChannel(String name, PitState.Channel state) {
        control = StateCheck.range(name + ".control", state.control(), 0, 0x3f);
        reload = StateCheck.range(name + ".reload", state.reload(), 0, 0xffff);
        loaded = state.loaded();
        triggered = state.triggered();
        gate = state.gate();
        base = StateCheck.range(name + ".base", state.base(), 0, Long.MAX_VALUE);
        start = state.start();
        writeLow = StateCheck.range(name + ".writeLow", state.writeLow(), -1, 0xff);
        readHigh = state.readHigh();
        latch = StateCheck.range(name + ".latch", state.latch(), -1, 0xffff);
        status = StateCheck.range(name + ".status", state.status(), -1, 0xff);
    }

    PitState.Channel save() {
        return new PitState.Channel(
                control, reload, loaded, triggered, gate, base, start, writeLow, readHigh, latch, status);
    }

    private int mode() {
        int mode = control >>> 1 & 7;
        return mode > 5 ? mode - 4 : mode;
    }

    private boolean bcd() {
        return (control & 1) != 0;
    }

    private int modulus() {
        return bcd() ? 10_000 : 0x10000;
    }

    private long initial() {
        int value = bcd() ? fromBcd(reload) : reload;
        return value == 0 ? modulus() : value;
    }

    private boolean counting() {
        return switch (mode()) {
            case 1, 5 -> loaded && triggered;
            default -> loaded && gate;
        };
    }

    private long ticks(long now) {
        return counting() ? base + GuestTime.ticks(now - start, HERTZ) : base;
    }

    private int count(long now) {
        if (!loaded) {
            return 0;
        }
        long ticks = ticks(now);
        long initial = initial();
        long value = switch (mode()) {
            case 2 -> initial - ticks % initial;
            case 3 -> initial - (ticks * 2) % initial;
            default -> Math.floorMod(initial - ticks, (long) modulus());
        };
        int low = (int) value % modulus();
        return bcd() ? toBcd(low) : low;
    }

    /** Level of OUT. */
    boolean output(long now) {
        long ticks = ticks(now);
        return switch (mode()) {
            case 0 -> loaded && ticks >= initial();
            case 1 -> !loaded || !triggered || ticks >= initial();
            case 2 -> !loaded || !gate || ticks % initial() != initial() - 1;
            case 3 -> !loaded || !gate || ticks % initial() < (initial() + 1) / 2;
            default -> !counting() || ticks != initial();
        };
    }

    /** The next time at which OUT goes high, or {@link Timers#NEVER}. */
    long nextRise(long now) {
        if (!counting()) {
            return Timers.NEVER;
        }
        long ticks = ticks(now);
        long initial = initial();
        long rise = switch (mode()) {
            case 0, 1 -> ticks < initial ? initial : -1;
            case 2, 3 -> (ticks / initial + 1) * initial;
            default -> ticks <= initial ? initial + 1 : -1;
        };
        return rise < 0 ? Timers.NEVER : start + GuestTime.nanos(rise - base, HERTZ);
    }

    boolean gate() {
        return gate;
    }

    void gate(boolean level, long now) {
        if (level == gate) {
            return;
        }
        long ticks = ticks(now);
        gate = level;
        switch (mode()) {
            case 0, 4 -> {
                base = ticks;
                start = now;
            }
            default -> {
                if (level) {
                    triggered = true;
                    base = 0;
                    start = now;
                }
            }
        }
    }

    /** A control word for this counter. */
    void control(int word, long now) {
        if ((word & 0x30) == 0) {
            latchCount(now);
            return;
        }
        control = word & 0x3f;
        loaded = false;
        triggered = false;
        base = 0;
        start = now;
        writeLow = -1;
        readHigh = false;
        latch = -1;
        status = -1;
    }

    void latchCount(long now) {
        if (latch < 0) {
            latch = count(now);
        }
    }

    void latchStatus(long now) {
        if (status < 0) {
            status = (output(now) ? 0x80 : 0) | (loaded ? 0 : 0x40) | control;
        }
    }

    void write(int value, long now) {
        switch (control >>> 4) {
            case LOW_BYTE -> load(value, now);
            case HIGH_BYTE -> load(value << 8, now);
            default -> {
                if (writeLow < 0) {
                    writeLow = value;
                    if (mode() == 0) {
                        // The first byte stops the counter and OUT goes low.
                        loaded = false;
                    }
                } else {
                    load(writeLow | value << 8, now);
                    writeLow = -1;
                }
            }
        }
    }

    private void load(int value, long now) {
        boolean restart = mode() != 1 && mode() != 5;
        reload = value;
        loaded = true;
        if (restart) {
            base = 0;
            start = now;
        }
    }

    int read(long now) {
        if (status >= 0) {
            int value = status;
            status = -1;
            return value;
        }
        int value = latch >= 0 ? latch : count(now);
        boolean high;
        boolean done;
        switch (control >>> 4) {
            case LOW_BYTE -> {
                high = false;
                done = true;
            }
            case HIGH_BYTE -> {
                high = true;
                done = true;
            }
            default -> {
                high = readHigh;
                done = readHigh;
                readHigh = !readHigh;
            }
        }
        if (done) {
            latch = -1;
        }
        return (high ? value >>> 8 : value) & 0xff;
    }

    private static int fromBcd(int value) {
        return (value >>> 12) * 1000 + (value >>> 8 & 15) * 100 + (value >>> 4 & 15) * 10 + (value & 15);
    }

    private static int toBcd(int value) {
        return value / 1000 << 12 | value / 100 % 10 << 8 | value / 10 % 10 << 4 | value % 10;
    }
}
