package dev.multivisor.engine.device.pit;

import dev.multivisor.engine.device.GuestTime;
import dev.multivisor.engine.device.IrqLine;
import dev.multivisor.engine.device.PortBus;
import dev.multivisor.engine.device.PortHandler;
import dev.multivisor.engine.device.StateCheck;
import dev.multivisor.engine.device.Timers;
import java.util.List;

/**
 * The 8254 timer, ports 0x40 to 0x43, and port 0x61, which holds the gate and shows the output of its channel 2. OUT of
 * channel 0 is IRQ 0. Its rising edges are what interrupts; the time that it is low in modes 2 and 4 is not shown on
 * the wire.
 */
public final class Pit implements PortHandler {
    /** OUT of channel 0. */
    public static final int IRQ = 0;

    private static final int CONTROL = 0x43;
    private static final int SYSTEM_CONTROL = 0x61;
    /** Half a period of the memory refresh request in a PC/AT. */
    private static final long REFRESH = 15_085;

    private final GuestTime time;
    private final IrqLine irq;
    private final Timers.Timer timer;
    private final PitChannel[] channels;
    private boolean speaker;
    private long rise = Timers.NEVER;

    /** As after power-on: nothing counts. */
    public Pit(GuestTime time, Timers timers, IrqLine irq) {
        this.time = time;
        this.irq = irq;
        timer = timers.add(this::fire);
        channels = new PitChannel[] {new PitChannel(true), new PitChannel(true), new PitChannel(false)};
    }

    /** Restores the counters and the next interrupt. */
    public Pit(GuestTime time, Timers timers, IrqLine irq, PitState state) {
        this.time = time;
        this.irq = irq;
        StateCheck.length("pit.channels", state.channels().size(), 3);
        channels = new PitChannel[3];
        for (int i = 0; i < 3; i++) {
            channels[i] = new PitChannel("pit.channels." + i, state.channels().get(i));
        }
        speaker = state.speaker();
        timer = timers.add(this::fire);
        rise = state.rise();
        timer.arm(rise);
    }

    /** The counters. */
    public synchronized PitState save() {
        return new PitState(List.of(channels[0].save(), channels[1].save(), channels[2].save()), speaker, rise);
    }

    /** Claims the ports. */
    public void map(PortBus ports) {
        ports.map(0x40, 4, this);
        ports.map(SYSTEM_CONTROL, 1, this);
    }

    private void arm(long now) {
        rise = channels[0].nextRise(now);
        timer.arm(rise);
    }

    private synchronized void fire(long now) {
        if (now >= rise) {
            irq.set(false);
            irq.set(true);
        }
        arm(now);
    }

    @Override
    public synchronized int in(int port, int size) {
        long now = time.now();
        return switch (port) {
            case SYSTEM_CONTROL ->
                (channels[2].gate() ? 1 : 0)
                        | (speaker ? 2 : 0)
                        | (int) (now / REFRESH & 1) << 4
                        | (channels[2].output(now) ? 0x20 : 0);
            case CONTROL -> 0xff;
            default -> channels[port & 3].read(now);
        };
    }

    @Override
    public synchronized void out(int port, int size, int value) {
        long now = time.now();
        switch (port) {
            case SYSTEM_CONTROL -> {
                channels[2].gate((value & 1) != 0, now);
                speaker = (value & 2) != 0;
            }
            case CONTROL -> control(value & 0xff, now);
            default -> {
                channels[port & 3].write(value & 0xff, now);
                if ((port & 3) == 0) {
                    changed(now);
                }
            }
        }
    }

    private void control(int word, long now) {
        int channel = word >>> 6;
        if (channel < 3) {
            channels[channel].control(word, now);
            if (channel == 0 && (word & 0x30) != 0) {
                changed(now);
            }
            return;
        }
        for (int i = 0; i < 3; i++) {
            if ((word >>> 1 + i & 1) != 0) {
                if ((word & 0x20) == 0) {
                    channels[i].latchCount(now);
                }
                if ((word & 0x10) == 0) {
                    channels[i].latchStatus(now);
                }
            }
        }
    }

    private void changed(long now) {
        irq.set(channels[0].output(now));
        arm(now);
    }
}
