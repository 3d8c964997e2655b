package dev.multivisor.engine.device.rtc;

import dev.multivisor.engine.device.GuestTime;
import dev.multivisor.engine.device.IrqLine;
import dev.multivisor.engine.device.PortBus;
import dev.multivisor.engine.device.PortHandler;
import dev.multivisor.engine.device.StateCheck;
import dev.multivisor.engine.device.Timers;
import java.time.DateTimeException;
import java.time.LocalDateTime;
import java.time.ZoneOffset;

/**
 * The clock and CMOS RAM of a PC/AT (Motorola MC146818A): ports 0x70 and 0x71. It shows the wall time in UTC, plus
 * what the guest has set it ahead.
 */
public final class Rtc implements PortHandler {
    /** Its interrupt. */
    public static final int IRQ = 8;

    private static final int SIZE = 128;
    private static final int SECONDS = 0;
    private static final int SECONDS_ALARM = 1;
    private static final int MINUTES = 2;
    private static final int MINUTES_ALARM = 3;
    private static final int HOURS = 4;
    private static final int HOURS_ALARM = 5;
    private static final int WEEKDAY = 6;
    private static final int DAY = 7;
    private static final int MONTH = 8;
    private static final int YEAR = 9;
    private static final int A = 0x0a;
    private static final int B = 0x0b;
    private static final int C = 0x0c;
    private static final int D = 0x0d;
    private static final int CENTURY = 0x32;

    private static final int A_UPDATE_IN_PROGRESS = 0x80;
    private static final int B_SET = 0x80;
    private static final int B_BINARY = 0x04;
    private static final int B_24_HOURS = 0x02;
    private static final int PERIODIC = 0x40;
    private static final int ALARM = 0x20;
    private static final int UPDATE_ENDED = 0x10;
    private static final int C_REQUEST = 0x80;

    /** How long UIP warns before an update. */
    private static final long UPDATE = 244_000;

    private static final int DAY_SECONDS = 86_400;

    private final GuestTime time;
    private final IrqLine irq;
    private final Timers.Timer timer;
    private final byte[] registers;
    private int index;
    private long offset;
    private long last;

    /**
     * A running clock.
     *
     * @param lowMemory bytes of RAM below 4 GiB, for the bytes that a BIOS keeps here
     * @param highMemory bytes of RAM above
     */
    public Rtc(GuestTime time, Timers timers, IrqLine irq, long lowMemory, long highMemory) {
        this.time = time;
        this.irq = irq;
        timer = timers.add(this::fire);
        registers = new byte[SIZE];
        registers[A] = 0x26;
        registers[B] = B_24_HOURS;
        registers[D] = (byte) 0x80;
        long base = Math.min(lowMemory >>> 10, 640);
        long extended = Math.clamp((lowMemory >>> 10) - 1024, 0, 0xffff);
        put(0x15, base, 2);
        put(0x17, extended, 2);
        put(0x30, extended, 2);
        put(0x34, Math.clamp((lowMemory >>> 16) - 256, 0, 0xffff), 2);
        put(0x5b, Math.min(highMemory >>> 16, 0xffffff), 3);
        last = clock();
    }

    /** Restores the registers and the next interrupt. */
    public Rtc(GuestTime time, Timers timers, IrqLine irq, RtcState state) {
        this.time = time;
        this.irq = irq;
        registers = StateCheck.copy("rtc.registers", state.registers(), SIZE);
        index = StateCheck.range("rtc.index", state.index(), 0, SIZE - 1);
        offset = state.offset();
        last = state.last();
        timer = timers.add(this::fire);
        timer.arm(state.deadline());
    }

    private void put(int register, long value, int bytes) {
        for (int i = 0; i < bytes; i++) {
            registers[register + i] = (byte) (value >>> i * 8);
        }
    }

    /** The registers. */
    public synchronized RtcState save() {
        return new RtcState(index, registers.clone(), offset, last, timer.deadline());
    }

    /** Claims the ports. */
    public void map(PortBus ports) {
        ports.map(0x70, 2, this);
    }

    /** What the clock shows, in nanoseconds since 1970. */
    private long clock() {
        return time.wall() + offset;
    }

    private int register(int number) {
        return registers[number] & 0xff;
    }

    private boolean has(int bit) {
        return (registers[B] & bit) != 0;
    }

    private static boolean isTime(int number) {
        return switch (number) {
            case SECONDS, MINUTES, HOURS, WEEKDAY, DAY, MONTH, YEAR, CENTURY -> true;
            default -> false;
        };
    }

    @Override
    public synchronized int in(int port, int size) {
        if ((port & 1) == 0) {
            return index;
        }
        if (isTime(index) && !has(B_SET)) {
            show();
        }
        return switch (index) {
            case A -> register(A) | (updating() ? A_UPDATE_IN_PROGRESS : 0);
            case C -> readFlags();
            default -> register(index);
        };
    }

    @Override
    public synchronized void out(int port, int size, int value) {
        if ((port & 1) == 0) {
            index = value & 0x7f;
            return;
        }
        advance();
        switch (index) {
            case A -> registers[A] = (byte) (value & 0x7f);
            case B -> {
                boolean before = has(B_SET);
                if (!before) {
                    show();
                }
                if ((value & B_SET) != 0) {
                    value &= ~UPDATE_ENDED;
                }
                int modes = (register(B) ^ value) & (B_BINARY | B_24_HOURS);
                registers[B] = (byte) value;
                if (before && !has(B_SET)) {
                    take();
                } else if (modes != 0 && !has(B_SET)) {
                    show();
                }
            }
            case C, D -> {
                // Read only.
            }
            default -> {
                if (isTime(index) && !has(B_SET)) {
                    show();
                    registers[index] = (byte) value;
                    take();
                } else {
                    registers[index] = (byte) value;
                }
            }
        }
        update();
        arm();
    }

    private boolean updating() {
        return !has(B_SET) && Math.floorMod(clock(), GuestTime.SECOND) >= GuestTime.SECOND - UPDATE;
    }

    // ---- Time in the registers ----

    private int encode(int value) {
        return has(B_BINARY) ? value : value / 10 << 4 | value % 10;
    }

    private int decode(int value) {
        return has(B_BINARY) ? value : (value >>> 4) * 10 + (value & 15);
    }

    private int encodeHour(int hour) {
        if (has(B_24_HOURS)) {
            return encode(hour);
        }
        int twelve = hour % 12 == 0 ? 12 : hour % 12;
        return encode(twelve) | (hour >= 12 ? 0x80 : 0);
    }

    private int decodeHour(int value) {
        if (has(B_24_HOURS)) {
            return decode(value);
        }
        return decode(value & 0x7f) % 12 + ((value & 0x80) != 0 ? 12 : 0);
    }

    private void show() {
        LocalDateTime now = LocalDateTime.ofEpochSecond(Math.floorDiv(clock(), GuestTime.SECOND), 0, ZoneOffset.UTC);
        registers[SECONDS] = (byte) encode(now.getSecond());
        registers[MINUTES] = (byte) encode(now.getMinute());
        registers[HOURS] = (byte) encodeHour(now.getHour());
        registers[WEEKDAY] = (byte) encode(now.getDayOfWeek().getValue() % 7 + 1);
        registers[DAY] = (byte) encode(now.getDayOfMonth());
        registers[MONTH] = (byte) encode(now.getMonthValue());
        registers[YEAR] = (byte) encode(now.getYear() % 100);
        registers[CENTURY] = (byte) encode(now.getYear() / 100);
    }

    /** Sets the clock from the registers; a date that does not exist leaves it as it is. */
    private void take() {
        try {
            long seconds = LocalDateTime.of(
                            decode(register(CENTURY)) * 100 + decode(register(YEAR)),
                            decode(register(MONTH)),
                            decode(register(DAY)),
                            decodeHour(register(HOURS)),
                            decode(register(MINUTES)),
                            decode(register(SECONDS)))
                    .toEpochSecond(ZoneOffset.UTC);
            long fraction = Math.floorMod(clock(), GuestTime.SECOND);
            offset = seconds * GuestTime.SECOND + fraction - time.wall();
            last = clock();
        } catch (DateTimeException e) {
            show();
        }
    }

    // ---- Interrupts ----

    private int readFlags() {
        advance();
        int flags = register(C);
        registers[C] = 0;
        update();
        arm();
        return flags;
    }

    private synchronized void fire(long now) {
        advance();
        update();
        arm();
    }

    private void update() {
        boolean request = (register(C) & register(B) & (PERIODIC | ALARM | UPDATE_ENDED)) != 0;
        registers[C] = (byte) (request ? register(C) | C_REQUEST : register(C) & ~C_REQUEST);
        irq.set(request);
    }

    /** Nanoseconds of the periodic interrupt, or 0. */
    private long period() {
        int rate = register(A) & 15;
        if (rate == 0) {
            return 0;
        }
        return GuestTime.SECOND * (1L << (rate < 3 ? rate + 6 : rate - 1)) / 32_768;
    }

    /** Sets the flags of what has happened since the last time. */
    private void advance() {
        long now = clock();
        long before = last;
        last = now;
        if (now <= before) {
            return;
        }
        int flags = 0;
        long period = period();
        if (period != 0 && now / period != before / period) {
            flags |= PERIODIC;
        }
        long from = Math.floorDiv(before, GuestTime.SECOND);
        long to = Math.floorDiv(now, GuestTime.SECOND);
        if (to != from && !has(B_SET)) {
            flags |= UPDATE_ENDED;
            if (nextAlarm(from) <= to) {
                flags |= ALARM;
            }
        }
        registers[C] |= (byte) flags;
    }

    /** The first second after one that the alarm matches. */
    private long nextAlarm(long after) {
        for (long second = after + 1; second <= after + DAY_SECONDS; second++) {
            int ofDay = (int) Math.floorMod(second, (long) DAY_SECONDS);
            boolean minuteMatches =
                    alarm(MINUTES_ALARM, ofDay / 60 % 60, false) && alarm(HOURS_ALARM, ofDay / 3600, true);
            if (!minuteMatches) {
                second += 59 - ofDay % 60;
            } else if (alarm(SECONDS_ALARM, ofDay % 60, false)) {
                return second;
            }
        }
        return Long.MAX_VALUE;
    }

    private boolean alarm(int number, int value, boolean hour) {
        int wanted = register(number);
        return wanted >= 0xc0 || (hour ? decodeHour(wanted) : decode(wanted)) == value;
    }

    /** One timer for the next interrupt, unless one waits to be read already. */
    private void arm() {
        int enabled = register(B) & (PERIODIC | ALARM | UPDATE_ENDED);
        if (enabled == 0 || (register(C) & C_REQUEST) != 0) {
            timer.cancel();
            return;
        }
        long now = clock();
        long next = Long.MAX_VALUE;
        long period = period();
        if ((enabled & PERIODIC) != 0 && period != 0) {
            next = (now / period + 1) * period;
        }
        long second = Math.floorDiv(now, GuestTime.SECOND);
        if ((enabled & UPDATE_ENDED) != 0) {
            next = Math.min(next, (second + 1) * GuestTime.SECOND);
        }
        if ((enabled & ALARM) != 0) {
            long alarm = nextAlarm(second);
            next = alarm == Long.MAX_VALUE ? next : Math.min(next, alarm * GuestTime.SECOND);
        }
        timer.arm(next == Long.MAX_VALUE ? Timers.NEVER : time.now() + next - now);
    }
}
