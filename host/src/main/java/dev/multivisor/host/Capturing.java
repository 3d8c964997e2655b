package dev.multivisor.host;

import dev.multivisor.api.EngineException;
import dev.multivisor.api.StateFormat;
import dev.multivisor.host.Execution.Residence;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.BitSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;

/**
 * Captures a machine: state and memory as they are at one moment. The guest is held until both are written, or with
 * {@link CaptureRequest#live} until the state is; then it runs on, and a page that it is about to change is kept before.
 *
 * <p>From the first capture on, pages that the guest writes are logged, so that the next one, if it lies over the last,
 * need look at no others. What cannot be known, because the machine was on an engine that tracks no pages, or lies over
 * another capture, is found out by comparing all of it.
 */
final class Capturing {
    /** How often saving is warmed up before the guest stands still for it, and capturing as a whole. */
    private static final int SAVES = 300, TRIALS = 300;

    /** How often it is saved as an urgent thread, to make up for an interruption before. */
    private static final int LAST_SAVES = 4;

    /** For how long at the most. */
    private static final long WARMING_NANOS = 150_000_000L, TRIALS_NANOS = 1_000_000_000L;

    /** How long an engine may take to save, and threads may go before others for a capture. */
    private static final Duration LONGEST = Duration.ofSeconds(2);

    /** Engines, by version, on which machines were captured in this process before. */
    private static final Set<String> WARM = ConcurrentHashMap.newKeySet();

    /** Pages fetched in one go while the guest runs. */
    private static final int CHUNK = 256;

    private final VirtualMachine machine;
    private final Execution execution;
    private final PausableClock clock;
    private final GuestRam memory;

    // Guarded by the machine's control:
    private Optional<DirtyLog> log = Optional.empty();
    /** The capture since which pages are logged; empty if there is none. */
    private String last = "";
    /** Pages that the guest may have written since then, though the log has forgotten them. */
    private BitSet early = new BitSet();

    Capturing(VirtualMachine machine, Execution execution, PausableClock clock, GuestRam memory) {
        this.machine = machine;
        this.execution = execution;
        this.clock = clock;
        this.memory = memory;
    }

    /** Whether the guest can run on while its memory is written. */
    boolean live() {
        return execution.home().engine().engine().tracksPages();
    }

    Capture run(CaptureRequest request) {
        return run(request, true);
    }

    /** @param real whether it is not the stand-in that warms this up */
    Capture run(CaptureRequest request, boolean real) {
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
            Capture capture = request.live() ? running(writer, follows, real) : stopped(writer, follows);
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
        boolean ran = machine.running();
        execution.hold();
        if (ran) {
            clock.pause();
        }
        try {
            saved = Isolated.call(saving(), LONGEST, this::save);
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

    private Capture running(MemoryWriter writer, boolean follows, boolean real) throws IOException {
        BitSet changed = logged();
        Moment moment = real ? hurriedly(writer) : moment(writer, new AtomicReference<>());
        try (KeptPages kept = moment.kept) {
            // The guest does not stand still for this: what it writes meanwhile is looked at here and the next time.
            BitSet meanwhile = logged();
            if (follows) {
                changed.or(meanwhile);
                writer.only(changed);
            }
            early = meanwhile;
            long all = memory.bytes().byteSize() / PageRuns.PAGE;
            for (long first = 0; first < all; first += CHUNK) {
                kept.keepRest(first, Math.min(CHUNK, all - first));
            }
            return new Capture(moment.saved, writer.finish(), writer.checksum(), moment.stopped);
        }
    }

    /** What is fetched while the guest stands still. */
    private record Moment(SavedMachine saved, KeptPages kept, long stopped) {}

    /** How far an engine is that may never answer. */
    private enum Answer {
        ASKED,
        GIVEN,
        /** The guest goes on without it. */
        TOO_LATE
    }

    private Moment moment(MemoryWriter writer, AtomicReference<Answer> answer) {
        SavedMachine saved;
        KeptPages kept;
        execution.hold();
        try {
            answer.set(Answer.ASKED);
            try {
                saved = save();
            } finally {
                answer.compareAndSet(Answer.ASKED, Answer.GIVEN);
            }
            if (answer.get() == Answer.TOO_LATE) {
                throw new HostException("machine " + machine.name() + ": has gone on");
            }
            kept = machine.pages().keep(writer);
        } finally {
            if (answer.get() != Answer.TOO_LATE) {
                execution.release();
            }
        }
        // Waits until the vCPUs have gone on, which are urgent until then.
        return new Moment(saved, kept, execution.heldNanos());
    }

    /** The same as a handover's mover does it: with what that takes in the processor's caches, and before other threads. */
    private Moment hurriedly(MemoryWriter writer) throws IOException {
        Residence home = execution.home();
        rehearse(home);
        Urgency urgency = new Urgency();
        try (StandIn standIn = new StandIn(home.engine(), home.spec(), home.engine(), home.spec())) {
            standIn.warmSaving(SAVES, WARMING_NANOS);
            YoungSpace.makeRoom();
            AtomicReference<Answer> answer = new AtomicReference<>();
            BooleanSupplier late = () -> {
                // An engine that hangs must neither keep processors for itself nor the guest from going on.
                urgency.end();
                if (!answer.compareAndSet(Answer.ASKED, Answer.TOO_LATE)) {
                    return false;
                }
                execution.release();
                return true;
            };
            return Isolated.complete(saving(), LONGEST, late, () -> {
                try {
                    if (machine.running() && urgency.begin(Urgency.MOVER, List.of(HostScheduler.thread()))) {
                        standIn.warmSaving(LAST_SAVES, WARMING_NANOS);
                        urgency.begin(Urgency.VCPU, execution.hostThreads());
                    }
                    return moment(writer, answer);
                } finally {
                    urgency.end();
                }
            });
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

    /** What the JVM has not loaded and compiled takes many times as long: so a stand-in is captured before. */
    private static void rehearse(Residence home) throws IOException {
        if (!WARM.add(home.engine().jar().version())) {
            return;
        }
        VirtualMachine.Settings settings = new VirtualMachine.Settings(
                "stand-in", BuiltinGuest.MEMORY, home.spec(), StandIn.Deaf.CONSOLE, StandIn.Deaf.CONSOLE);
        Path file = Files.createTempFile("multivisor-", ".memory");
        try (FileChannel target = FileChannel.open(file, StandardOpenOption.WRITE, StandardOpenOption.DELETE_ON_CLOSE);
                VirtualMachine standIn = VirtualMachine.create(home.engine(), settings, BuiltinGuest.boot("quiet"))) {
            long end = System.nanoTime() + TRIALS_NANOS;
            for (int n = 0; n < TRIALS && System.nanoTime() < end; n++) {
                standIn.rehearseCapture(new CaptureRequest("", target, Optional.empty(), true));
            }
        }
    }

    private String saving() {
        return "saving machine " + machine.name() + " on engine "
                + execution.home().engine().jar().version();
    }

    /** The state, for the engine that the machine is on; other engines get it by way of one that reads this. */
    private SavedMachine save() {
        Residence home = execution.home();
        StateFormat reader = home.engine().info().state();
        try {
            byte[] state = home.machine().save(reader);
            return new SavedMachine(
                    home.engine().jar().version(),
                    home.engine().jar().contract(),
                    home.spec(),
                    home.machine().format(reader),
                    state,
                    memory.bytes().byteSize(),
                    // After saving: nothing in the state is later than this.
                    clock.nanoTime());
        } catch (EngineException e) {
            throw new HostException("machine " + machine.name() + ": " + e.getMessage(), e);
        }
    }
}
