package dev.multivisor.engine.device.acpi;

import dev.multivisor.engine.device.GuestTime;
import dev.multivisor.engine.device.IrqLine;
import dev.multivisor.engine.device.MachineControl;
import dev.multivisor.engine.device.PortBus;
import dev.multivisor.engine.device.PortHandler;
import dev.multivisor.engine.device.StateCheck;
import dev.multivisor.engine.device.Timers;

/**
 * The fixed hardware of ACPI (ACPI specification 6.5, section 4.8): PM1 event and control registers, the power
 * management timer of 32 bits, and a block of general-purpose events. Always in ACPI mode.
 */
public final class AcpiPm implements PortHandler {
    /** PM1_STS and PM1_EN. */
    public static final int EVENT_PORT = 0x600;

    /** PM1_CNT. */
    public static final int CONTROL_PORT = 0x604;

    /** PM_TMR. */
    public static final int TIMER_PORT = 0x608;

    /** GPE0_STS and GPE0_EN, two bytes each. */
    public static final int GPE_PORT = 0x610;

    /** All ports together. */
    public static final int PORTS = 0x14;

    /** The system control interrupt. */
    public static final int SCI = 9;

    /** SLP_TYP of soft-off, as \_S5 says. */
    public static final int SLEEP_TYPE_OFF = 5;

    /** Rate of PM_TMR. */
    public static final long TIMER_HERTZ = 3_579_545;

    private static final int TIMER_STATUS = 1;
    private static final int POWER_BUTTON = 1 << 8;
    private static final int STATUS_BITS = 0x8731;
    private static final int ENABLE_BITS = 0x0721;
    private static final int SCI_ENABLED = 1;
    private static final int SLEEP_ENABLE = 1 << 13;

    private final GuestTime time;
    private final IrqLine sci;
    private final MachineControl machine;
    private final Timers.Timer timer;
    private int status;
    private int enable;
    private int control;
    private int gpeStatus;
    private int gpeEnable;
    private long halfPeriods;

    /** As after power-on. */
    public AcpiPm(GuestTime time, Timers timers, IrqLine sci, MachineControl machine) {
        this.time = time;
        this.sci = sci;
        this.machine = machine;
        timer = timers.add(this::fire);
        halfPeriods = halfPeriodsNow();
    }

    /** Restores the registers. */
    public AcpiPm(GuestTime time, Timers timers, IrqLine sci, MachineControl machine, AcpiPmState state) {
        this.time = time;
        this.sci = sci;
        this.machine = machine;
        status = StateCheck.range("acpiPm.status", state.status(), 0, 0xffff);
        enable = StateCheck.range("acpiPm.enable", state.enable(), 0, 0xffff);
        control = StateCheck.range("acpiPm.control", state.control(), 0, 0xffff);
        gpeStatus = StateCheck.range("acpiPm.gpeStatus", state.gpeStatus(), 0, 0xffff);
        gpeEnable = StateCheck.range("acpiPm.gpeEnable", state.gpeEnable(), 0, 0xffff);
        halfPeriods = state.halfPeriods();
        timer = timers.add(this::fire);
        timer.arm(state.deadline());
    }

    /** The registers. */
    public synchronized AcpiPmState save() {
        return new AcpiPmState(status, enable, control, gpeStatus, gpeEnable, halfPeriods, timer.deadline());
    }

    /** Claims the ports. */
    public void map(PortBus ports) {
        ports.map(EVENT_PORT, 4, 4, this);
        ports.map(CONTROL_PORT, 2, 2, this);
        ports.map(TIMER_PORT, 4, 4, this);
        ports.map(GPE_PORT, 4, 4, this);
    }

    /** Presses and releases the power button: a guest that cares shuts down. */
    public synchronized void powerButton() {
        status |= POWER_BUTTON;
        update();
    }

    /** Raises general-purpose event 0 to 15. */
    public synchronized void event(int number) {
        gpeStatus |= 1 << number;
        update();
    }

    private long ticks() {
        return GuestTime.ticks(time.now(), TIMER_HERTZ);
    }

    private long halfPeriodsNow() {
        return ticks() >>> 31;
    }

    /** TMR_STS is set whenever the top bit changes. */
    private void checkTimer() {
        long now = halfPeriodsNow();
        if (now != halfPeriods) {
            halfPeriods = now;
            status |= TIMER_STATUS;
        }
    }

    private void arm() {
        boolean wanted = (enable & TIMER_STATUS) != 0 && (status & TIMER_STATUS) == 0;
        timer.arm(wanted ? GuestTime.nanos(halfPeriodsNow() + 1 << 31, TIMER_HERTZ) : Timers.NEVER);
    }

    private synchronized void fire(long now) {
        checkTimer();
        update();
        arm();
    }

    private void update() {
        sci.set((status & enable & ENABLE_BITS) != 0 || (gpeStatus & gpeEnable) != 0);
    }

    @Override
    public synchronized int in(int port, int size) {
        if (port >= TIMER_PORT && port < TIMER_PORT + 4) {
            return (int) (ticks() >>> (port - TIMER_PORT) * 8);
        }
        int value;
        if (port >= GPE_PORT) {
            value = gpeStatus | gpeEnable << 16;
        } else if (port >= CONTROL_PORT) {
            value = control | SCI_ENABLED;
        } else {
            checkTimer();
            value = status | enable << 16;
        }
        return value >>> (port & 3) * 8;
    }

    @Override
    public void out(int port, int size, int value) {
        if (write(port, size, value)) {
            machine.powerOff();
        }
    }

    /** Writes any bytes of a register; true if the machine is to be switched off. */
    private synchronized boolean write(int port, int size, int value) {
        int shift = (port & 3) * 8;
        int bits = (size == 4 ? -1 : (1 << size * 8) - 1) << shift;
        int placed = value << shift & bits;
        if (port >= GPE_PORT) {
            gpeStatus &= ~(placed & 0xffff);
            gpeEnable = gpeEnable & ~(bits >>> 16) | placed >>> 16;
        } else if (port >= TIMER_PORT) {
            return false;
        } else if (port >= CONTROL_PORT) {
            int written = control & ~bits | placed;
            control = written & 0x1c06;
            return (written & SLEEP_ENABLE) != 0 && (written >>> 10 & 7) == SLEEP_TYPE_OFF;
        } else {
            checkTimer();
            status &= ~(placed & STATUS_BITS);
            enable = (enable & ~(bits >>> 16) | placed >>> 16) & ENABLE_BITS;
        }
        update();
        arm();
        return false;
    }
}
