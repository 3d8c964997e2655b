package dev.multivisor.engine.device.debug;

import dev.multivisor.engine.device.MachineControl;
import dev.multivisor.engine.device.PortBus;
import dev.multivisor.engine.device.PortHandler;

/**
 * QEMU's isa-debug-exit at port 0xf4, four bytes wide: a write ends the machine with {@code (value << 1) | 1}. No
 * state.
 */
public final class DebugExit implements PortHandler {
    private static final int PORT = 0xf4;

    private final MachineControl control;

    public DebugExit(MachineControl control) {
        this.control = control;
    }

    /** Claims the ports. */
    public void map(PortBus ports) {
        ports.map(PORT, 4, 4, this);
    }

    @Override
    public int in(int port, int size) {
        return 0;
    }

    @Override
    public void out(int port, int size, int value) {
        control.debugExit(value << 1 | 1);
    }
}
