package dev.multivisor.server;

import dev.multivisor.host.MachineEvent;
import dev.multivisor.host.MachineHost;
import dev.multivisor.host.PromptThread;
import dev.multivisor.host.VirtualMachine;
import dev.multivisor.watch.Alteration;
import dev.multivisor.watch.IntegrityMonitor;
import dev.multivisor.watch.WatchException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;

/** Watches machines' kernels, each for as long as a client reads: lines of JSON. */
final class WatchRoutes implements AutoCloseable {
    /** How long a kernel may take to start: that of Debian 13 takes up to a minute on a busy host. */
    private static final long START_NANOS = 180_000_000_000L;

    private static final long LOOK_MILLIS = 100;
    private static final Duration WAIT = Duration.ofMillis(50);

    /** For so long changes that the kernel makes to itself are held back, to be written several at once. */
    private static final Duration SOON = Duration.ofMillis(10);

    /** An empty line now and then finds out whether the client is still there. */
    private static final long BEAT_NANOS = 1_000_000_000L;

    /**
     * The first lines of a process take longer, and the first change is to be told at once: so many are made up before, so many
     * in all, and so many of them when no change comes.
     */
    private static final int PRACTICE = 6000, MOST_PRACTICE = 30_000, SOME_PRACTICE = 50;

    /** Changes that the kernel makes to itself are not told before the client has read more. */
    private static final int FULL = 2000;

    private final MachineHost host;
    private final MachineRoutes machines;
    private final CountDownLatch closing = new CountDownLatch(1);
    private final AtomicInteger practised = new AtomicInteger();

    WatchRoutes(MachineHost host, MachineRoutes machines) {
        this.host = host;
        this.machines = machines;
    }

    List<Route> routes() {
        return List.of(new Route("GET", "/v1/machines/{name}/watch", this::watch));
    }

    private void watch(Call call) throws IOException, InterruptedException {
        VirtualMachine machine = machines.machine(call);
        boolean all = call.flag("all");
        ConcurrentLinkedQueue<MachineEvent> moves = new ConcurrentLinkedQueue<>();
        Consumer<MachineEvent> listener = event -> {
            if (event.kind() == MachineEvent.Kind.MOVED && event.machine().equals(machine.name())) {
                moves.add(event);
            }
        };
        host.onEvent(listener);
        Stream stream = new Stream(machine, all, moves, call);
        try {
            ownThread("watch-" + machine.name(), () -> {
                try (IntegrityMonitor monitor = attach(machine, stream::tell)) {
                    stream.run(monitor);
                }
                stream.awaitEnd();
                return null;
            });
            call.callback().succeeded();
        } finally {
            host.offEvent(listener);
        }
    }

    /** Not a virtual one: what it writes must not stay behind half-written while others have all processors. */
    private static void ownThread(String name, Callable<Void> work) throws IOException, InterruptedException {
        FutureTask<Void> task = new FutureTask<>(work);
        Thread thread = Thread.ofPlatform().name(name).daemon(true).start(task);
        try {
            task.get();
        } catch (ExecutionException e) {
            if (e.getCause() instanceof RuntimeException failed) {
                throw failed;
            }
            throw e.getCause() instanceof IOException broken ? broken : new IOException(e.getCause());
        } finally {
            // Does nothing to one that is done; else the reply must not end before.
            thread.interrupt();
            thread.join();
        }
    }

    private IntegrityMonitor attach(VirtualMachine machine, Consumer<Alteration> told) {
        requireRunning(machine);
        long end = System.nanoTime() + START_NANOS;
        try {
            return IntegrityMonitor.attach(machine, () -> mayStart(machine, end), told);
        } catch (WatchException e) {
            throw new ControlException(ControlException.CONFLICT, e.getMessage());
        }
    }

    private static void requireRunning(VirtualMachine machine) {
        if (machine.ended()) {
            throw new ControlException(ControlException.CONFLICT, "machine " + machine.name() + ": has ended");
        }
    }

    /** Waits a moment for a kernel that has not started yet; whether to look again. */
    private boolean mayStart(VirtualMachine machine, long end) {
        try {
            if (System.nanoTime() > end || closing.await(LOOK_MILLIS, TimeUnit.MILLISECONDS)) {
                return false;
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
        requireRunning(machine);
        return true;
    }

    /** What one client reads. */
    private final class Stream {
        private final VirtualMachine machine;
        private final boolean all;
        private final ConcurrentLinkedQueue<MachineEvent> moves;
        private final Call call;
        private final LineWriter lines;
        private final AtomicLong untold = new AtomicLong();
        private final ByteArrayOutputStream batch = new ByteArrayOutputStream();
        private long batched;
        private long lost;
        private long pokes;
        private String poked = "";

        Stream(VirtualMachine machine, boolean all, ConcurrentLinkedQueue<MachineEvent> moves, Call call) {
            this.machine = machine;
            this.all = all;
            this.moves = moves;
            this.call = call;
            lines = new LineWriter(call.response());
            practiseLines(PRACTICE - practised.get());
        }

        void run(IntegrityMonitor monitor) throws IOException, InterruptedException {
            call.begin(200, "application/jsonl");
            lines.begin(line(WatchView.of(
                    WatchView.Kind.WATCHING,
                    monitor.kernel() + ", " + monitor.pages() + " pages: " + String.join(", ", monitor.watched()))));
            practiseBeats(PRACTICE - practised.get());
            long beat = System.nanoTime();
            while (true) {
                boolean last = closing.getCount() == 0 || machine.ended();
                if (last) {
                    monitor.rest().forEach(this::note);
                }
                Optional<Alteration> change = next(monitor, batch.size() == 0 && !last ? WAIT : SOON);
                if (lines.isFailed()) {
                    throw new IOException("the client is gone");
                }
                if (change.isPresent()) {
                    note(change.get());
                    continue;
                }
                writeBatch();
                tellPokes();
                tellMoves();
                tellLost(monitor);
                if (last) {
                    write(WatchView.of(
                            WatchView.Kind.ENDED,
                            machine.status()
                                    .end()
                                    .map(end -> "the machine has ended")
                                    .orElse("")));
                    return;
                }
                if (practised.get() < MOST_PRACTICE && lines.waiting() == 0) {
                    practiseLines(SOME_PRACTICE);
                    practiseBeats(SOME_PRACTICE);
                }
                if (System.nanoTime() - beat > BEAT_NANOS) {
                    beat();
                    beat = System.nanoTime();
                }
            }
        }

        private void practiseLines(int times) {
            for (int n = 0; n < times; n++) {
                line(WatchView.example());
            }
        }

        private void practiseBeats(int times) {
            for (int n = 0; n < times; n++) {
                beat();
            }
            practised.addAndGet(Math.max(times, 0));
        }

        /** None while the client does not read. */
        private Optional<Alteration> next(IntegrityMonitor monitor, Duration wait) throws InterruptedException {
            if (lines.waiting() < FULL) {
                return monitor.poll(wait);
            }
            Thread.sleep(wait);
            return Optional.empty();
        }

        /** What the kernel does not do to itself, on the thread that did it. */
        void tell(Alteration change) {
            write(WatchView.of(change));
        }

        private void note(Alteration change) {
            if (all) {
                long now = System.nanoTime();
                if (batch.size() == 0) {
                    batched = now;
                }
                batch.writeBytes(line(WatchView.of(change)));
                if (now - batched > SOON.toNanos()) {
                    writeBatch();
                }
            } else {
                pokes++;
                poked = change.symbol();
            }
        }

        private void writeBatch() {
            if (batch.size() > 0) {
                byte[] several = batch.toByteArray();
                // While it is written no other can be.
                PromptThread.run(() -> write(several));
                batch.reset();
            }
        }

        /** Once no more come: the kernel makes hundreds at once, and a reader may be slow. */
        private void tellPokes() {
            if (pokes > 0) {
                String changes = pokes + (pokes == 1 ? " change" : " changes");
                write(WatchView.of(WatchView.Kind.POKED, changes + " by the kernel itself, the last one at " + poked));
                pokes = 0;
            }
        }

        private void tellMoves() {
            for (MachineEvent move = moves.poll(); move != null; move = moves.poll()) {
                write(WatchView.of(
                        WatchView.Kind.MOVED,
                        "on engine " + machine.status().engine() + ", still watched" + detail(move)));
            }
        }

        private static String detail(MachineEvent move) {
            return move.detail().isEmpty() ? "" : " (" + move.detail() + ")";
        }

        private void tellLost(IntegrityMonitor monitor) {
            long now = monitor.lost() + untold.get();
            if (now > lost && lines.waiting() < FULL) {
                write(WatchView.of(WatchView.Kind.LOST, (now - lost) + " changes came too fast to be told"));
                lost = now;
            }
        }

        private void beat() {
            lines.write(new byte[] {'\n'});
        }

        private void write(WatchView line) {
            write(line(line));
        }

        private void write(byte[] line) {
            if (!lines.write(line)) {
                untold.incrementAndGet();
            }
        }

        /** Until the client has read all; nobody tells anything any more. */
        void awaitEnd() throws IOException, InterruptedException {
            try {
                lines.end().get();
            } catch (ExecutionException e) {
                throw new IOException(e.getCause());
            }
        }

        private static byte[] line(WatchView view) {
            byte[] json = Json.STRICT.writeValueAsBytes(view);
            byte[] line = Arrays.copyOf(json, json.length + 1);
            line[json.length] = '\n';
            return line;
        }
    }

    /** Ends all streams. */
    @Override
    public void close() {
        closing.countDown();
    }
}
