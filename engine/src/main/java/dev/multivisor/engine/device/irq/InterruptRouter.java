package dev.multivisor.engine.device.irq;

import dev.multivisor.engine.device.IrqLine;
import dev.multivisor.engine.device.StateCheck;
import dev.multivisor.engine.device.ioapic.IoApic;
import dev.multivisor.engine.device.pic.Pic;

/**
 * The wires between devices and interrupt controllers. An ISA interrupt reaches both the 8259s and the I/O APIC; the
 * timer's IRQ 0 is pin 2 there, as the MADT says. Interrupts 16 to 23 are for PCI and reach the I/O APIC only.
 * Several devices may share one: it is asserted while any of them asserts it.
 */
public final class InterruptRouter {
    /** I/O APIC pin of ISA IRQ 0. */
    public static final int TIMER_PIN = 2;

    private static final int ISA_IRQS = 16;

    private final Pic pic;
    private final IoApic ioApic;
    private final long[] asserted;
    private final int[] sources = new int[IoApic.PINS];

    /** All wires low. */
    public InterruptRouter(Pic pic, IoApic ioApic) {
        this.pic = pic;
        this.ioApic = ioApic;
        asserted = new long[IoApic.PINS];
    }

    /** Restores the levels; the controllers know theirs, so nothing is driven. */
    public InterruptRouter(Pic pic, IoApic ioApic, InterruptRouterState state) {
        this.pic = pic;
        this.ioApic = ioApic;
        asserted = StateCheck.copy("interruptRouter.asserted", state.asserted(), IoApic.PINS);
    }

    /** The levels. */
    public synchronized InterruptRouterState save() {
        return new InterruptRouterState(asserted.clone());
    }

    /**
     * A device's own wire. Devices must ask in the same order before and after a restore.
     *
     * @param irq 0 to 15 as in an IBM PC/AT, 16 to 23 for PCI
     */
    public synchronized IrqLine line(int irq) {
        long bit = 1L << sources[irq]++;
        return level -> set(irq, bit, level);
    }

    private synchronized void set(int irq, long bit, boolean level) {
        long before = asserted[irq];
        long after = level ? before | bit : before & ~bit;
        asserted[irq] = after;
        if ((before != 0) == (after != 0)) {
            return;
        }
        if (irq < ISA_IRQS && irq != 2) {
            pic.set(irq, level);
        }
        ioApic.set(irq == 0 ? TIMER_PIN : irq, level);
    }
}
