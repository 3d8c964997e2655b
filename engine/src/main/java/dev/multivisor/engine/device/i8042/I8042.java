package dev.multivisor.engine.device.i8042;

import dev.multivisor.engine.device.MachineControl;
import dev.multivisor.engine.device.PortBus;
import dev.multivisor.engine.device.PortHandler;
import dev.multivisor.engine.device.StateCheck;

/**
 * An 8042 keyboard controller with nothing plugged in: there to reset the machine and to answer its own commands. The
 * FADT does not announce it, so that Linux does not wait for devices. It raises no interrupts.
 */
public final class I8042 implements PortHandler {
    private static final int DATA = 0x60;
    private static final int COMMAND = 0x64;

    private static final int STATUS_OUTPUT_FULL = 0x01;
    private static final int STATUS_SYSTEM = 0x04;
    private static final int STATUS_UNLOCKED = 0x10;
    private static final int STATUS_AUXILIARY = 0x20;

    private static final int READ_MODE = 0x20;
    private static final int WRITE_MODE = 0x60;
    private static final int DISABLE_AUXILIARY = 0xa7;
    private static final int ENABLE_AUXILIARY = 0xa8;
    private static final int TEST_AUXILIARY = 0xa9;
    private static final int SELF_TEST = 0xaa;
    private static final int TEST_KEYBOARD = 0xab;
    private static final int DISABLE_KEYBOARD = 0xad;
    private static final int ENABLE_KEYBOARD = 0xae;
    private static final int READ_OUTPUT_PORT = 0xd0;
    private static final int WRITE_OUTPUT_PORT = 0xd1;
    private static final int LOOP_KEYBOARD = 0xd2;
    private static final int LOOP_AUXILIARY = 0xd3;
    private static final int WRITE_AUXILIARY = 0xd4;

    private static final int MODE_KEYBOARD_DISABLED = 0x10;
    private static final int MODE_AUXILIARY_DISABLED = 0x20;
    /** Bit 0: reset, active low; bit 1: address line 20, always on here. */
    private static final int OUTPUT_PORT = 0x03;

    private final MachineControl control;
    private int mode = 0x04;
    private int command = -1;
    private int output = -1;
    private boolean auxiliary;

    /** As after its self-test. */
    public I8042(MachineControl control) {
        this.control = control;
    }

    /** Restores the registers. */
    public I8042(MachineControl control, I8042State state) {
        this.control = control;
        mode = StateCheck.range("i8042.mode", state.mode(), 0, 0xff);
        command = StateCheck.range("i8042.command", state.command(), -1, 0xff);
        output = StateCheck.range("i8042.output", state.output(), -1, 0xff);
        auxiliary = state.auxiliary();
    }

    /** The registers. */
    public synchronized I8042State save() {
        return new I8042State(mode, command, output, auxiliary);
    }

    /** Claims the ports. */
    public void map(PortBus ports) {
        ports.map(DATA, 1, this);
        ports.map(COMMAND, 1, this);
    }

    @Override
    public synchronized int in(int port, int size) {
        if (port == COMMAND) {
            int status = STATUS_SYSTEM | STATUS_UNLOCKED;
            return output < 0 ? status : status | STATUS_OUTPUT_FULL | (auxiliary ? STATUS_AUXILIARY : 0);
        }
        int value = Math.max(output, 0);
        output = -1;
        return value;
    }

    @Override
    public void out(int port, int size, int value) {
        if (port == COMMAND ? command(value) : data(value)) {
            control.reset();
        }
    }

    private void answer(int value, boolean fromAuxiliary) {
        output = value;
        auxiliary = fromAuxiliary;
    }

    /** Takes a command; true if it resets the machine. */
    private synchronized boolean command(int value) {
        command = -1;
        switch (value) {
            case READ_MODE -> answer(mode, false);
            case DISABLE_AUXILIARY -> mode |= MODE_AUXILIARY_DISABLED;
            case ENABLE_AUXILIARY -> mode &= ~MODE_AUXILIARY_DISABLED;
            case DISABLE_KEYBOARD -> mode |= MODE_KEYBOARD_DISABLED;
            case ENABLE_KEYBOARD -> mode &= ~MODE_KEYBOARD_DISABLED;
            case SELF_TEST -> answer(0x55, false);
            case TEST_KEYBOARD, TEST_AUXILIARY -> answer(0, false);
            case READ_OUTPUT_PORT -> answer(OUTPUT_PORT, false);
            case WRITE_MODE, WRITE_OUTPUT_PORT, LOOP_KEYBOARD, LOOP_AUXILIARY, WRITE_AUXILIARY -> command = value;
            default -> {
                // 0xf0 to 0xff pulse output lines for each bit that is 0; bit 0 is the processor's reset.
                return (value & 0xf1) == 0xf0;
            }
        }
        return false;
    }

    /** Takes a data byte; true if it resets the machine. */
    private synchronized boolean data(int value) {
        int waiting = command;
        command = -1;
        switch (waiting) {
            case WRITE_MODE -> mode = value;
            case LOOP_KEYBOARD -> answer(value, false);
            case LOOP_AUXILIARY -> answer(value, true);
            case WRITE_OUTPUT_PORT -> {
                return (value & 1) == 0;
            }
            default -> {
                // For a keyboard or mouse that is not there: nobody acknowledges it.
            }
        }
        return false;
    }
}
