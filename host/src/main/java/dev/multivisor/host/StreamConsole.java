package dev.multivisor.host;

import dev.multivisor.api.Console;
import java.io.IOException;
import java.io.OutputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * A console on streams. Output is gathered for {@value #GATHER_MILLIS} ms, or until there is a good deal of it, so
 * that a serial port that sends byte by byte costs no system call for each, and then goes to every sink in turn. A
 * sink that fails is left out from then on. Input waits in a buffer until the guest takes it.
 *
 * <p>The bytes are the guest's and are passed on as they are.
 */
public final class StreamConsole implements Console, AutoCloseable {
    private static final long GATHER_MILLIS = 2;
    private static final int GATHER_BYTES = 4096;
    private static final int CAPACITY = 1 << 16;

    private final ReentrantLock lock = new ReentrantLock();
    private final Condition toFlusher = lock.newCondition();
    private final Condition fromFlusher = lock.newCondition();
    private final Condition inputTaken = lock.newCondition();
    private final Thread flusher;

    // Guarded by the lock:
    private final List<OutputStream> sinks = new ArrayList<>();
    private byte[] output = new byte[CAPACITY];
    private int outputSize;
    private byte[] spare = new byte[CAPACITY];
    private boolean flushing;
    private boolean closed;
    private IOException failure;
    private final List<Keyboard> keyboards = new ArrayList<>();

    // A ring, guarded by the lock but for the hint that lets the guest poll without it:
    private final byte[] input = new byte[CAPACITY];
    private int inputStart;
    private volatile int inputSize;

    private volatile Runnable listener = () -> {};

    /** A console whose output goes to all of the sinks; they stay their owner's to close. */
    public StreamConsole(List<OutputStream> sinks) {
        this.sinks.addAll(sinks);
        flusher = Thread.ofPlatform().name("console").daemon(true).unstarted(this::flushLoop);
        flusher.start();
    }

    @Override
    public void write(byte value) {
        lock.lock();
        try {
            while (outputSize == CAPACITY && !closed) {
                fromFlusher.awaitUninterruptibly();
            }
            if (closed) {
                return;
            }
            output[outputSize++] = value;
            if (outputSize == 1 || outputSize == GATHER_BYTES) {
                toFlusher.signal();
            }
        } finally {
            lock.unlock();
        }
    }

    @Override
    public int read() {
        if (inputSize == 0) {
            return -1;
        }
        lock.lock();
        try {
            if (inputSize == 0) {
                return -1;
            }
            byte value = input[inputStart];
            inputStart = (inputStart + 1) % CAPACITY;
            inputSize--;
            inputTaken.signal();
            return value & 0xff;
        } finally {
            lock.unlock();
        }
    }

    @Override
    public void onInput(Runnable newListener) {
        listener = newListener;
        if (inputSize > 0) {
            newListener.run();
        }
    }

    /** Gives the guest bytes to read; waits while a buffer's worth of them has not been taken. */
    public void feed(byte[] bytes, int offset, int size) throws InterruptedException {
        int done = 0;
        while (done < size) {
            lock.lock();
            try {
                while (inputSize == CAPACITY && !closed) {
                    inputTaken.await();
                }
                if (closed) {
                    return;
                }
                int count = Math.min(size - done, CAPACITY - inputSize);
                for (int n = 0; n < count; n++) {
                    input[(inputStart + inputSize + n) % CAPACITY] = bytes[offset + done + n];
                }
                inputSize += count;
                done += count;
            } finally {
                lock.unlock();
            }
            listener.run();
        }
    }

    /**
     * Somebody who types at this console. The one who came last, and has not gone, is heard.
     */
    public final class Keyboard implements AutoCloseable {
        private final String owner;
        private final Runnable displaced;

        private Keyboard(String owner, Runnable displaced) {
            this.owner = owner;
            this.displaced = displaced;
        }

        /**
         * As the console's {@link StreamConsole#feed}, if this keyboard is heard.
         *
         * @return whether it is
         */
        public boolean feed(byte[] bytes, int offset, int size) throws InterruptedException {
            lock.lock();
            try {
                if (keyboards.isEmpty() || keyboards.getLast() != this) {
                    return false;
                }
            } finally {
                lock.unlock();
            }
            StreamConsole.this.feed(bytes, offset, size);
            return true;
        }

        @Override
        public void close() {
            lock.lock();
            keyboards.remove(this);
            lock.unlock();
        }
    }

    /**
     * Lets somebody type here, alone.
     *
     * @param owner who it is, such as {@code the terminal of "run"}
     * @param force whether to take over from somebody else, who is heard again afterwards
     * @param displaced called when somebody else takes over; must not block
     * @throws HostException if somebody else types here, and {@code force} is not set
     */
    public Keyboard keyboard(String owner, boolean force, Runnable displaced) {
        Keyboard keyboard = new Keyboard(owner, displaced);
        Keyboard before = null;
        lock.lock();
        try {
            if (!keyboards.isEmpty()) {
                before = keyboards.getLast();
                if (!force) {
                    throw new HostException("console: is in use by " + before.owner);
                }
            }
            keyboards.add(keyboard);
        } finally {
            lock.unlock();
        }
        if (before != null) {
            before.displaced.run();
        }
        return keyboard;
    }

    /** Sends what is printed from now on to one more sink. A sink that is slow holds up the guest. */
    public void add(OutputStream sink) {
        lock.lock();
        sinks.add(sink);
        lock.unlock();
    }

    /** Sends nothing more to a sink. */
    public void remove(OutputStream sink) {
        lock.lock();
        sinks.remove(sink);
        lock.unlock();
    }

    /** Waits until everything written so far has reached the sinks, or the time is up. */
    public void flush(long millis) {
        long nanos = TimeUnit.MILLISECONDS.toNanos(millis);
        lock.lock();
        try {
            toFlusher.signal();
            while ((outputSize > 0 || flushing) && nanos > 0) {
                nanos = fromFlusher.awaitNanos(nanos);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            lock.unlock();
        }
    }

    /** The first failure of a sink. */
    public Optional<IOException> failure() {
        lock.lock();
        try {
            return Optional.ofNullable(failure);
        } finally {
            lock.unlock();
        }
    }

    /** Passes on what was written, for a second at the most, and takes nothing more. */
    @Override
    public void close() {
        flush(1000);
        lock.lock();
        try {
            closed = true;
            toFlusher.signal();
            fromFlusher.signalAll();
            inputTaken.signalAll();
        } finally {
            lock.unlock();
        }
    }

    private void flushLoop() {
        try {
            while (true) {
                byte[] batch;
                int size;
                List<OutputStream> targets;
                lock.lock();
                try {
                    if (!awaitOutput()) {
                        return;
                    }
                    batch = output;
                    size = outputSize;
                    output = spare;
                    spare = batch;
                    outputSize = 0;
                    flushing = true;
                    targets = List.copyOf(sinks);
                    fromFlusher.signalAll();
                } finally {
                    lock.unlock();
                }
                for (OutputStream sink : targets) {
                    send(sink, batch, size);
                }
                lock.lock();
                flushing = false;
                fromFlusher.signalAll();
                lock.unlock();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Waits for output and then a little longer for more; false once the console is closed. */
    private boolean awaitOutput() throws InterruptedException {
        while (outputSize == 0) {
            if (closed) {
                return false;
            }
            toFlusher.await();
        }
        if (outputSize < GATHER_BYTES && !closed) {
            boolean ignored = toFlusher.await(GATHER_MILLIS, TimeUnit.MILLISECONDS);
        }
        return true;
    }

    private void send(OutputStream sink, byte[] batch, int size) {
        try {
            sink.write(batch, 0, size);
            sink.flush();
        } catch (IOException e) {
            lock.lock();
            sinks.remove(sink);
            failure = failure == null ? e : failure;
            lock.unlock();
        }
    }
}
