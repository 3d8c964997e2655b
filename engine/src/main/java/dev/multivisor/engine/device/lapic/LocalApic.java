package dev.multivisor.engine.device.lapic;

import dev.multivisor.engine.device.GuestTime;
import dev.multivisor.engine.device.InvalidMsrException;
import dev.multivisor.engine.device.StateCheck;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A vCPU's local APIC (Intel SDM vol. 3, chapter 11), as xAPIC and x2APIC.
 *
 * <p>Its registers are used by its own vCPU's thread alone. Other threads only put things in: bits of IRR and TMR,
 * INIT, SIPI and NMI, and the level of the 8259s; then they set {@link #pending}. They read just what decides whether
 * a message is for this APIC. So nothing here takes a lock.
 */
public final class LocalApic {
    /** Delivery modes of a message, bits 8 to 10 of ICR, a redirection entry, or MSI data. */
    static final int FIXED = 0;

    static final int LOWEST_PRIORITY = 1;
    static final int NMI = 4;
    static final int INIT = 5;
    static final int STARTUP = 6;
    static final int EXT_INT = 7;

    /** IA32_APIC_BASE. */
    public static final int MSR_APIC_BASE = 0x1b;

    /** IA32_TSC_DEADLINE. */
    public static final int MSR_TSC_DEADLINE = 0x6e0;

    /** First of the x2APIC registers. */
    public static final int MSR_X2APIC = 0x800;

    private static final long BASE_BSP = 1L << 8;
    private static final long BASE_EXTD = 1L << 10;
    private static final long BASE_ENABLE = 1L << 11;

    private static final int EVENT_INIT = 1;
    private static final int EVENT_STARTUP = 2;
    private static final int EVENT_NMI = 4;

    static final int LVT_TIMER = 0;
    static final int LVT_LINT0 = 3;
    static final int LVT_LINT1 = 4;
    static final int LVT_ERROR = 5;
    static final int LVTS = 6;
    private static final int LVT_MASKED = 1 << 16;
    /** Bits of each LVT register that can be written. */
    private static final int[] LVT_WRITABLE = {0x700ff, 0x107ff, 0x107ff, 0x1a7ff, 0x1a7ff, 0x100ff};

    static final int ERROR_SEND_ILLEGAL_VECTOR = 1 << 5;
    static final int ERROR_RECEIVE_ILLEGAL_VECTOR = 1 << 6;
    static final int ERROR_ILLEGAL_REGISTER = 1 << 7;

    private static final int SVR_ENABLE = 1 << 8;

    private final int cpu;
    private final LocalApics bus;
    final ApicTimer timer;
    private volatile long base;
    private volatile int ldr;
    private volatile int dfr;
    private volatile int svr;
    private int tpr;
    private final int[] lvt;
    private final VectorSet irr;
    private final VectorSet isr;
    private final VectorSet tmr;
    private int esr;
    private final AtomicInteger errors = new AtomicInteger();
    private long icr;
    private final AtomicInteger events = new AtomicInteger();
    private volatile int startupVector;
    private volatile boolean externalInterrupt;
    private volatile boolean pending;

    LocalApic(int cpu, LocalApics bus, GuestTime time, TscTime tsc) {
        this.cpu = cpu;
        this.bus = bus;
        timer = new ApicTimer(cpu, time, tsc, () -> bus.wake(cpu));
        base = LocalApics.ADDRESS | BASE_ENABLE | (cpu == 0 ? BASE_BSP : 0);
        lvt = new int[LVTS];
        irr = new VectorSet();
        isr = new VectorSet();
        tmr = new VectorSet();
        reset();
    }

    LocalApic(int cpu, LocalApics bus, GuestTime time, TscTime tsc, LocalApicState state) {
        this.cpu = cpu;
        this.bus = bus;
        String name = "localApic." + cpu + ".";
        base = state.base();
        if ((base & ~(BASE_BSP | BASE_EXTD | BASE_ENABLE)) != LocalApics.ADDRESS) {
            StateCheck.range(name + "base", base, LocalApics.ADDRESS, LocalApics.ADDRESS);
        }
        ldr = state.ldr();
        dfr = state.dfr();
        svr = state.svr();
        tpr = StateCheck.range(name + "tpr", state.tpr(), 0, 0xff);
        lvt = StateCheck.copy(name + "lvt", state.lvt(), LVTS);
        irr = new VectorSet(name + "irr", state.irr());
        isr = new VectorSet(name + "isr", state.isr());
        tmr = new VectorSet(name + "tmr", state.tmr());
        esr = state.esr();
        errors.set(state.errors());
        icr = state.icr();
        timer = new ApicTimer(cpu, time, tsc, () -> bus.wake(cpu));
        timer.restore(lvt[LVT_TIMER], state);
        events.set(StateCheck.range(name + "events", state.events(), 0, 7));
        startupVector = StateCheck.range(name + "startupVector", state.startupVector(), 0, 0xff);
        externalInterrupt = state.externalInterrupt();
        refresh();
    }

    /** Everything that a guest could notice. */
    public LocalApicState save() {
        return new LocalApicState(
                base,
                tpr,
                ldr,
                dfr,
                svr,
                lvt.clone(),
                irr.save(),
                isr.save(),
                tmr.save(),
                esr,
                errors.get(),
                icr,
                timer.divide(),
                timer.initialCount(),
                timer.start(),
                timer.deadline(),
                timer.tscDeadline(),
                events.get(),
                startupVector,
                externalInterrupt);
    }

    /**
     * State after INIT (11.4.7.3): everything but the base and the ID. LINT0 of the first one is as firmware leaves
     * it.
     */
    private void reset() {
        tpr = 0;
        ldr = 0;
        dfr = -1;
        svr = 0xff;
        Arrays.fill(lvt, LVT_MASKED);
        if (cpu == 0) {
            lvt[LVT_LINT0] = EXT_INT << 8;
        }
        irr.clearAll();
        isr.clearAll();
        tmr.clearAll();
        esr = 0;
        errors.set(0);
        icr = 0;
        timer.reset();
    }

    // ---- Towards the vCPU ----

    /** Whether the vCPU should look: never false when there is something, sometimes true in vain. From any thread. */
    public boolean pending() {
        return pending;
    }

    /** Whether {@link #acknowledge} would return a vector. */
    public boolean interruptPending() {
        if (externalInterruptAccepted()) {
            return true;
        }
        int vector = irr.highest();
        return vector >= 0 && softwareEnabled() && vector >>> 4 > processorPriority() >>> 4;
    }

    /**
     * Takes the interrupt of the highest priority into service.
     *
     * @return its vector, or -1 if there is none that the task priority lets through
     */
    public int acknowledge() {
        int vector = -1;
        if (externalInterruptAccepted()) {
            vector = bus.acknowledgeExternal();
        } else {
            int highest = irr.highest();
            if (highest >= 0 && softwareEnabled() && highest >>> 4 > processorPriority() >>> 4) {
                irr.clear(highest);
                isr.set(highest);
                vector = highest;
            }
        }
        refresh();
        return vector;
    }

    /** Takes an INIT; the APIC itself is reset. The vCPU then waits for {@link #takeStartup}. */
    public boolean takeInit() {
        if (!take(EVENT_INIT)) {
            return false;
        }
        // A SIPI sent after the INIT stays.
        reset();
        refresh();
        return true;
    }

    /** Takes a SIPI: its vector, so that the vCPU starts at {@code vector << 12}, or -1. */
    public int takeStartup() {
        int vector = startupVector;
        return take(EVENT_STARTUP) ? vector : -1;
    }

    /** Takes a non-maskable interrupt. */
    public boolean takeNmi() {
        return take(EVENT_NMI);
    }

    /** Whether a non-maskable interrupt waits. */
    public boolean nmiPending() {
        return (events.get() & EVENT_NMI) != 0;
    }

    /** Whether INIT waits. */
    public boolean initPending() {
        return (events.get() & EVENT_INIT) != 0;
    }

    private boolean take(int event) {
        boolean taken = (events.getAndAccumulate(~event, (a, b) -> a & b) & event) != 0;
        refresh();
        return taken;
    }

    /** Recomputes {@link #pending}: clears it first, so that what arrives meanwhile is not missed. */
    private void refresh() {
        pending = false;
        if (events.get() != 0 || interruptPending()) {
            pending = true;
        }
    }

    /** After the guest's own write has let a waiting interrupt through: the vCPU is to look at the next boundary. */
    private void refreshAndWake() {
        refresh();
        if (pending) {
            bus.wake(cpu);
        }
    }

    /** When {@link #poll} has something to do, in guest time. Asked by the own vCPU. */
    public long nextDeadline() {
        return timer.deadline();
    }

    /** Fires the timer if it is due. Called by the own vCPU. */
    public void poll(long now) {
        if (timer.fire(now)) {
            local(LVT_TIMER);
        }
    }

    /** The own vCPU's time-stamp counter was written. */
    public void tscChanged() {
        timer.tscChanged();
    }

    /** CR8. */
    public int taskPriority() {
        return tpr >>> 4;
    }

    /** Writes CR8. */
    public void taskPriority(int priority) {
        taskPriorityRegister(priority << 4);
    }

    // ---- From the bus ----

    boolean x2apic() {
        return (base & BASE_EXTD) != 0;
    }

    int id() {
        return cpu;
    }

    /** Whether a message is for this APIC (11.6.2). */
    boolean matches(int destination, boolean logical, boolean wide) {
        long mode = base;
        if ((mode & BASE_ENABLE) == 0) {
            return false;
        }
        if (destination == (wide ? -1 : 0xff)) {
            return true;
        }
        if (!logical) {
            return destination == cpu;
        }
        if ((mode & BASE_EXTD) != 0) {
            return destination >>> 16 == cpu >>> 4 && (destination >>> (cpu & 15) & 1) != 0;
        }
        int own = ldr >>> 24;
        if (dfr >>> 28 == 0xf) {
            return (own & destination) != 0;
        }
        return own >>> 4 == (destination >>> 4 & 0xf) && (own & destination & 0xf) != 0;
    }

    boolean softwareEnabled() {
        return (svr & SVR_ENABLE) != 0 && (base & BASE_ENABLE) != 0;
    }

    /** Takes a message. */
    void receive(int mode, int vector, boolean level) {
        switch (mode) {
            case FIXED, LOWEST_PRIORITY -> accept(vector, level);
            case NMI -> event(EVENT_NMI);
            case INIT -> event(EVENT_INIT);
            case STARTUP -> {
                startupVector = vector;
                event(EVENT_STARTUP);
            }
            default -> {
                // SMI, and ExtINT, which comes by the wire.
            }
        }
    }

    private void event(int event) {
        events.accumulateAndGet(event, (a, b) -> a | b);
        attention();
    }

    private void accept(int vector, boolean level) {
        if (!softwareEnabled()) {
            return;
        }
        if (vector < 16) {
            error(ERROR_RECEIVE_ILLEGAL_VECTOR);
            return;
        }
        if (level) {
            tmr.set(vector);
        } else {
            tmr.clear(vector);
        }
        if (irr.set(vector)) {
            attention();
        }
    }

    private void attention() {
        pending = true;
        bus.wake(cpu);
    }

    void error(int bit) {
        if ((errors.getAndAccumulate(bit, (a, b) -> a | b) & bit) == 0) {
            local(LVT_ERROR);
        }
    }

    /** The 8259s' output. */
    void externalInterrupt(boolean level) {
        externalInterrupt = level;
        if (level) {
            attention();
        }
    }

    private boolean externalInterruptAccepted() {
        if (!externalInterrupt) {
            return false;
        }
        int lint0 = lvt[LVT_LINT0];
        return (base & BASE_ENABLE) == 0 || (lint0 & LVT_MASKED) == 0 && (lint0 >>> 8 & 7) == EXT_INT;
    }

    /** An interrupt of the local vector table. */
    void local(int index) {
        int entry = lvt[index];
        if ((entry & LVT_MASKED) == 0) {
            int mode = index == LVT_TIMER || index == LVT_ERROR ? FIXED : entry >>> 8 & 7;
            receive(mode, entry & 0xff, false);
        }
    }

    // ---- Registers: see ApicRegisters for the two ways to reach them ----

    int taskPriorityRegister() {
        return tpr;
    }

    void taskPriorityRegister(int value) {
        tpr = value & 0xff;
        refreshAndWake();
    }

    /** PPR (11.8.3.1). */
    int processorPriority() {
        int serving = isr.highest();
        return serving >>> 4 > tpr >>> 4 && serving >= 0 ? serving & 0xf0 : tpr;
    }

    void endOfInterrupt() {
        int vector = isr.highest();
        if (vector < 0) {
            return;
        }
        isr.clear(vector);
        if (tmr.contains(vector)) {
            bus.endOfInterrupt(vector);
        }
        refreshAndWake();
    }

    int logicalDestination() {
        return x2apic() ? cpu >>> 4 << 16 | 1 << (cpu & 15) : ldr;
    }

    void logicalDestination(int value) {
        ldr = value & 0xff000000;
    }

    int destinationFormat() {
        return dfr;
    }

    void destinationFormat(int value) {
        dfr = value | 0x0fffffff;
    }

    int spurious() {
        return svr;
    }

    void spurious(int value) {
        svr = value & 0x1ff;
        if ((value & SVR_ENABLE) == 0) {
            for (int i = 0; i < LVTS; i++) {
                lvt[i] |= LVT_MASKED;
            }
        }
        refresh();
    }

    VectorSet inService() {
        return isr;
    }

    VectorSet triggerMode() {
        return tmr;
    }

    VectorSet requests() {
        return irr;
    }

    int errorStatus() {
        return esr;
    }

    /** Any write latches the errors since the last one (11.5.3). */
    void latchErrors() {
        esr = errors.getAndSet(0);
    }

    int lvt(int index) {
        return lvt[index];
    }

    void lvt(int index, int value) {
        int written = value & LVT_WRITABLE[index];
        if ((svr & SVR_ENABLE) == 0) {
            written |= LVT_MASKED;
        }
        lvt[index] = written;
        if (index == LVT_TIMER) {
            timer.mode(written);
        }
        refresh();
    }

    long command() {
        return icr;
    }

    /** Writes ICR: the destination in the upper half, of 32 bits in x2APIC mode, else its top 8 bits. */
    void command(long value) {
        icr = value & 0xffffffff_000ccfffL;
    }

    void send() {
        bus.send(this, icr);
    }

    void sendSelf(int vector) {
        if (vector < 16) {
            error(ERROR_SEND_ILLEGAL_VECTOR);
        } else {
            receive(FIXED, vector, false);
        }
    }

    // ---- MSRs ----

    /** Whether an MSR belongs to the local APIC. */
    public static boolean owns(int msr) {
        return msr == MSR_APIC_BASE || msr == MSR_TSC_DEADLINE || (msr & ~0xff) == MSR_X2APIC;
    }

    /**
     * Reads an MSR.
     *
     * @throws InvalidMsrException for #GP(0)
     */
    public long readMsr(int msr) {
        return switch (msr) {
            case MSR_APIC_BASE -> base;
            case MSR_TSC_DEADLINE -> timer.tscDeadline();
            default -> {
                if (!x2apic() || (msr & ~0xff) != MSR_X2APIC) {
                    throw InvalidMsrException.INSTANCE;
                }
                yield ApicRegisters.readMsr(this, msr - MSR_X2APIC);
            }
        };
    }

    /**
     * Writes an MSR.
     *
     * @throws InvalidMsrException for #GP(0)
     */
    public void writeMsr(int msr, long value) {
        switch (msr) {
            case MSR_APIC_BASE -> base(value);
            case MSR_TSC_DEADLINE -> timer.tscDeadline(value);
            default -> {
                if (!x2apic() || (msr & ~0xff) != MSR_X2APIC) {
                    throw InvalidMsrException.INSTANCE;
                }
                ApicRegisters.writeMsr(this, msr - MSR_X2APIC, value);
            }
        }
    }

    /** IA32_APIC_BASE (11.12.5); the address cannot be moved here. */
    private void base(long value) {
        long before = base;
        boolean enable = (value & BASE_ENABLE) != 0;
        boolean extended = (value & BASE_EXTD) != 0;
        boolean illegal = (value & ~(BASE_BSP | BASE_EXTD | BASE_ENABLE)) != LocalApics.ADDRESS
                || extended && !enable
                || extended && (before & BASE_ENABLE) == 0
                || !extended && enable && (before & BASE_EXTD) != 0;
        if (illegal) {
            throw InvalidMsrException.INSTANCE;
        }
        base = value;
        if (!enable && (before & BASE_ENABLE) != 0) {
            reset();
        }
        refresh();
    }
}
