package dev.multivisor.engine.machine;

import java.util.Arrays;
import java.util.Set;
import java.util.TreeSet;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonParser.NumberType;
import tools.jackson.core.JsonToken;

/** Reads values at a parser's current token, of exactly the type that is wanted. */
final class StateReader {
    private StateReader() {}

    private static void require(JsonParser in, JsonToken token, String what) {
        if (in.currentToken() != token) {
            throw new InvalidFieldException("is not " + what);
        }
    }

    static int readInt(JsonParser in) {
        require(in, JsonToken.VALUE_NUMBER_INT, "a whole number");
        long value = readLong(in);
        if ((int) value != value) {
            throw new InvalidFieldException("is not a number of 32 bits: " + value);
        }
        return (int) value;
    }

    static long readLong(JsonParser in) {
        require(in, JsonToken.VALUE_NUMBER_INT, "a whole number");
        if (in.getNumberType() == NumberType.BIG_INTEGER) {
            throw new InvalidFieldException("is not a number of 64 bits");
        }
        return in.getLongValue();
    }

    static boolean readBoolean(JsonParser in) {
        JsonToken token = in.currentToken();
        if (token != JsonToken.VALUE_TRUE && token != JsonToken.VALUE_FALSE) {
            throw new InvalidFieldException("is neither true nor false");
        }
        return token == JsonToken.VALUE_TRUE;
    }

    static String readString(JsonParser in) {
        require(in, JsonToken.VALUE_STRING, "a text");
        return in.getString();
    }

    /** A list of texts, each of which is there once. */
    static Set<String> readNames(JsonParser in) {
        require(in, JsonToken.START_ARRAY, "a list");
        Set<String> names = new TreeSet<>();
        while (in.nextToken() != JsonToken.END_ARRAY) {
            String name = InvalidFieldException.shown(readString(in));
            if (!names.add(name)) {
                throw new InvalidFieldException("is there twice").within(name);
            }
        }
        return names;
    }

    static byte[] readBytes(JsonParser in) {
        require(in, JsonToken.VALUE_EMBEDDED_OBJECT, "bytes");
        return in.getBinaryValue();
    }

    static long[] readLongs(JsonParser in) {
        require(in, JsonToken.START_ARRAY, "a list");
        long[] values = new long[16];
        int count = 0;
        while (in.nextToken() != JsonToken.END_ARRAY) {
            if (count == values.length) {
                values = Arrays.copyOf(values, 2 * count);
            }
            try {
                values[count] = readLong(in);
            } catch (InvalidFieldException e) {
                throw e.within("[" + count + "]");
            }
            count++;
        }
        return count == values.length ? values : Arrays.copyOf(values, count);
    }

    static int[] readInts(JsonParser in) {
        require(in, JsonToken.START_ARRAY, "a list");
        int[] values = new int[16];
        int count = 0;
        while (in.nextToken() != JsonToken.END_ARRAY) {
            if (count == values.length) {
                values = Arrays.copyOf(values, 2 * count);
            }
            try {
                values[count] = readInt(in);
            } catch (InvalidFieldException e) {
                throw e.within("[" + count + "]");
            }
            count++;
        }
        return count == values.length ? values : Arrays.copyOf(values, count);
    }
}
