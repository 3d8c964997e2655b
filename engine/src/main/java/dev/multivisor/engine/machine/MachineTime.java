package dev.multivisor.engine.machine;

import dev.multivisor.api.Clock;
import dev.multivisor.engine.device.GuestTime;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;

/**
 * The guest's time in nanoseconds, from the base's clock or from the instruction count. Counted time makes a guest with
 * one vCPU repeatable: it passes at {@link #NANOS_PER_INSTRUCTION} while the guest runs and jumps to the next deadline
 * while it is halted.
 */
final class MachineTime implements GuestTime {
    /** Counted time's rate: a processor of 100 million instructions a second. */
    static final int NANOS_PER_INSTRUCTION = 10;

    /** Counted wall time starts here: 2026-01-01 00:00 UTC. */
    private static final long COUNTED_EPOCH = 1_767_225_600L * SECOND;

    private final Clock clock;
    private final boolean counted;
    private final AtomicLong skipped;
    private LongSupplier instructions = () -> 0;

    /**
     * A new machine's time.
     *
     * @param counted whether it passes by instructions
     * @param skipped nanoseconds passed in HLT so far, when counted
     */
    MachineTime(Clock clock, boolean counted, long skipped) {
        this.clock = clock;
        this.counted = counted;
        this.skipped = new AtomicLong(skipped);
    }

    /** Connects the count; until then no instruction has been executed. Called while building. */
    void count(LongSupplier source) {
        instructions = source;
    }

    @Override
    public long now() {
        return counted ? instructions.getAsLong() * NANOS_PER_INSTRUCTION + skipped.get() : clock.nanoTime();
    }

    @Override
    public long wall() {
        return counted ? COUNTED_EPOCH + now() : clock.wallTime();
    }

    /** Whether time passes by instructions, so that a halted guest's time must be {@link #skipTo skipped}. */
    boolean counted() {
        return counted;
    }

    /** Jumps to a deadline; one in the past does nothing. */
    void skipTo(long deadline) {
        long ahead = deadline - now();
        if (ahead > 0) {
            skipped.addAndGet(ahead);
        }
    }

    long skipped() {
        return skipped.get();
    }
}
