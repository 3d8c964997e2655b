package dev.multivisor.server;

import dev.multivisor.host.StreamConsole;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.eclipse.jetty.util.BufferUtil;
import org.eclipse.jetty.util.Callback;
import org.eclipse.jetty.websocket.core.CloseStatus;
import org.eclipse.jetty.websocket.core.CoreSession;
import org.eclipse.jetty.websocket.core.Frame;
import org.eclipse.jetty.websocket.core.FrameHandler;
import org.eclipse.jetty.websocket.core.OpCode;

/**
 * Somebody attached to a console. What the guest prints waits in a queue, so that a client that does not read holds up
 * nobody: it is left out when too much waits.
 */
final class ConsoleSession extends OutputStream implements FrameHandler {
    private static final int CAPACITY = 1 << 20;
    private static final long FAREWELL_MILLIS = 500;

    private final StreamConsole console;
    private final Set<ConsoleSession> sessions;
    private final CountDownLatch sent = new CountDownLatch(1);
    private StreamConsole.Keyboard keyboard;
    private CoreSession session;

    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();

    // Guarded by the lock:
    private final Deque<byte[]> queue = new ArrayDeque<>();
    private int queued;
    private String reason = "";
    private boolean closed;

    ConsoleSession(StreamConsole console, Set<ConsoleSession> sessions) {
        this.console = console;
        this.sessions = sessions;
    }

    /** Takes the console's input. */
    void claim(boolean force) {
        keyboard = console.keyboard("another console", force, () -> leave("another console has taken over"));
    }

    /** Gives everything back. */
    void release() {
        console.remove(this);
        keyboard.close();
        sessions.remove(this);
        lock.lock();
        closed = true;
        changed.signalAll();
        lock.unlock();
    }

    /** Closes it once what was printed is sent; waits for that, but not for long. */
    void end(String why) {
        leave(why);
        try {
            boolean ignored = sent.await(FAREWELL_MILLIS, TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void leave(String why) {
        lock.lock();
        reason = reason.isEmpty() ? why : reason;
        changed.signalAll();
        lock.unlock();
    }

    @Override
    public void onOpen(CoreSession opened, Callback callback) {
        session = opened;
        sessions.add(this);
        console.add(this);
        Thread.ofVirtual().name("console-out").start(this::sendLoop);
        callback.succeeded();
        session.demand();
    }

    @Override
    public void onFrame(Frame frame, Callback callback) {
        boolean data = frame.getOpCode() == OpCode.BINARY || frame.getOpCode() == OpCode.CONTINUATION;
        if (!data || frame.getPayloadLength() == 0) {
            callback.succeeded();
            session.demand();
            return;
        }
        byte[] bytes = BufferUtil.toArray(frame.getPayload());
        // Waits while the guest does not read, and the next frame with it.
        Thread.ofVirtual().name("console-in").start(() -> {
            try {
                keyboard.feed(bytes, 0, bytes.length);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            callback.succeeded();
            session.demand();
        });
    }

    @Override
    public void onError(Throwable cause, Callback callback) {
        callback.succeeded();
    }

    @Override
    public void onClosed(CloseStatus status, Callback callback) {
        release();
        callback.succeeded();
    }

    @Override
    public void write(int value) {
        write(new byte[] {(byte) value}, 0, 1);
    }

    @Override
    public void write(byte[] bytes, int offset, int size) {
        lock.lock();
        try {
            if (queued + size > CAPACITY) {
                reason = "too much output waits for this client";
            } else {
                queue.add(java.util.Arrays.copyOfRange(bytes, offset, offset + size));
                queued += size;
            }
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    private void sendLoop() {
        try {
            while (true) {
                byte[] next;
                String why;
                lock.lock();
                try {
                    while (queue.isEmpty() && reason.isEmpty() && !closed) {
                        changed.await();
                    }
                    if (closed) {
                        return;
                    }
                    next = queue.poll();
                    queued -= next == null ? 0 : next.length;
                    why = reason;
                } finally {
                    lock.unlock();
                }
                Callback.Completable done = new Callback.Completable();
                if (next == null) {
                    console.remove(this);
                    session.close(CloseStatus.NORMAL, why, done);
                    done.get();
                    return;
                }
                session.sendFrame(new Frame(OpCode.BINARY, ByteBuffer.wrap(next)), done, false);
                done.get();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (ExecutionException e) {
            session.abort();
        } finally {
            sent.countDown();
        }
    }
}
