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
import java.io.OutputStream;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.eclipse.jetty.io.Content;

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

    /** The first lines that are made take longer, and the first change is to be told at once. */
    private static final int PRACTICE = 1000;

    private final MachineHost host;
    private final MachineRoutes machines;
    private final CountDownLatch closing = new CountDownLatch(1);

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
        try (IntegrityMonitor monitor = attach(machine)) {
            call.begin(200, "application/jsonl");
            try (OutputStream out = Content.Sink.asOutputStream(call.response())) {
                promptly(new Stream(machine, monitor, moves, all, out));
            }
            call.callback().succeeded();
        } finally {
            host.offEvent(listener);
        }
    }

    /** A change is to be told within a millisecond, even when the vCPUs have all processors. */
    private static void promptly(Stream stream) throws IOException, InterruptedException {
        FutureTask<Void> task = new FutureTask<>(() -> {
            stream.run(PromptThread.begin());
            return null;
        });
        Thread thread = Thread.ofPlatform()
                .name("watch-" + stream.machine.name())
                .daemon(true)
                .start(task);
        try {
            task.get();
        } catch (ExecutionException e) {
            throw e.getCause() instanceof IOException broken ? broken : new IOException(e.getCause());
        } finally {
            // Does nothing to one that is done; else the reply must not end before.
            thread.interrupt();
            thread.join();
        }
    }

    private IntegrityMonitor attach(VirtualMachine machine) {
        requireRunning(machine);
        long end = System.nanoTime() + START_NANOS;
        try {
            return IntegrityMonitor.attach(machine, () -> mayStart(machine, end));
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
        private final IntegrityMonitor monitor;
        private final ConcurrentLinkedQueue<MachineEvent> moves;
        private final boolean all;
        private final OutputStream out;
        private final ByteArrayOutputStream batch = new ByteArrayOutputStream();
        private long batched;
        private long lost;
        private long pokes;
        private String poked = "";

        Stream(
                VirtualMachine machine,
                IntegrityMonitor monitor,
                ConcurrentLinkedQueue<MachineEvent> moves,
                boolean all,
                OutputStream out) {
            this.machine = machine;
            this.monitor = monitor;
            this.moves = moves;
            this.all = all;
            this.out = out;
        }

        void run(PromptThread thread) throws IOException, InterruptedException {
            for (int n = 0; n < PRACTICE; n++) {
                Json.STRICT.writeValueAsBytes(WatchView.example());
                out.write('\n');
                out.flush();
            }
            write(WatchView.of(
                    WatchView.Kind.WATCHING,
                    monitor.kernel() + ", " + monitor.pages() + " pages: " + String.join(", ", monitor.watched())));
            long beat = System.nanoTime();
            while (true) {
                boolean last = closing.getCount() == 0 || machine.ended();
                Duration wait = batch.size() == 0 && !last ? WAIT : SOON;
                Optional<Alteration> change = monitor.poll(wait);
                thread.check();
                if (change.isPresent()) {
                    tell(change.get());
                    continue;
                }
                writeBatch();
                tellPokes();
                tellMoves();
                tellLost();
                if (last) {
                    write(WatchView.of(
                            WatchView.Kind.ENDED,
                            machine.status()
                                    .end()
                                    .map(end -> "the machine has ended")
                                    .orElse("")));
                    return;
                }
                if (System.nanoTime() - beat > BEAT_NANOS) {
                    out.write('\n');
                    out.flush();
                    beat = System.nanoTime();
                }
            }
        }

        private void tell(Alteration change) throws IOException {
            if (!change.usual()) {
                write(WatchView.of(change));
            } else if (all) {
                batch(WatchView.of(change));
            } else {
                pokes++;
                poked = change.symbol();
            }
        }

        private void batch(WatchView line) throws IOException {
            long now = System.nanoTime();
            if (batch.size() == 0) {
                batched = now;
            }
            batch.writeBytes(line(line));
            if (now - batched > SOON.toNanos()) {
                writeBatch();
            }
        }

        private void writeBatch() throws IOException {
            batch.writeTo(out);
            out.flush();
            batch.reset();
        }

        /** Once no more come: the kernel makes hundreds at once, and a reader may be slow. */
        private void tellPokes() throws IOException {
            if (pokes > 0) {
                String changes = pokes + (pokes == 1 ? " change" : " changes");
                write(WatchView.of(WatchView.Kind.POKED, changes + " by the kernel itself, the last one at " + poked));
                pokes = 0;
            }
        }

        private void tellMoves() throws IOException {
            for (MachineEvent move = moves.poll(); move != null; move = moves.poll()) {
                write(WatchView.of(
                        WatchView.Kind.MOVED,
                        "on engine " + machine.status().engine() + ", still watched" + detail(move)));
            }
        }

        private static String detail(MachineEvent move) {
            return move.detail().isEmpty() ? "" : " (" + move.detail() + ")";
        }

        private void tellLost() throws IOException {
            long now = monitor.lost();
            if (now > lost) {
                write(WatchView.of(WatchView.Kind.LOST, (now - lost) + " changes came too fast to be told"));
                lost = now;
            }
        }

        private void write(WatchView line) throws IOException {
            out.write(line(line));
            out.flush();
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
