package dev.multivisor.engine.device.serial;

import dev.multivisor.api.Console;
import dev.multivisor.engine.device.IrqLine;
import dev.multivisor.engine.device.PortBus;
import dev.multivisor.engine.device.PortHandler;
import dev.multivisor.engine.device.StateCheck;

/**
 * A 16550A UART (National Semiconductor PC16550D), COM1. A byte is sent at once, so the transmitter is always empty;
 * received bytes wait outside until the FIFO has room, so none is lost. The baud rate is remembered and has no
 * effect.
 */
public final class Serial implements PortHandler {
    /** First of eight ports. */
    public static final int PORT = 0x3f8;

    /** Its interrupt. */
    public static final int IRQ = 4;

    private static final int FIFO_SIZE = 16;
    private static final int[] TRIGGER = {1, 4, 8, 14};

    private static final int IER_RECEIVED = 1;
    private static final int IER_TRANSMITTER = 2;
    private static final int IER_LINE = 4;
    private static final int IER_MODEM = 8;

    private static final int IIR_MODEM = 0x00;
    private static final int IIR_NONE = 0x01;
    private static final int IIR_TRANSMITTER = 0x02;
    private static final int IIR_RECEIVED = 0x04;
    private static final int IIR_LINE = 0x06;
    private static final int IIR_TIMEOUT = 0x0c;

    private static final int FCR_ENABLE = 1;
    private static final int FCR_CLEAR_RECEIVER = 2;
    private static final int LCR_DLAB = 0x80;
    private static final int MCR_LOOP = 0x10;
    private static final int LSR_DATA_READY = 0x01;
    private static final int LSR_OVERRUN = 0x02;
    private static final int LSR_EMPTY = 0x60;
    /** Clear to send, data set ready, carrier detect: the far end is always there. */
    private static final int MSR_CONNECTED = 0xb0;

    private final Console console;
    private final IrqLine irq;
    private final byte[] fifo = new byte[FIFO_SIZE];
    private int head;
    private int count;
    private int divisor = 12;
    private int ier;
    private int fcr;
    private int lcr;
    private int mcr;
    private int msrDelta;
    private boolean overrun;
    private int scr;
    private boolean transmitterEmpty;
    private boolean raised;

    /** As after reset. */
    public Serial(Console console, IrqLine irq) {
        this.console = console;
        this.irq = irq;
    }

    /** Restores the registers; the interrupt's level is part of the router's state, so it is not driven. */
    public Serial(Console console, IrqLine irq, SerialState state) {
        this.console = console;
        this.irq = irq;
        divisor = StateCheck.range("serial.divisor", state.divisor(), 0, 0xffff);
        ier = StateCheck.range("serial.ier", state.ier(), 0, 0x0f);
        fcr = StateCheck.range("serial.fcr", state.fcr(), 0, 0xff);
        lcr = StateCheck.range("serial.lcr", state.lcr(), 0, 0xff);
        mcr = StateCheck.range("serial.mcr", state.mcr(), 0, 0x1f);
        msrDelta = StateCheck.range("serial.msrDelta", state.msrDelta(), 0, 0x0f);
        overrun = state.overrun();
        scr = StateCheck.range("serial.scr", state.scr(), 0, 0xff);
        transmitterEmpty = state.transmitterEmpty();
        byte[] received = StateCheck.present("serial.received", state.received());
        count = StateCheck.range("serial.received", received.length, 0, FIFO_SIZE);
        System.arraycopy(received, 0, fifo, 0, count);
        raised = interrupt() != IIR_NONE;
    }

    /** The registers and what was received. */
    public synchronized SerialState save() {
        byte[] received = new byte[count];
        for (int i = 0; i < count; i++) {
            received[i] = fifo[head + i & FIFO_SIZE - 1];
        }
        return new SerialState(divisor, ier, fcr, lcr, mcr, msrDelta, overrun, scr, transmitterEmpty, received);
    }

    /** Claims the ports. */
    public void map(PortBus ports) {
        ports.map(PORT, 8, this);
    }

    /** Starts to take input. Apart from construction, so that a machine that is only rehearsed takes none. */
    public void listen() {
        console.onInput(this::inputArrived);
        inputArrived();
    }

    private synchronized void inputArrived() {
        fill();
        update();
    }

    private int capacity() {
        return (fcr & FCR_ENABLE) != 0 ? FIFO_SIZE : 1;
    }

    private void fill() {
        while (count < capacity() && (mcr & MCR_LOOP) == 0) {
            int value = console.read();
            if (value < 0) {
                return;
            }
            receive(value);
        }
    }

    private void receive(int value) {
        if (count >= capacity()) {
            overrun = true;
            return;
        }
        fifo[head + count & FIFO_SIZE - 1] = (byte) value;
        count++;
    }

    /** The source of the highest priority, as the low half of IIR. */
    private int interrupt() {
        if (ier == 0) {
            return IIR_NONE;
        }
        if ((ier & IER_LINE) != 0 && overrun) {
            return IIR_LINE;
        }
        if ((ier & IER_RECEIVED) != 0 && count > 0) {
            // The timeout of four character times is over at once: input comes in bursts here.
            return (fcr & FCR_ENABLE) == 0 || count >= TRIGGER[fcr >>> 6] ? IIR_RECEIVED : IIR_TIMEOUT;
        }
        if ((ier & IER_TRANSMITTER) != 0 && transmitterEmpty) {
            return IIR_TRANSMITTER;
        }
        return (ier & IER_MODEM) != 0 && msrDelta != 0 ? IIR_MODEM : IIR_NONE;
    }

    private void update() {
        boolean request = interrupt() != IIR_NONE;
        if (request != raised) {
            raised = request;
            irq.set(request);
        }
    }

    @Override
    public synchronized int in(int port, int size) {
        boolean dlab = (lcr & LCR_DLAB) != 0;
        return switch (port & 7) {
            case 0 -> dlab ? divisor & 0xff : readReceived();
            case 1 -> dlab ? divisor >>> 8 : ier;
            case 2 -> readInterrupt();
            case 3 -> lcr;
            case 4 -> mcr;
            case 5 -> readLineStatus();
            case 6 -> readModemStatus();
            default -> scr;
        };
    }

    private int readReceived() {
        if (count == 0) {
            return 0;
        }
        int value = fifo[head] & 0xff;
        head = head + 1 & FIFO_SIZE - 1;
        count--;
        if (count == 0) {
            fill();
        }
        update();
        return value;
    }

    private int readInterrupt() {
        int source = interrupt();
        if (source == IIR_TRANSMITTER) {
            transmitterEmpty = false;
            update();
        }
        return source | ((fcr & FCR_ENABLE) != 0 ? 0xc0 : 0);
    }

    private int readLineStatus() {
        int value = LSR_EMPTY | (count > 0 ? LSR_DATA_READY : 0) | (overrun ? LSR_OVERRUN : 0);
        if (overrun) {
            overrun = false;
            update();
        }
        return value;
    }

    private int modemLines() {
        if ((mcr & MCR_LOOP) == 0) {
            return MSR_CONNECTED;
        }
        // RTS to CTS, DTR to DSR, OUT1 to RI, OUT2 to DCD.
        return (mcr & 2) << 3 | (mcr & 1) << 5 | (mcr & 4) << 4 | (mcr & 8) << 4;
    }

    private int readModemStatus() {
        int value = modemLines() | msrDelta;
        if (msrDelta != 0) {
            msrDelta = 0;
            update();
        }
        return value;
    }

    @Override
    public void out(int port, int size, int value) {
        if ((port & 7) == 0 && transmit(value & 0xff)) {
            // Outside the lock: it may wait for a slow reader, and input must go on meanwhile.
            console.write((byte) value);
        } else if ((port & 7) != 0) {
            writeRegister(port & 7, value & 0xff);
        }
    }

    /** Takes a write to THR; true if the byte goes out. */
    private synchronized boolean transmit(int value) {
        if ((lcr & LCR_DLAB) != 0) {
            divisor = divisor & 0xff00 | value;
            return false;
        }
        boolean loop = (mcr & MCR_LOOP) != 0;
        if (loop) {
            receive(value);
        }
        transmitterEmpty = true;
        update();
        return !loop;
    }

    private synchronized void writeRegister(int register, int value) {
        switch (register) {
            case 1 -> {
                if ((lcr & LCR_DLAB) != 0) {
                    divisor = divisor & 0xff | value << 8;
                    return;
                }
                if ((value & ~ier & IER_TRANSMITTER) != 0) {
                    transmitterEmpty = true;
                }
                ier = value & 0x0f;
            }
            case 2 -> fifoControl(value);
            case 3 -> lcr = value;
            case 4 -> {
                int before = modemLines();
                mcr = value & 0x1f;
                int changed = before ^ modemLines();
                // Bit 2 of MSR is for the trailing edge of RI only.
                msrDelta |= changed >>> 4 & 0b1011 | (before & 0x40 & changed) >>> 4;
                fill();
            }
            case 7 -> scr = value;
            default -> {
                // LSR and MSR are read only.
            }
        }
        update();
    }

    private void fifoControl(int value) {
        boolean toggled = ((value ^ fcr) & FCR_ENABLE) != 0;
        if (toggled || (value & FCR_CLEAR_RECEIVER) != 0) {
            count = 0;
            head = 0;
        }
        fcr = (value & FCR_ENABLE) != 0 ? value & 0xc1 : 0;
        fill();
    }
}
