package dev.multivisor.host;

import dev.multivisor.api.EngineException;
import dev.multivisor.host.Execution.Residence;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.BitSet;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.Lock;
import java.util.stream.IntStream;

/**
 * Captures a machine: state and memory as they are at one moment. The guest is held until both are written, or with
 * {@link CaptureRequest#live} until the state is; then it runs on, and a page that it is about to change is kept before.
 *
 * <p>From the first capture on, pages that the guest writes are logged, so that the next one, if it lies over the last,
 * need look at no others. What cannot be known, because the machine was on an engine that tracks no pages, or lies over
 * another capture, is found out by comparing all of it.
 */
final class Capturing {
    /** How often a stand-in is captured before, and for how long at the most. */
    private static final int TRIALS = 300;

    private static final long TRIALS_NANOS = 1_000_000_000L;

    /** How long an engine may take to save. */
    private static final Duration LONGEST = Duration.ofSeconds(2);

    /** Engines, by version, on which machines were captured in this process before. */
    private static final Set<String> WARM = ConcurrentHashMap.newKeySet();

    /** Pages fetched in one go while the guest runs. */
    private static final int CHUNK = 256;

    /** How many pages are copied while the guest stands still: 256 KiB. */
    private static final int AT_ONCE = 64;

    private final VirtualMachine machine;
    private final Execution execution;
    private final PausableClock clock;
    private final GuestRam memory;
    private final Lock control;

    // Guarded by the machine's control:
    private Optional<DirtyLog> log = Optional.empty();
    /** The capture since which pages are logged; empty if there is none. */
    private String last = "";
    /** Pages that the guest may have written since then, though the log has forgotten them. */
    private BitSet early = new BitSet();

    Capturing(VirtualMachine machine, Execution execution, PausableClock clock, GuestRam memory, Lock control) {
        this.machine = machine;
        this.execution = execution;
        this.clock = clock;
        this.memory = memory;
        this.control = control;
    }

    /** Whether the guest can run on while its memory is written. */
    boolean live() {
        return execution.home().engine().engine().tracksPages();
    }

    /** @param purpose {@link Mover.Purpose#REHEARSED_COPY} for a machine that only stands in for another one */
    Capture run(CaptureRequest request, Mover.Purpose purpose) {
        if (request.live() && !live()) {
            throw new HostException("machine " + machine.name() + ": engine "
                    + execution.home().engine().jar().version() + " tracks no pages, so the guest has to stand still");
        }
        try (GuestRam parent = request.parent().isEmpty()
                ? null
                : GuestRam.map(request.parent().get().memory())) {
            Optional<MemorySegment> base = Optional.ofNullable(parent).map(GuestRam::bytes);
            MemoryWriter writer = new MemoryWriter(memory.bytes(), request.target(), base);
            if (log.isEmpty() && live()) {
                log = Optional.of(machine.pages().logWrites());
            }
            boolean follows = !last.isEmpty()
                    && request.parent().map(CaptureRequest.Parent::id).equals(Optional.of(last));
            // Until this capture is complete there is none to follow.
            last = "";
            Capture capture = request.live() ? running(writer, follows, purpose) : stopped(writer, follows);
            last = log.isPresent() ? request.id() : "";
            return capture;
        } catch (IOException e) {
            throw new HostException("machine " + machine.name() + ": its memory cannot be written (" + e + ")", e);
        }
    }

    /** Logs no more, for the sake of an engine that tracks no pages. */
    void forget() {
        log.ifPresent(DirtyLog::close);
        log = Optional.empty();
        early = new BitSet();
        last = "";
    }

    private Capture stopped(MemoryWriter writer, boolean follows) throws IOException {
        SavedMachine saved;
        PageRuns pages;
        String saving = "saving machine " + machine.name() + " on engine "
                + execution.home().engine().jar().version();
        boolean ran = machine.running();
        execution.hold();
        if (ran) {
            clock.pause();
        }
        try {
            saved = Isolated.call(saving, LONGEST, this::save);
            BitSet changed = logged();
            if (follows) {
                writer.only(changed);
            }
            writer.writeAll();
            pages = writer.finish();
        } finally {
            if (ran) {
                clock.resume();
            }
            execution.release();
        }
        return new Capture(saved, pages, writer.checksum(), execution.heldNanos());
    }

    private Capture running(MemoryWriter writer, boolean follows, Mover.Purpose purpose) throws IOException {
        BitSet changed = logged();
        if (purpose == Mover.Purpose.COPY) {
            rehearse();
        }
        Moment moment = new Moment(writer);
        HandoverReport report = stand(purpose, moment);
        try (KeptPages kept = moment.kept) {
            // The guest does not stand still for this: what it writes meanwhile is looked at here and the next time.
            BitSet meanwhile = logged();
            if (follows) {
                changed.or(meanwhile);
                writer.only(changed);
            }
            early = meanwhile;
            fetch(kept, System.nanoTime() + Long.MAX_VALUE);
            return new Capture(moment.saved, writer.finish(), writer.checksum(), report.stopped());
        }
    }

    /**
     * Copies the machine as it is at a moment, while it runs on. Where the engine tracks no pages, all is copied before the state is saved, most of what
     * the guest writes while it stands still for that, and the rest at once.
     *
     * @param target takes the memory
     * @param end when the time for that is over, by {@link System#nanoTime}
     * @return what it was, without its memory; empty if the time did not suffice
     * @throws HostException if it has ended, or cannot be saved
     */
    Optional<SavedMachine> copy(GuestRam target, long end) {
        MemoryCopy copy = new MemoryCopy(memory, target);
        control.lock();
        try {
            return live() ? exactly(copy, end) : nearly(copy, end);
        } finally {
            control.unlock();
        }
    }

    private Optional<SavedMachine> exactly(MemoryCopy copy, long end) {
        Moment moment = new Moment(copy);
        stand(Mover.Purpose.COPY, moment);
        try (KeptPages kept = moment.kept) {
            return fetch(kept, end) ? Optional.of(moment.saved) : Optional.empty();
        }
    }

    private Optional<SavedMachine> nearly(MemoryCopy copy, long end) {
        copy.all(new BitSet(), end);
        int[] atOnce = copy.all(new BitSet(), end).stream().limit(AT_ONCE).toArray();
        SavedMachine[] saved = new SavedMachine[1];
        stand(Mover.Purpose.COPY, state -> {
            saved[0] = saved(state);
            IntStream.of(atOnce).forEach(copy::copy);
            return () -> {};
        });
        BitSet done = new BitSet();
        IntStream.of(atOnce).forEach(done::set);
        copy.all(done, end);
        return System.nanoTime() - end < 0 ? Optional.of(saved[0]) : Optional.empty();
    }

    private HandoverReport stand(Mover.Purpose purpose, Mover.Moment moment) {
        HandoverReport report = machine.stand(LONGEST, purpose, moment);
        if (report.outcome() != HandoverReport.Outcome.POSSIBLE) {
            throw new HostException("machine " + machine.name() + ": " + report.reason());
        }
        return report;
    }

    /** Fetches the pages that the guest has not written meanwhile; false if the time did not suffice. */
    private boolean fetch(KeptPages kept, long end) {
        long all = memory.bytes().byteSize() / PageRuns.PAGE;
        for (long first = 0; first < all; first += CHUNK) {
            if (System.nanoTime() - end > 0) {
                return false;
            }
            kept.keepRest(first, Math.min(CHUNK, all - first));
        }
        return true;
    }

    /** What is fetched while the guest stands still. */
    private final class Moment implements Mover.Moment {
        private final KeptPages.Sink sink;

        // Written by whoever carries it out, before it is said to be done:
        private SavedMachine saved;
        private KeptPages kept;

        Moment(KeptPages.Sink sink) {
            this.sink = sink;
        }

        @Override
        public Runnable take(byte[] state) {
            saved = saved(state);
            kept = machine.pages().keep(sink);
            return kept::close;
        }
    }

    /** The pages that may have been written since this was last asked. */
    private BitSet logged() {
        BitSet changed = log.map(open -> open.take(0, memory.bytes().byteSize() / PageRuns.PAGE))
                .orElseGet(BitSet::new);
        changed.or(early);
        early = new BitSet();
        return changed;
    }

    /**
     * Captures a stand-in: what the JVM has not loaded and compiled takes many times as long. Does nothing where the guest
     * would stand still anyhow.
     */
    void rehearse() {
        Residence home = execution.home();
        if (!live() || !WARM.add(home.engine().jar().version())) {
            return;
        }
        VirtualMachine.Settings settings = new VirtualMachine.Settings(
                "stand-in", BuiltinGuest.MEMORY, home.spec(), StandIn.Deaf.CONSOLE, StandIn.Deaf.CONSOLE);
        try (FileChannel target = FileChannel.open(
                        Files.createTempFile("multivisor-", ".memory"),
                        StandardOpenOption.WRITE,
                        StandardOpenOption.DELETE_ON_CLOSE);
                VirtualMachine standIn = VirtualMachine.create(home.engine(), settings, BuiltinGuest.boot("quiet"))) {
            long end = System.nanoTime() + TRIALS_NANOS;
            standIn.start();
            for (int n = 0; n < TRIALS && System.nanoTime() < end; n++) {
                standIn.rehearseCapture(new CaptureRequest("", target, Optional.empty(), true));
            }
        } catch (IOException e) {
            throw new HostException("machine " + machine.name() + ": no file to rehearse with (" + e + ")", e);
        }
    }

    /** The state, for the engine that the machine is on; other engines get it by way of one that reads this. */
    private SavedMachine save() {
        Residence home = execution.home();
        try {
            return saved(home.machine().save(home.engine().info().state()));
        } catch (EngineException e) {
            throw new HostException("machine " + machine.name() + ": " + e.getMessage(), e);
        }
    }

    private SavedMachine saved(byte[] state) {
        Residence home = execution.home();
        return new SavedMachine(
                home.engine().jar().version(),
                home.engine().jar().contract(),
                home.spec(),
                home.machine().format(home.engine().info().state()),
                state,
                memory.bytes().byteSize(),
                // After saving: nothing in the state is later than this.
                clock.nanoTime());
    }
}
