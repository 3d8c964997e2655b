package dev.multivisor.cli;

import dev.multivisor.images.Progress;
import java.io.PrintWriter;

/** Shows how far a pull is: one line that changes in a terminal, a line for each step elsewhere. */
final class PullProgress implements Progress, AutoCloseable {
    private static final long INTERVAL_NANOS = 100_000_000L;

    private final PrintWriter err;
    private final boolean terminal;
    private String current = "";
    private long shown;

    PullProgress(PrintWriter err) {
        this.err = err;
        this.terminal = RawTerminal.isTerminal(2);
    }

    @Override
    public void update(String step, long done, long total) {
        boolean fresh = !step.equals(current);
        if (!terminal) {
            if (fresh) {
                err.println("multivisor: " + step);
            }
        } else if (fresh || System.nanoTime() - shown > INTERVAL_NANOS) {
            shown = System.nanoTime();
            // Carriage return and "erase to end of line" (ECMA-48 EL) keep it on one line.
            err.print("\r\u001b[K" + step + amount(done, total));
            err.flush();
        }
        current = step;
    }

    private static String amount(long done, long total) {
        if (total > 0) {
            return String.format(" %d %% of %.1f MB", Math.min(100, done * 100 / total), total / 1e6);
        }
        return done > 0 ? String.format(" %.1f MB", done / 1e6) : "";
    }

    @Override
    public void close() {
        if (terminal && !current.isEmpty()) {
            err.print("\r\u001b[K");
            err.flush();
        }
    }
}
