package dev.multivisor.cli;

import java.io.OutputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.LongSupplier;

/** Reads a guest's reports from its console, with what the host can say at that moment. Other lines are left out. */
final class Heartbeat extends OutputStream {
    private static final int LONGEST = 400;

    /**
     * A report that arrived.
     *
     * @param arrival when, by {@link System#nanoTime}
     * @param instructions what the guest had executed by then, as the host counts
     */
    record Seen(Beat beat, long arrival, long instructions) {}

    private final StringBuilder line = new StringBuilder();
    private volatile LongSupplier instructions = () -> 0;

    // Guarded by this:
    private final List<Seen> seen = new ArrayList<>();

    /** Names who counts the guest's instructions. */
    void count(LongSupplier newInstructions) {
        instructions = newInstructions;
    }

    @Override
    public void write(int value) {
        write(new byte[] {(byte) value}, 0, 1);
    }

    @Override
    public void write(byte[] bytes, int offset, int size) {
        for (int n = offset; n < offset + size; n++) {
            char value = (char) (bytes[n] & 0xff);
            if (value == '\n') {
                Beat.parse(line.toString()).ifPresent(this::add);
                line.setLength(0);
            } else if (line.length() < LONGEST && value != '\r') {
                line.append(value);
            }
        }
    }

    private void add(Beat beat) {
        Seen now = new Seen(beat, System.nanoTime(), instructions.getAsLong());
        synchronized (this) {
            seen.add(now);
        }
    }

    /** The reports so far. */
    synchronized List<Seen> seen() {
        return List.copyOf(seen);
    }

    /** The last report. */
    synchronized Optional<Seen> last() {
        return seen.isEmpty() ? Optional.empty() : Optional.of(seen.getLast());
    }
}
