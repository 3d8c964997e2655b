package dev.multivisor.host;

import dev.multivisor.api.Console;
import dev.multivisor.api.EngineException;
import dev.multivisor.api.Machine;
import dev.multivisor.api.MachineSpec;
import dev.multivisor.api.Resources;
import java.util.List;

/**
 * A machine that stands in for another one when a move is rehearsed: of the same specification, with the built-in
 * guest and memory of its own, cut off from every endpoint.
 */
final class StandIn implements AutoCloseable {
    private final LoadedEngine from;
    private final MachineSpec spec;
    private final LoadedEngine to;
    private final MachineSpec toSpec;
    private final PausableClock clock = new PausableClock();
    private final GuestRam memory = GuestRam.allocate(BuiltinGuest.MEMORY);
    private final Resources resources = new Resources(memory, clock, Deaf.CONSOLE, Deaf.CONSOLE, List.of(), List.of());
    private final Machine source;

    StandIn(LoadedEngine from, MachineSpec spec, LoadedEngine to, MachineSpec toSpec) {
        this.from = from;
        this.spec = spec;
        this.to = to;
        this.toSpec = toSpec;
        try {
            source = from.engine().create(spec, BuiltinGuest.boot("quiet vary"), resources);
        } catch (Throwable e) {
            memory.close();
            throw e;
        }
    }

    /** The guest's time, which stands still. */
    PausableClock clock() {
        return clock;
    }

    /** The stand-in on the target. */
    Machine there() {
        return to.engine().restore(toSpec, source.save(to.info().state()), resources);
    }

    /** Moves it from the target back to the source, if there is a way back from there. */
    void back(Machine there) {
        byte[] state;
        try {
            state = there.save(from.info().state());
        } catch (EngineException e) {
            // There is none; a rollback says so.
            return;
        }
        from.engine().restore(spec, state, resources).close();
    }

    /** Moves it to the target again and again, for so long, but once at least. */
    void warm(long nanos) {
        long end = System.nanoTime() + nanos;
        do {
            there().close();
        } while (System.nanoTime() < end);
    }

    /** Leaves the memory mapped: a vCPU that hangs in the target may still use it. */
    void abandon() {
        source.close();
    }

    @Override
    public void close() {
        source.close();
        memory.close();
    }

    /** A console with nobody at the far end. */
    private enum Deaf implements Console {
        CONSOLE;

        @Override
        public void write(byte value) {}

        @Override
        public int read() {
            return -1;
        }

        @Override
        public void onInput(Runnable listener) {}
    }
}
