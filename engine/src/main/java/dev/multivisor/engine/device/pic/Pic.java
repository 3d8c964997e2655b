package dev.multivisor.engine.device.pic;

import dev.multivisor.engine.device.IrqLine;
import dev.multivisor.engine.device.PortBus;
import dev.multivisor.engine.device.PortHandler;
import dev.multivisor.engine.device.StateCheck;

/** The two 8259As of a PC/AT with their edge/level control registers: ports 0x20, 0x21, 0xa0, 0xa1, 0x4d0 and 0x4d1. */
public final class Pic implements PortHandler {
    /** The master's input that takes the slave's output. */
    static final int CASCADE = 2;

    private static final int MASTER = 0x20;
    private static final int SLAVE = 0xa0;
    private static final int ELCR = 0x4d0;

    private final Pic8259 master;
    private final Pic8259 slave;
    private final IrqLine output;
    private boolean raised;

    /**
     * As firmware leaves them: vectors 8 and 0x70, everything but the timer, keyboard and cascade masked.
     *
     * @param output to LINT0 of the local APICs
     */
    public Pic(IrqLine output) {
        this.output = output;
        master = new Pic8259(true, 8, 0xf8);
        slave = new Pic8259(false, 0x70, 0xff);
    }

    /** Restores both; the output's level is part of the local APIC's state, so nothing is driven. */
    public Pic(IrqLine output, PicState state) {
        this.output = output;
        master = new Pic8259(true, StateCheck.present("pic.master", state.master()));
        slave = new Pic8259(false, StateCheck.present("pic.slave", state.slave()));
        raised = master.highest() >= 0;
    }

    /** Their state. */
    public synchronized PicState save() {
        return new PicState(master.save(), slave.save());
    }

    /** Claims the ports. */
    public void map(PortBus ports) {
        ports.map(MASTER, 2, this);
        ports.map(SLAVE, 2, this);
        ports.map(ELCR, 2, this);
    }

    /** Drives input 0 to 15. */
    public synchronized void set(int irq, boolean level) {
        if (irq < 8) {
            master.set(irq, level);
        } else {
            slave.set(irq - 8, level);
        }
        update();
    }

    /** INTA cycle: the vector of the interrupt to serve; the spurious one if the request has gone meanwhile. */
    public synchronized int acknowledge() {
        int input = master.highest();
        int vector;
        if (input < 0) {
            vector = master.vector(7);
        } else {
            master.acknowledge(input);
            vector = input == CASCADE ? acknowledgeSlave() : master.vector(input);
        }
        update();
        return vector;
    }

    private int acknowledgeSlave() {
        int input = slave.highest();
        if (input < 0) {
            return slave.vector(7);
        }
        slave.acknowledge(input);
        // INT goes low during INTA, so that a further request is a new edge for the master.
        master.set(CASCADE, false);
        return slave.vector(input);
    }

    private void update() {
        master.set(CASCADE, slave.highest() >= 0);
        boolean request = master.highest() >= 0;
        if (request != raised) {
            raised = request;
            output.set(request);
        }
    }

    @Override
    public synchronized int in(int port, int size) {
        int value = switch (port & ~1) {
            case MASTER -> master.read(port & 1);
            case SLAVE -> slave.read(port & 1);
            default -> (port & 1) == 0 ? master.elcr() : slave.elcr();
        };
        update();
        return value;
    }

    @Override
    public synchronized void out(int port, int size, int value) {
        switch (port & ~1) {
            case MASTER -> master.write(port & 1, value);
            case SLAVE -> slave.write(port & 1, value);
            default -> {
                if ((port & 1) == 0) {
                    master.elcr(value);
                } else {
                    slave.elcr(value);
                }
            }
        }
        update();
    }
}
