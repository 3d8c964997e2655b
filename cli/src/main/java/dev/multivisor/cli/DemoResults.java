package dev.multivisor.cli;

import dev.multivisor.cli.DemoRun.Move;
import dev.multivisor.cli.Heartbeat.Seen;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import java.util.function.IntPredicate;
import java.util.function.ToLongFunction;
import java.util.stream.IntStream;

/** What a demonstration has shown: the guest's reports, the host's, and what did not hold. */
final class DemoResults {
    private static final long SECOND = 1_000_000_000L;

    /** How exactly a report's arrival says when it was made, in nanoseconds. */
    private static final long ARRIVAL = 20_000_000L;

    /** How far the host's and the guest's clocks may be apart in the end, and beats behind the clock. */
    private static final long CLOCKS_APART = SECOND / 10;

    private static final long BEATS_BEHIND = 1000;

    private final String guest;
    private final List<Seen> seen;
    private final List<Move> moves;
    private final List<String> problems = new ArrayList<>();
    private final long origin;
    private final int checked;
    private final int width;

    /**
     * Looks through what was reported.
     *
     * @param failures what went wrong on the way
     */
    DemoResults(String guest, List<Seen> seen, List<Move> moves, List<String> failures) {
        this.guest = guest;
        this.seen = seen;
        this.moves = List.copyOf(moves);
        problems.addAll(failures);
        origin = origin(seen);
        checked = check();
        width = 2
                + Math.max(
                        14,
                        moves.stream()
                                .mapToInt(move -> engines(move).length())
                                .max()
                                .orElse(0));
    }

    /** The host's time at the guest's time 0: nothing arrives before it was sent. */
    private static long origin(List<Seen> reports) {
        return reports.stream()
                .mapToLong(report -> report.arrival() - report.beat().time())
                .min()
                .orElse(0);
    }

    /** Finds what did not hold; returns how many checksums are right. */
    private int check() {
        Workload workload = new Workload(0);
        int right = 0;
        for (int n = 0; n < seen.size(); n++) {
            Beat beat = seen.get(n).beat();
            if (beat.number() != n + 1) {
                problems.add("the guest's report " + (n + 1) + " did not arrive as such, but " + beat.number());
                return right;
            }
            if (n > 0 && beat.time() <= seen.get(n - 1).beat().time()) {
                problems.add("the guest's clock went back before report " + beat.number());
            }
            if (workload.checksum(beat.rounds()) != beat.checksum()) {
                problems.add("the guest's checksum after " + beat.rounds() + " rounds, " + hex(beat.checksum())
                        + ", is wrong: " + hex(workload.checksum(beat.rounds())) + " is right");
                return right;
            }
            right++;
        }
        if (!seen.isEmpty()) {
            checkEnd(seen.getLast().beat());
        }
        return right;
    }

    private void checkEnd(Beat end) {
        if (end.lost() > 0) {
            problems.add("the guest lost " + end.lost() + " beats of its timer");
        }
        if (end.extra() > 0) {
            problems.add(end.extra() + " beats of the guest's timer came before they were due");
        }
        if (end.clock() > 0) {
            problems.add("the guest found " + end.clock() + " errors in its clock");
        }
        long behind = end.time() / 1_000_000 - end.beats() - end.lost();
        if (behind > BEATS_BEHIND) {
            problems.add("the guest's timer is " + behind + " beats behind its clock");
        }
        int half = seen.size() / 2;
        long apart = half == 0 ? 0 : origin(seen.subList(half, seen.size())) - origin(seen.subList(0, half));
        if (Math.abs(apart) > CLOCKS_APART) {
            problems.add("the guest's clock has come to differ from the host's by " + millis(apart) + " ms");
        }
    }

    private static String hex(int value) {
        return String.format("%08x", value);
    }

    // ---- for those who show it ----

    /** What did not hold, one line each; empty if everything did. */
    List<String> problems() {
        return List.copyOf(problems);
    }

    List<Seen> seen() {
        return seen;
    }

    List<Move> moves() {
        return moves;
    }

    String guest() {
        return guest;
    }

    /** A host time as seconds of the guest's clock. */
    double seconds(long hostTime) {
        return (hostTime - origin) / 1e9;
    }

    /** Rounds a second in the interval that ends with a report. */
    double speed(int report) {
        if (report == 0) {
            return 0;
        }
        Beat before = seen.get(report - 1).beat();
        Beat beat = seen.get(report).beat();
        return (beat.rounds() - before.rounds()) * 1e9 / (beat.time() - before.time());
    }

    static String millis(long nanos) {
        return String.format(Locale.ROOT, nanos < 10_000_000 ? "%.3f" : "%.1f", nanos / 1e6);
    }

    // ---- the table ----

    void print(PrintWriter out) {
        out.println();
        if (!moves.isEmpty()) {
            row(out, "", Move::name);
            row(
                    out,
                    "engine",
                    move -> move.report().from() + " > " + move.report().to());
            row(out, "guest stood still, ms", move -> millis(move.report().stopped()));
            out.println("largest gaps in the guest, ms");
            row(
                    out,
                    "  in the move",
                    move -> millis(largest(touching(move.moved() - move.report().stopped(), move.moved()))));
            row(out, "  target rehearsing: median, max", this::rehearsing);
            row(
                    out,
                    "  3 s before: median, max",
                    move -> medianAndMax(within(move.begun() - 3 * SECOND, move.begun())));
            out.println("million instructions a second, host's count");
            row(out, "  before", move -> instructions(move.begun() - 3 * SECOND, move.begun()));
            row(out, "  in the first second after", move -> instructions(move.moved(), move.moved() + SECOND));
            row(out, "  afterwards", move -> instructions(move.moved() + SECOND, end(move)));
            out.println("rounds computed a second, guest's count");
            row(out, "  before", move -> rounds(move.begun() - 3 * SECOND, move.begun()));
            row(out, "  in the first second after", move -> rounds(move.moved(), move.moved() + SECOND));
            row(out, "  afterwards", move -> rounds(move.moved() + SECOND, end(move)));
            out.println();
            Sparkline.print(this, out);
            out.println();
        }
        if (!seen.isEmpty()) {
            Beat last = seen.getLast().beat();
            out.printf(
                    Locale.ROOT, "timer beats   %,d, lost %d, too early %d%n", last.beats(), last.lost(), last.extra());
            out.printf(Locale.ROOT, "clock         %.1f s, errors %d%n", last.time() / 1e9, last.clock());
            out.printf(Locale.ROOT, "checksums     %d of %d right, %,d rounds%n", checked, seen.size(), last.rounds());
        }
        out.printf("moves         %d of 3 made%n", moves.size());
        out.flush();
    }

    private void row(PrintWriter out, String label, Function<Move, String> value) {
        StringBuilder line = new StringBuilder(String.format("%-34s", label));
        moves.forEach(move -> line.append(String.format("%-" + width + "s", value.apply(move))));
        out.println(line.toString().stripTrailing());
    }

    private static String engines(Move move) {
        return move.report().from() + " > " + move.report().to();
    }

    private String rehearsing(Move move) {
        return medianAndMax(within(move.begun(), move.moved() - move.report().stopped()));
    }

    /** When the next move begins, or the last report came. */
    private long end(Move move) {
        int next = moves.indexOf(move) + 1;
        return next < moves.size() ? moves.get(next).begun() : seen.getLast().arrival();
    }

    /** The gaps of all intervals that have a part in a time of the host's. */
    private long[] touching(long start, long end) {
        return gaps(n -> time(n) >= start - ARRIVAL && time(n - 1) <= end + ARRIVAL);
    }

    /** The gaps of all intervals that are within a time of the host's. */
    private long[] within(long start, long end) {
        return gaps(n -> time(n - 1) >= start && time(n) <= end - ARRIVAL);
    }

    private long[] gaps(IntPredicate interval) {
        return IntStream.range(1, seen.size())
                .filter(interval)
                .mapToLong(n -> seen.get(n).beat().gap())
                .sorted()
                .toArray();
    }

    /** When a report was made, in the host's time. */
    private long time(int report) {
        return seen.get(report).beat().time() + origin;
    }

    private static long largest(long[] gaps) {
        return Arrays.stream(gaps).max().orElse(0);
    }

    private static String medianAndMax(long[] gaps) {
        return gaps.length == 0 ? "-" : millis(gaps[gaps.length / 2]) + ", " + millis(largest(gaps));
    }

    private String instructions(long start, long end) {
        return rate(start, end, Seen::instructions, 1e6);
    }

    private String rounds(long start, long end) {
        return rate(start, end, report -> report.beat().rounds(), 1);
    }

    private String rate(long start, long end, ToLongFunction<Seen> count, double unit) {
        int[] in = IntStream.range(0, seen.size())
                .filter(n -> time(n) >= start && time(n) <= end)
                .toArray();
        if (in.length < 2) {
            return "-";
        }
        int first = in[0];
        int last = in[in.length - 1];
        double done = count.applyAsLong(seen.get(last)) - count.applyAsLong(seen.get(first));
        return String.format(Locale.ROOT, "%,.0f", done * 1e9 / (time(last) - time(first)) / unit);
    }
}
