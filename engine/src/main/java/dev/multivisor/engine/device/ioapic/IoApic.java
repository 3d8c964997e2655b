package dev.multivisor.engine.device.ioapic;

import dev.multivisor.engine.device.MmioHandler;
import dev.multivisor.engine.device.StateCheck;
import dev.multivisor.engine.device.lapic.LocalApics;
import java.util.Arrays;

/**
 * An I/O APIC (Intel 82093AA data sheet), with the EOI register of its successors. Polarity is not modelled: a pin is
 * asserted or not, whichever level that is on the wire.
 */
public final class IoApic implements MmioHandler {
    /** Guest-physical address of the registers. */
    public static final long ADDRESS = 0xfec00000L;

    /** Bytes of address space. */
    public static final long SIZE = 0x1000;

    /** Inputs. */
    public static final int PINS = 24;

    private static final int IOREGSEL = 0x00;
    private static final int IOWIN = 0x10;
    private static final int EOI = 0x40;

    private static final int REGISTER_ID = 0;
    private static final int REGISTER_VERSION = 1;
    private static final int REGISTER_ARBITRATION = 2;
    private static final int REGISTER_REDIRECTION = 0x10;

    private static final int VERSION = 0x20;

    private static final long LOGICAL = 1L << 11;
    private static final long REMOTE_IRR = 1L << 14;
    private static final long LEVEL = 1L << 15;
    private static final long MASKED = 1L << 16;
    private static final long READ_ONLY = REMOTE_IRR | 1L << 12;
    private static final long WRITABLE = 0xff00_0000_0001_afffL;

    private final LocalApics localApics;
    private final long[] redirection;
    private int id;
    private int select;
    private int levels;

    /** As after reset: every pin masked. */
    public IoApic(LocalApics localApics, int id) {
        this.localApics = localApics;
        this.id = id & 0xf;
        redirection = new long[PINS];
        Arrays.fill(redirection, MASKED);
        localApics.onEoi(this::endOfInterrupt);
    }

    /** Restores the registers; sends nothing. */
    public IoApic(LocalApics localApics, IoApicState state) {
        this.localApics = localApics;
        id = StateCheck.range("ioApic.id", state.id(), 0, 15);
        select = StateCheck.range("ioApic.select", state.select(), 0, 0xff);
        redirection = StateCheck.copy("ioApic.redirection", state.redirection(), PINS);
        levels = StateCheck.range("ioApic.levels", state.levels(), 0, (1 << PINS) - 1);
        localApics.onEoi(this::endOfInterrupt);
    }

    /** The registers. */
    public synchronized IoApicState save() {
        return new IoApicState(id, select, redirection.clone(), levels);
    }

    /** Asserts or releases a pin. */
    public synchronized void set(int pin, boolean level) {
        int bit = 1 << pin;
        boolean before = (levels & bit) != 0;
        levels = level ? levels | bit : levels & ~bit;
        if (level && !before) {
            long entry = redirection[pin];
            if ((entry & LEVEL) != 0) {
                sendLevel(pin);
            } else if ((entry & MASKED) == 0) {
                // An edge at a masked pin is lost.
                send(entry);
            }
        }
    }

    private void sendLevel(int pin) {
        long entry = redirection[pin];
        if ((entry & (LEVEL | MASKED | REMOTE_IRR)) == LEVEL && (levels >>> pin & 1) != 0) {
            redirection[pin] = entry | REMOTE_IRR;
            send(entry);
        }
    }

    private void send(long entry) {
        localApics.deliver(
                (int) (entry >>> 56),
                (entry & LOGICAL) != 0,
                (int) (entry >>> 8 & 7),
                (int) (entry & 0xff),
                (entry & LEVEL) != 0);
    }

    private synchronized void endOfInterrupt(int vector) {
        for (int pin = 0; pin < PINS; pin++) {
            long entry = redirection[pin];
            if ((entry & (LEVEL | REMOTE_IRR)) == (LEVEL | REMOTE_IRR) && (entry & 0xff) == vector) {
                redirection[pin] = entry & ~REMOTE_IRR;
                sendLevel(pin);
            }
        }
    }

    @Override
    public synchronized long read(int cpu, long offset, int size) {
        long value = switch ((int) offset & ~3) {
            case IOREGSEL -> select;
            case IOWIN -> register(select);
            default -> 0;
        };
        return value >>> (offset & 3) * 8;
    }

    @Override
    public synchronized void write(int cpu, long offset, int size, long value) {
        switch ((int) offset) {
            case IOREGSEL -> select = (int) value & 0xff;
            case IOWIN -> register(select, (int) value);
            case EOI -> endOfInterrupt((int) value & 0xff);
            default -> {
                // Reserved.
            }
        }
    }

    private long register(int index) {
        int entry = index - REGISTER_REDIRECTION;
        if (entry >= 0 && entry < 2 * PINS) {
            return redirection[entry / 2] >>> (entry & 1) * 32 & 0xffffffffL;
        }
        return switch (index) {
            case REGISTER_ID, REGISTER_ARBITRATION -> (long) id << 24;
            case REGISTER_VERSION -> VERSION | PINS - 1 << 16;
            default -> 0xffffffffL;
        };
    }

    private void register(int index, int value) {
        if (index == REGISTER_ID) {
            id = value >>> 24 & 0xf;
            return;
        }
        int pin = (index - REGISTER_REDIRECTION) / 2;
        if (index < REGISTER_REDIRECTION || pin >= PINS) {
            return;
        }
        long before = redirection[pin];
        long written = (index & 1) == 0
                ? before & 0xffffffff_00000000L | value & 0xffffffffL
                : before & 0xffffffffL | (long) value << 32;
        long after = written & WRITABLE | before & READ_ONLY;
        if ((after & LEVEL) == 0) {
            after &= ~REMOTE_IRR;
        }
        redirection[pin] = after;
        sendLevel(pin);
    }
}
