package dev.multivisor.engine.device.i8042;

import dev.multivisor.engine.device.MachineControl;
import dev.multivisor.engine.device.PortBus;
import dev.multivisor.engine.device.PortHandler;

/**
 * System control port A (0x92) of the PS/2 and the reset control register (0xcf9) of chipsets. The latter lies among
 * the ports of PCI configuration, which hand accesses of one byte on to it. Neither keeps anything.
 */
public final class ResetControl implements PortHandler {
    /** The reset control register, which the FADT names too. */
    public static final int RESET_PORT = 0xcf9;

    /** What the FADT tells to write there: reset the processor, hard. */
    public static final int RESET_VALUE = 0x06;

    private static final int SYSTEM_CONTROL_A = 0x92;
    private static final int A20 = 0x02;
    private static final int RESET_CPU = 0x04;

    private final MachineControl control;

    public ResetControl(MachineControl control) {
        this.control = control;
    }

    /** Claims port 0x92; {@link #RESET_PORT} is reached through the PCI host bridge. */
    public void map(PortBus ports) {
        ports.map(SYSTEM_CONTROL_A, 1, this);
    }

    @Override
    public int in(int port, int size) {
        return port == SYSTEM_CONTROL_A ? A20 : 0;
    }

    @Override
    public void out(int port, int size, int value) {
        if (port == SYSTEM_CONTROL_A && (value & 1) != 0 || port == RESET_PORT && (value & RESET_CPU) != 0) {
            control.reset();
        }
    }
}
