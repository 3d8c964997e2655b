package dev.multivisor.server;

import java.nio.ByteBuffer;
import java.util.Deque;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.concurrent.atomic.AtomicInteger;
import org.eclipse.jetty.io.Content;
import org.eclipse.jetty.util.IteratingCallback;

/** Writes an answer's lines, which come from any threads; none of these waits for the client, nor for the beginning. */
final class LineWriter extends IteratingCallback {
    /** How many lines wait for a client that does not read. */
    static final int CAPACITY = 10_000;

    private final Content.Sink to;
    private final Deque<byte[]> lines = new ConcurrentLinkedDeque<>();
    private final AtomicInteger waiting = new AtomicInteger();
    private final CompletableFuture<Void> end = new CompletableFuture<>();
    private volatile boolean begun;
    private volatile boolean last;

    LineWriter(Content.Sink to) {
        this.to = to;
    }

    /** Begins, with a line that comes before all others. */
    void begin(byte[] line) {
        waiting.incrementAndGet();
        lines.addFirst(line);
        begun = true;
        iterate();
    }

    /** Writes it, after those before it, at once if the client has taken these; whether there was room for it. */
    boolean write(byte[] line) {
        if (waiting.getAndIncrement() >= CAPACITY) {
            waiting.decrementAndGet();
            return false;
        }
        lines.add(line);
        iterate();
        return true;
    }

    /** How many the client has not taken. */
    int waiting() {
        return waiting.get();
    }

    /** No more lines follow; done when all are written, or with the reason why they cannot be. */
    CompletableFuture<Void> end() {
        last = true;
        iterate();
        return end;
    }

    @Override
    protected Action process() {
        if (!begun) {
            return Action.IDLE;
        }
        boolean over = last;
        byte[] line = lines.poll();
        if (line == null) {
            return over ? Action.SUCCEEDED : Action.IDLE;
        }
        to.write(false, ByteBuffer.wrap(line), this);
        return Action.SCHEDULED;
    }

    @Override
    protected void onSuccess() {
        waiting.decrementAndGet();
    }

    @Override
    protected void onCompleteSuccess() {
        end.complete(null);
    }

    @Override
    protected void onCompleteFailure(Throwable cause) {
        end.completeExceptionally(cause);
    }
}
