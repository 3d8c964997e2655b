package dev.multivisor.engine.device;

import dev.multivisor.api.EngineException;

/** Checks fields of state that is restored; each throws an {@link EngineException} that names the field. */
public final class StateCheck {
    private StateCheck() {}

    /** A number within bounds, both included. */
    public static int range(String field, int value, int low, int high) {
        if (value < low || value > high) {
            throw new EngineException(field + ": " + value + " is not between " + low + " and " + high);
        }
        return value;
    }

    /** A number within bounds, both included. */
    public static long range(String field, long value, long low, long high) {
        if (value < low || value > high) {
            throw new EngineException(field + ": " + value + " is not between " + low + " and " + high);
        }
        return value;
    }

    /** An array's or list's length. */
    public static void length(String field, int length, int expected) {
        if (length != expected) {
            throw new EngineException(field + ": has " + length + " elements instead of " + expected);
        }
    }

    /** Something that must be there. */
    public static <T> T present(String field, T value) {
        if (value == null) {
            throw new EngineException(field + ": is missing");
        }
        return value;
    }

    /** A copy of an array of a known length. */
    public static int[] copy(String field, int[] values, int length) {
        length(field, present(field, values).length, length);
        return values.clone();
    }

    /** A copy of an array of a known length. */
    public static long[] copy(String field, long[] values, int length) {
        length(field, present(field, values).length, length);
        return values.clone();
    }

    /** A copy of an array of a known length. */
    public static byte[] copy(String field, byte[] values, int length) {
        length(field, present(field, values).length, length);
        return values.clone();
    }
}
