package dev.multivisor.engine.cpu.sse;

import java.util.Random;

/** Random floating-point numbers of all kinds, as bits. */
public final class SomeNumbers {
    private final Random random;

    public SomeNumbers(Random random) {
        this.random = random;
    }

    long anyDouble() {
        long bits = random.nextLong();
        return switch (random.nextInt(6)) {
            case 0 -> bits;
            case 1 -> bits & 0x800fffffffffffffL;
            case 2 -> bits & 0x800fffffffffffffL | (long) random.nextInt(60) << 52;
            case 3 -> bits & 0x800fffffffffffffL | (long) (2047 - random.nextInt(60)) << 52;
            case 4 -> Double.doubleToRawLongBits(random.nextInt(200) - 100);
            default -> bits & 0x800fffffffffffffL | (long) (963 + random.nextInt(120)) << 52;
        };
    }

    int anySingle() {
        int bits = random.nextInt();
        return switch (random.nextInt(5)) {
            case 0 -> bits;
            case 1 -> bits & 0x807fffff;
            case 2 -> bits & 0x807fffff | random.nextInt(30) << 23;
            case 3 -> Float.floatToRawIntBits(random.nextInt(200) - 100);
            default -> bits & 0x807fffff | 97 + random.nextInt(60) << 23;
        };
    }

    /** One of {@link #anyDouble}, or an exact, denormal or infinite one, so that results often need no rounding. */
    public long someDouble() {
        return switch (random.nextInt(8)) {
            case 0, 1 ->
                Double.doubleToRawLongBits(random.nextInt(2000) * Math.scalb(0.25, random.nextInt(2000) - 1000));
            case 2, 3 -> Double.doubleToRawLongBits(Math.scalb(1.0, random.nextInt(2098) - 1074));
            case 4 -> Double.doubleToRawLongBits(random.nextBoolean() ? 0.0 : -0.0);
            default -> anyDouble();
        };
    }

    /** The same of single precision. */
    public int someSingle() {
        return switch (random.nextInt(8)) {
            case 0, 1 -> Float.floatToRawIntBits(random.nextInt(2000) * Math.scalb(0.25f, random.nextInt(240) - 120));
            case 2, 3 -> Float.floatToRawIntBits(Math.scalb(1f, random.nextInt(277) - 149));
            case 4 -> Float.floatToRawIntBits(random.nextBoolean() ? 0f : -0f);
            default -> anySingle();
        };
    }
}
