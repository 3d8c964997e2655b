package dev.multivisor.host;

import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** How people write an amount of guest memory, such as {@code 512M} or {@code 2G}. */
public final class MemorySize {
    /** The least that a machine can have: 16 MiB. */
    public static final long MINIMUM = 16L << 20;

    /** The most that a machine can have: 1 TiB. */
    public static final long MAXIMUM = 1L << 40;

    private static final Pattern SYNTAX = Pattern.compile("(\\d{1,15})([KMGT]?)(?:I?B)?");

    private MemorySize() {}

    /**
     * Reads a size: a number of bytes, or one with the suffix K, M, G or T (binary multiples).
     *
     * @throws HostException if it is none, or none that a machine can have
     */
    public static long parse(String text) {
        Matcher matcher = SYNTAX.matcher(text.strip().toUpperCase(Locale.ROOT));
        if (!matcher.matches()) {
            throw new HostException("memory: \"" + text + "\" is not a size such as 512M or 2G");
        }
        int shift = switch (matcher.group(2)) {
            case "K" -> 10;
            case "M" -> 20;
            case "G" -> 30;
            case "T" -> 40;
            default -> 0;
        };
        long number = Long.parseLong(matcher.group(1));
        if (number > MAXIMUM >> shift) {
            throw new HostException("memory: " + text + " is more than the limit of " + format(MAXIMUM));
        }
        return check(number << shift);
    }

    /** Returns the size if a machine can have that much memory; otherwise throws {@link HostException}. */
    static long check(long size) {
        if (size < MINIMUM) {
            throw new HostException("memory: " + format(size) + " is less than the minimum of " + format(MINIMUM));
        }
        if (size > MAXIMUM) {
            throw new HostException("memory: " + format(size) + " is more than the limit of " + format(MAXIMUM));
        }
        if (size % 4096 != 0) {
            throw new HostException("memory: " + size + " bytes are not a multiple of 4096");
        }
        return size;
    }

    /** Writes a size as {@link #parse} reads it, with the largest suffix that loses nothing. */
    public static String format(long size) {
        String suffixes = "KMGT";
        int power = 0;
        long value = size;
        while (power < 4 && value != 0 && value % 1024 == 0) {
            value /= 1024;
            power++;
        }
        return power == 0 ? value + " bytes" : value + String.valueOf(suffixes.charAt(power - 1));
    }
}
