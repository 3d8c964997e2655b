package dev.multivisor.cli;

import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A report line of the guests in {@code guests/builtin}. Times are in nanoseconds of the guest's clock.
 *
 * @param cpu the processor that it is about
 * @param number how many lines of this processor there are so far
 * @param time since the guest's program began
 * @param gap the longest time between two looks at the clock since the last line
 * @param worst the longest one ever
 * @param beats timer beats so far
 * @param lost beats that never came
 * @param extra beats that came before they were due
 * @param clock errors of the clock, such as steps back
 * @param rounds rounds computed
 * @param checksum after the last round
 */
record Beat(
        int cpu,
        long number,
        long time,
        long gap,
        long worst,
        long beats,
        long lost,
        long extra,
        long clock,
        long rounds,
        int checksum) {
    private static final Pattern LINE =
            Pattern.compile("beat (\\d{1,3})" + " (\\d{1,18})".repeat(9) + " ([0-9a-f]{8})");

    /** The report in a line; empty if it is no report. */
    static Optional<Beat> parse(String line) {
        Matcher matcher = LINE.matcher(line);
        if (!matcher.matches()) {
            return Optional.empty();
        }
        long[] fields = new long[10];
        for (int n = 0; n < fields.length; n++) {
            fields[n] = Long.parseLong(matcher.group(n + 1));
        }
        return Optional.of(new Beat(
                (int) fields[0],
                fields[1],
                fields[2],
                fields[3],
                fields[4],
                fields[5],
                fields[6],
                fields[7],
                fields[8],
                fields[9],
                Integer.parseUnsignedInt(matcher.group(11), 16)));
    }
}
