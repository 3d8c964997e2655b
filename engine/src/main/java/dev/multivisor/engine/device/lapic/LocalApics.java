package dev.multivisor.engine.device.lapic;

import dev.multivisor.engine.device.GuestTime;
import dev.multivisor.engine.device.MmioHandler;
import dev.multivisor.engine.device.StateCheck;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntConsumer;
import java.util.function.IntSupplier;

/** The local APICs of all vCPUs and the messages between them, the I/O APIC and devices. */
public final class LocalApics implements MmioHandler {
    /** Guest-physical address of the registers in xAPIC mode; each vCPU finds its own there. */
    public static final long ADDRESS = 0xfee00000L;

    /** Bytes of address space. */
    public static final long SIZE = 0x1000;

    private static final int ICR_LOGICAL = 1 << 11;
    private static final int ICR_ASSERT = 1 << 14;
    private static final int ICR_LEVEL = 1 << 15;

    private final LocalApic[] apics;
    private final IntConsumer wake;
    private IntConsumer endOfInterrupt = vector -> {};
    private IntSupplier external = () -> 0xff;

    /**
     * As after power-on.
     *
     * @param wake called with a vCPU's number when something is pending for it; from any thread, must not block
     */
    public LocalApics(int cpus, GuestTime time, TscTime tsc, IntConsumer wake) {
        this.wake = wake;
        apics = new LocalApic[cpus];
        for (int cpu = 0; cpu < cpus; cpu++) {
            apics[cpu] = new LocalApic(cpu, this, time, tsc);
        }
    }

    /** Restores them, one state per vCPU. Wakes nobody: ask {@link LocalApic#pending}. */
    public LocalApics(int cpus, GuestTime time, TscTime tsc, IntConsumer wake, List<LocalApicState> states) {
        this.wake = wake;
        StateCheck.length("localApics", StateCheck.present("localApics", states).size(), cpus);
        apics = new LocalApic[cpus];
        for (int cpu = 0; cpu < cpus; cpu++) {
            apics[cpu] = new LocalApic(cpu, this, time, tsc, StateCheck.present("localApic." + cpu, states.get(cpu)));
        }
    }

    /** State of each, by vCPU. */
    public List<LocalApicState> save() {
        List<LocalApicState> states = new ArrayList<>();
        for (LocalApic apic : apics) {
            states.add(apic.save());
        }
        return states;
    }

    /** A vCPU's own. */
    public LocalApic apic(int cpu) {
        return apics[cpu];
    }

    /** Connects the I/O APIC, which is told of the end of each level-triggered interrupt. Called while building. */
    public void onEoi(IntConsumer listener) {
        endOfInterrupt = listener;
    }

    /** Connects the 8259s' interrupt acknowledgement. Called while building. */
    public void onExternalAcknowledge(IntSupplier acknowledge) {
        external = acknowledge;
    }

    /** The 8259s' output, wired to LINT0 of the first one. */
    public void externalInterrupt(boolean level) {
        apics[0].externalInterrupt(level);
    }

    int acknowledgeExternal() {
        return external.getAsInt();
    }

    void endOfInterrupt(int vector) {
        endOfInterrupt.accept(vector);
    }

    void wake(int cpu) {
        wake.accept(cpu);
    }

    /** Sends an NMI to one vCPU. */
    public void nmi(int cpu) {
        apics[cpu].receive(LocalApic.NMI, 0, false);
    }

    /**
     * Delivers a message of the I/O APIC or a device.
     *
     * @param destination eight bits
     * @param mode delivery mode, 0 to 7
     */
    public void deliver(int destination, boolean logical, int mode, int vector, boolean level) {
        route(destination & 0xff, logical, false, mode, vector, level);
    }

    /** A message-signalled interrupt (Intel SDM vol. 3, 11.11): a write of data to 0xfeeXXXXX. */
    public void message(long address, int data) {
        deliver((int) (address >>> 12) & 0xff, (address & 4) != 0, data >>> 8 & 7, data & 0xff, (data & 1 << 15) != 0);
    }

    private void route(int destination, boolean logical, boolean wide, int mode, int vector, boolean level) {
        if (mode == LocalApic.LOWEST_PRIORITY) {
            lowestPriority(destination, logical, wide, vector, level);
            return;
        }
        if (!logical && destination < apics.length && destination >= 0) {
            if (apics[destination].matches(destination, false, wide)) {
                apics[destination].receive(mode, vector, level);
            }
            return;
        }
        for (LocalApic apic : apics) {
            if (apic.matches(destination, logical, wide)) {
                apic.receive(mode, vector, level);
            }
        }
    }

    /** Priorities change all the time: the choice is made by the vector, so that it is spread and repeatable. */
    private void lowestPriority(int destination, boolean logical, boolean wide, int vector, boolean level) {
        int candidates = 0;
        for (LocalApic apic : apics) {
            if (apic.softwareEnabled() && apic.matches(destination, logical, wide)) {
                candidates++;
            }
        }
        if (candidates == 0) {
            return;
        }
        int skip = vector % candidates;
        for (LocalApic apic : apics) {
            if (apic.softwareEnabled() && apic.matches(destination, logical, wide) && skip-- == 0) {
                apic.receive(LocalApic.FIXED, vector, level);
                return;
            }
        }
    }

    /** Sends what the ICR says (11.6.1). */
    void send(LocalApic from, long icr) {
        int low = (int) icr;
        int mode = low >>> 8 & 7;
        int vector = low & 0xff;
        if ((mode == LocalApic.FIXED || mode == LocalApic.LOWEST_PRIORITY) && vector < 16) {
            from.error(LocalApic.ERROR_SEND_ILLEGAL_VECTOR);
            return;
        }
        if (mode == LocalApic.INIT && (low & (ICR_ASSERT | ICR_LEVEL)) == ICR_LEVEL) {
            // INIT level de-assert is for processors of the last century.
            return;
        }
        switch (low >>> 18 & 3) {
            case 1 -> from.receive(mode, vector, false);
            case 2 -> all(mode, vector, null);
            case 3 -> all(mode, vector, from);
            default -> {
                boolean wide = from.x2apic();
                int destination = (int) (icr >>> (wide ? 32 : 56));
                route(destination, (low & ICR_LOGICAL) != 0, wide, mode, vector, false);
            }
        }
    }

    private void all(int mode, int vector, LocalApic except) {
        for (LocalApic apic : apics) {
            if (apic != except) {
                apic.receive(mode, vector, false);
            }
        }
    }

    @Override
    public long read(int cpu, long offset, int size) {
        LocalApic apic = apics[cpu];
        if (apic.x2apic()) {
            return -1;
        }
        int value = (offset & 0xf) < 4 ? ApicRegisters.readMemory(apic, (int) offset >>> 4) : 0;
        return (value & 0xffffffffL) >>> (offset & 3) * 8;
    }

    @Override
    public void write(int cpu, long offset, int size, long value) {
        LocalApic apic = apics[cpu];
        if (!apic.x2apic() && (offset & 0xf) == 0) {
            ApicRegisters.writeMemory(apic, (int) offset >>> 4, (int) value);
        }
    }
}
