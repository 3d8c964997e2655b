package dev.multivisor.cli;

import java.util.Locale;

/** Numbers as people read them. */
final class Figures {
    private static final long KIBI = 1024;

    private Figures() {}

    /** A size such as {@code 512M}. */
    static String bytes(long bytes) {
        String units = "KMGT";
        String text = bytes + "";
        long rest = bytes;
        for (int n = 0; n < units.length() && rest >= KIBI && rest % KIBI == 0; n++) {
            rest /= KIBI;
            text = rest + units.substring(n, n + 1);
        }
        return text;
    }

    /** A time such as {@code 12.3 s}. */
    static String seconds(long nanos) {
        return String.format(Locale.ROOT, "%.1f s", nanos * 1e-9);
    }

    /** A time such as {@code 12.3 ms}. */
    static String millis(long nanos) {
        return String.format(Locale.ROOT, "%.1f ms", nanos * 1e-6);
    }

    /** A time such as {@code 312 µs}. */
    static String micros(long nanos) {
        return String.format(Locale.ROOT, "%,d µs", nanos / 1000);
    }

    /** A count such as {@code 1,234,567}. */
    static String count(long count) {
        return String.format(Locale.ROOT, "%,d", count);
    }
}
