package dev.multivisor.engine.device;

import dev.multivisor.api.Console;
import java.util.ArrayDeque;
import java.util.Deque;

/** A console at which a test types and reads. */
public final class TestConsole implements Console {
    private final StringBuilder written = new StringBuilder();
    private final Deque<Integer> typed = new ArrayDeque<>();
    private Runnable listener = () -> {};

    public String written() {
        return written.toString();
    }

    public void type(String text) {
        text.chars().forEach(typed::add);
        listener.run();
    }

    @Override
    public void write(byte value) {
        written.append((char) (value & 0xff));
    }

    @Override
    public int read() {
        Integer next = typed.poll();
        return next == null ? -1 : next;
    }

    @Override
    public void onInput(Runnable called) {
        listener = called;
    }
}
