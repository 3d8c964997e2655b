package dev.multivisor.cli;

import java.io.PrintWriter;
import java.util.Locale;

/** Draws a demonstration with the block characters of a terminal, one column for a piece of time. */
final class Sparkline {
    private static final int WIDTH = 72;
    private static final String BLOCKS = " ▁▂▃▄▅▆▇█";

    /** What the lowest and the highest block of the gaps mean, in nanoseconds; between them it goes by powers. */
    private static final double LOWEST = 1e4, HIGHEST = 1e8;

    private Sparkline() {}

    static void print(DemoResults results, PrintWriter out) {
        int last = results.seen().size() - 1;
        double end = results.seen().get(last).beat().time() / 1e9;
        double[] gap = new double[WIDTH];
        double[] speed = new double[WIDTH];
        for (int n = 0; n <= last; n++) {
            double time = results.seen().get(n).beat().time() / 1e9;
            int column = column(time, end);
            gap[column] = Math.max(gap[column], results.seen().get(n).beat().gap());
            speed[column] = Math.max(speed[column], results.speed(n));
        }
        double best = 1;
        for (double value : speed) {
            best = Math.max(best, value);
        }
        StringBuilder gaps = new StringBuilder();
        StringBuilder speeds = new StringBuilder();
        StringBuilder marks = new StringBuilder(" ".repeat(WIDTH));
        for (int n = 0; n < WIDTH; n++) {
            gaps.append(block(Math.log(gap[n] / LOWEST) / Math.log(HIGHEST / LOWEST)));
            speeds.append(block(speed[n] / best));
        }
        results.moves().forEach(move -> marks.setCharAt(column(results.seconds(move.moved()), end), '^'));
        out.println("gap     |" + gaps + "| 0.01 to 100 ms, by powers of ten");
        out.println("speed   |" + speeds + "| up to " + String.format(Locale.ROOT, "%,.0f rounds/s", best));
        out.println("moves   |" + marks + "| " + String.format(Locale.ROOT, "%.0f s", end));
    }

    private static int column(double time, double end) {
        return (int) Math.max(0, Math.min(WIDTH - 1, time / end * WIDTH));
    }

    private static char block(double part) {
        int index = (int) Math.round(part * (BLOCKS.length() - 1));
        return BLOCKS.charAt(part > 0 ? Math.max(1, Math.min(BLOCKS.length() - 1, index)) : 0);
    }
}
