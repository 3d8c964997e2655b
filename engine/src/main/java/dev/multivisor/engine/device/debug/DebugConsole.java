package dev.multivisor.engine.device.debug;

import dev.multivisor.api.Console;
import dev.multivisor.engine.device.PortBus;
import dev.multivisor.engine.device.PortHandler;

/**
 * Port 0xe9 as in Bochs: what is written there appears outside; it reads as itself, so that guests find it. No state.
 */
public final class DebugConsole implements PortHandler {
    private static final int PORT = 0xe9;

    private final Console console;

    public DebugConsole(Console console) {
        this.console = console;
    }

    /** Claims the port. */
    public void map(PortBus ports) {
        ports.map(PORT, 1, this);
    }

    @Override
    public int in(int port, int size) {
        return PORT;
    }

    @Override
    public void out(int port, int size, int value) {
        console.write((byte) value);
    }
}
