package dev.multivisor.server;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.eclipse.jetty.util.BufferUtil;
import org.eclipse.jetty.util.Callback;
import org.eclipse.jetty.websocket.core.CloseStatus;
import org.eclipse.jetty.websocket.core.CoreSession;
import org.eclipse.jetty.websocket.core.Frame;
import org.eclipse.jetty.websocket.core.FrameHandler;
import org.eclipse.jetty.websocket.core.OpCode;
import org.eclipse.jetty.websocket.core.client.WebSocketCoreClient;

/** The client's end of an attached console. */
public final class ConsoleLink implements AutoCloseable {
    private static final long FAREWELL_MILLIS = 1000;

    private final Consumer<byte[]> output;
    private final CountDownLatch closed = new CountDownLatch(1);
    private volatile CoreSession session;
    private volatile String reason = "";
    private final WebSocketCoreClient client;

    ConsoleLink(Consumer<byte[]> output, WebSocketCoreClient client) {
        this.output = output;
        this.client = client;
    }

    FrameHandler handler() {
        return new Handler();
    }

    /** Types something; waits while the guest does not read. Does nothing once this is closed. */
    public void type(byte[] bytes, int size) throws InterruptedException {
        Callback.Completable done = new Callback.Completable();
        session.sendFrame(new Frame(OpCode.BINARY, ByteBuffer.wrap(Arrays.copyOf(bytes, size))), done, false);
        try {
            done.get();
        } catch (ExecutionException e) {
            session.abort();
        }
    }

    /** Waits until the other end has closed this; false if the time is up first. */
    public boolean awaitClosed(long millis) throws InterruptedException {
        return closed.await(millis, TimeUnit.MILLISECONDS);
    }

    /** Why the other end has closed this; empty if it did not say. */
    public String reason() {
        return reason;
    }

    @Override
    public void close() {
        try {
            CoreSession opened = session;
            if (opened != null) {
                opened.close(CloseStatus.NORMAL, "", Callback.NOOP);
                boolean ignored = awaitClosed(FAREWELL_MILLIS);
            }
            client.stop();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (Exception e) {
            // Its threads are daemons.
        }
    }

    private final class Handler implements FrameHandler {
        @Override
        public void onOpen(CoreSession opened, Callback callback) {
            session = opened;
            callback.succeeded();
            opened.demand();
        }

        @Override
        public void onFrame(Frame frame, Callback callback) {
            if (frame.getOpCode() == OpCode.BINARY || frame.getOpCode() == OpCode.CONTINUATION) {
                output.accept(BufferUtil.toArray(frame.getPayload()));
            }
            callback.succeeded();
            session.demand();
        }

        @Override
        public void onError(Throwable cause, Callback callback) {
            callback.succeeded();
        }

        @Override
        public void onClosed(CloseStatus status, Callback callback) {
            reason = status.getReason() == null ? "" : status.getReason();
            callback.succeeded();
            closed.countDown();
        }
    }
}
