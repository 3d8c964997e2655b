package dev.multivisor.server;

import dev.multivisor.host.MachineEvent;
import dev.multivisor.host.MachineHost;
import java.io.IOException;
import java.io.OutputStream;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.Phaser;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.eclipse.jetty.io.Content;

/** Events as lines of JSON: those that are kept, and with {@code follow=true} those that come. */
final class EventRoutes implements AutoCloseable {
    /** An empty line now and then finds out whether the client is still there. */
    private static final long BEAT_MILLIS = 15_000;

    /** How often a stream looks whether this server closes. */
    private static final long LOOK_MILLIS = 50;

    private static final int CAPACITY = 10_000;
    private static final long FAREWELL_MILLIS = 500;

    private final MachineHost host;
    private final CountDownLatch closing = new CountDownLatch(1);
    private final Phaser streams = new Phaser(1);

    EventRoutes(MachineHost host) {
        this.host = host;
    }

    List<Route> routes() {
        return List.of(new Route("GET", "/v1/events", this::events));
    }

    private void events(Call call) throws IOException, InterruptedException {
        boolean follow = call.flag("follow");
        BlockingQueue<MachineEvent> queue = new LinkedBlockingQueue<>(CAPACITY);
        // A reader too slow for this many misses some.
        Consumer<MachineEvent> listener = queue::offer;
        streams.register();
        host.onEvent(listener);
        try {
            List<MachineEvent> past = host.events();
            queue.removeAll(past);
            call.begin(200, "application/jsonl");
            try (OutputStream out = Content.Sink.asOutputStream(call.response())) {
                for (MachineEvent event : past) {
                    write(out, event);
                }
                out.flush();
                if (follow) {
                    follow(queue, out);
                }
            }
            call.callback().succeeded();
        } finally {
            host.offEvent(listener);
            streams.arriveAndDeregister();
        }
    }

    private void follow(BlockingQueue<MachineEvent> queue, OutputStream out) throws IOException, InterruptedException {
        long beat = System.nanoTime();
        while (true) {
            boolean last = closing.getCount() == 0;
            MachineEvent event = queue.poll(last ? 0 : LOOK_MILLIS, TimeUnit.MILLISECONDS);
            if (event != null) {
                write(out, event);
                out.flush();
            } else if (last) {
                return;
            } else if (System.nanoTime() - beat > TimeUnit.MILLISECONDS.toNanos(BEAT_MILLIS)) {
                out.write('\n');
                out.flush();
                beat = System.nanoTime();
            }
        }
    }

    private static void write(OutputStream out, MachineEvent event) throws IOException {
        out.write(Json.STRICT.writeValueAsBytes(EventView.of(event)));
        out.write('\n');
    }

    /** Ends all streams, once they have told what there is to tell, but does not wait for long. */
    @Override
    public void close() {
        closing.countDown();
        try {
            streams.awaitAdvanceInterruptibly(streams.arrive(), FAREWELL_MILLIS, TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (java.util.concurrent.TimeoutException e) {
            // A client that does not read misses the end.
        }
    }
}
