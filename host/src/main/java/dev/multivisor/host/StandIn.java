package dev.multivisor.host;

import dev.multivisor.api.Console;
import dev.multivisor.api.EngineException;
import dev.multivisor.api.Machine;
import dev.multivisor.api.MachineSpec;
import dev.multivisor.api.PageObserver;
import dev.multivisor.api.PageTracking;
import dev.multivisor.api.Resources;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.stream.LongStream;

/**
 * A machine that stands in for another one when a move is rehearsed: of the same specification, with the built-in
 * guest and memory of its own, cut off from every endpoint.
 */
final class StandIn implements AutoCloseable {
    /** Memory that is nothing else on a PC begins at 1 MiB. */
    private static final long FIRST_FRAME = 0x100;

    private static final int PAGES = (int) (BuiltinGuest.MEMORY >>> 12);

    private final LoadedEngine from;
    private final MachineSpec spec;
    private final LoadedEngine to;
    private final MachineSpec toSpec;
    private final PausableClock clock = new PausableClock();
    private final GuestRam memory = GuestRam.allocate(BuiltinGuest.MEMORY);
    private final Resources resources = new Resources(memory, clock, Deaf.CONSOLE, Deaf.CONSOLE, List.of(), List.of());
    private final Machine source;

    /** As many as the machine has watched ones, or what there is. */
    private final long[] frames;

    StandIn(LoadedEngine from, MachineSpec spec, LoadedEngine to, MachineSpec toSpec) {
        this(from, spec, to, toSpec, Optional.empty(), 0);
    }

    /**
     * @param recent what the engine that it comes from takes: the state of a machine that ran, which it begins with
     * @param watched how many pages of the machine are watched
     */
    StandIn(
            LoadedEngine from,
            MachineSpec spec,
            LoadedEngine to,
            MachineSpec toSpec,
            Optional<byte[]> recent,
            int watched) {
        this.from = from;
        this.spec = spec;
        this.to = to;
        this.toSpec = toSpec;
        frames = LongStream.range(FIRST_FRAME, PAGES)
                .limit(to.engine().tracksPages() ? watched : 0)
                .toArray();
        try {
            source = source(recent);
        } catch (Throwable e) {
            memory.close();
            throw e;
        }
    }

    private Machine source(Optional<byte[]> recent) {
        if (recent.isPresent()) {
            try {
                return from.engine().restore(spec, recent.get(), resources);
            } catch (RuntimeException e) {
                // It may need more than a stand-in has, such as disks.
            }
        }
        return from.engine().create(spec, BuiltinGuest.boot("quiet vary"), resources);
    }

    /** The guest's time, which stands still. */
    PausableClock clock() {
        return clock;
    }

    /** The stand-in on the target. */
    Machine there() {
        return to.engine().restore(toSpec, source.save(to.info().state()), resources);
    }

    /** Moves it to the target; how long that took, in nanoseconds, without telling the target what is watched. */
    long timed() {
        long start = System.nanoTime();
        Machine there = there();
        long took = System.nanoTime() - start;
        if (frames.length > 0) {
            PageTracking tracking = there.tracking();
            tracking.observe(Nobody.OBSERVER, new AtomicLongArray(PAGES / 64), new AtomicLongArray(PAGES / 64));
            tracking.track(frames.clone());
        }
        there.close();
        return took;
    }

    /** Moves it from the target back to the source, if there is a way back from there. */
    void back(Machine there) {
        backHome(there).ifPresent(Machine::close);
    }

    /** Moves one on the target to the source, and there again. */
    void thereAndBack(Machine there) {
        backHome(there).ifPresent(home -> {
            to.engine().restore(toSpec, home.save(to.info().state()), resources).close();
            home.close();
        });
    }

    private Optional<Machine> backHome(Machine there) {
        byte[] state;
        try {
            state = there.save(from.info().state());
        } catch (EngineException e) {
            // There is no way back; a rollback says so.
            return Optional.empty();
        }
        return Optional.of(from.engine().restore(spec, state, resources));
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
    enum Deaf implements Console {
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

    private enum Nobody implements PageObserver {
        OBSERVER;

        @Override
        public void written(int cpu, long instruction, long address, byte[] bytes) {}

        @Override
        public void beforeWrite(long page) {}
    }
}
