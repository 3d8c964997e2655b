package dev.multivisor.engine.machine;

import dev.multivisor.api.Boot;
import dev.multivisor.api.Clock;
import dev.multivisor.api.Console;
import dev.multivisor.api.GuestMemory;
import dev.multivisor.api.Resources;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Queue;

/** What a machine under test is lent: plain memory, the host's clock, and consoles that remember. */
final class TestResources implements AutoCloseable {
    final Arena arena = Arena.ofShared();
    final MemorySegment memory;
    final Recorder serial = new Recorder();
    final Recorder debug = new Recorder();
    final Resources resources;

    TestResources(long bytes) {
        memory = arena.allocate(bytes, 4096);
        resources = new Resources(new Ram(memory), new HostClock(), serial, debug, List.of(), List.of());
    }

    /** A file as a boot image. */
    static Boot.Image image(Path file) {
        try (FileChannel channel = FileChannel.open(file)) {
            return new Boot.Image(
                    file.toString(), channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), Arena.ofAuto()));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void close() {
        arena.close();
    }

    private record Ram(MemorySegment bytes) implements GuestMemory {
        @Override
        public List<Region> regions() {
            return List.of(new Region(0, 0, bytes.byteSize()));
        }
    }

    private static final class HostClock implements Clock {
        private final long start = System.nanoTime();

        @Override
        public long nanoTime() {
            return System.nanoTime() - start;
        }

        @Override
        public long wallTime() {
            return System.currentTimeMillis() * 1_000_000;
        }
    }

    /** A console with its output as text. */
    static final class Recorder implements Console {
        private final ByteArrayOutputStream output = new ByteArrayOutputStream();
        private final Queue<Byte> input = new ArrayDeque<>();
        private Runnable listener = () -> {};
        private boolean echo;

        void echo() {
            echo = true;
        }

        @Override
        public synchronized void write(byte value) {
            output.write(value);
            if (echo) {
                System.err.write(value);
            }
        }

        void write(String text) {
            output.writeBytes(text.getBytes(StandardCharsets.UTF_8));
        }

        @Override
        public synchronized int read() {
            Byte next = input.poll();
            return next == null ? -1 : next & 0xff;
        }

        @Override
        public synchronized void onInput(Runnable newListener) {
            listener = newListener;
        }

        void type(String text) {
            Runnable call;
            synchronized (this) {
                for (byte b : text.getBytes(StandardCharsets.UTF_8)) {
                    input.add(b);
                }
                call = listener;
            }
            call.run();
        }

        synchronized String text() {
            return output.toString(StandardCharsets.UTF_8);
        }
    }
}
