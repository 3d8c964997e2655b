package dev.multivisor.cli;

import java.time.Duration;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.TypeConversionException;

/** How people write a length of time: {@code 30s}, {@code 5m}, {@code 1h30m}, {@code 500ms}. */
final class Durations {
    private static final Pattern PART = Pattern.compile("(\\d{1,9})(ms|s|m|h)");

    private Durations() {}

    static Duration parse(String text) {
        String whole = text.matches("\\d{1,9}") ? text + "s" : text;
        Matcher matcher = PART.matcher(whole);
        Duration total = Duration.ZERO;
        int end = 0;
        while (end < whole.length() && matcher.find(end) && matcher.start() == end) {
            long number = Long.parseLong(matcher.group(1));
            total = total.plus(
                    switch (matcher.group(2)) {
                        case "ms" -> Duration.ofMillis(number);
                        case "s" -> Duration.ofSeconds(number);
                        case "m" -> Duration.ofMinutes(number);
                        default -> Duration.ofHours(number);
                    });
            end = matcher.end();
        }
        if (end < whole.length() || total.isZero()) {
            throw new TypeConversionException("\"" + text + "\" is no length of time such as 30s, 5m or 1h30m");
        }
        return total;
    }
}
