package dev.multivisor.engine.machine;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.RecordComponent;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonGenerator;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.io.SerializedString;

/**
 * Writes and reads records of one class as maps whose keys are the components' names. Derived once from the class, when
 * it is first needed: at start-up nobody saves. Components may be int, long, boolean, byte[], int[], long[], String,
 * records, and lists of records. Pattern switches and lambdas are avoided, which cost milliseconds when first met.
 *
 * <p>Fields are read by variable handles instead of the accessors' method handles, of which the JVM would make a
 * specialized copy each after some use: milliseconds in the middle of a handover.
 */
final class RecordCodec<T extends Record> {
    private static final ClassValue<RecordCodec<?>> CODECS = new ClassValue<>() {
        @Override
        protected RecordCodec<?> computeValue(Class<?> type) {
            return new RecordCodec<>(type.asSubclass(Record.class));
        }
    };

    private static final MethodHandles.Lookup LOOKUP = MethodHandles.lookup();

    private final Field[] fields;

    /** Takes the values in the components' order and gives the record. */
    private final Function<Object[], T> constructor;

    private RecordCodec(Class<T> type) {
        try {
            MethodHandles.Lookup lookup = MethodHandles.privateLookupIn(type, LOOKUP);
            RecordComponent[] components = type.getRecordComponents();
            fields = new Field[components.length];
            for (int n = 0; n < components.length; n++) {
                Class<?> kind = components[n].getType();
                VarHandle handle = lookup.findVarHandle(type, components[n].getName(), kind);
                fields[n] = new Field(components[n].getName(), Kind.of(kind), handle, nested(components[n]));
            }
            constructor = RecordMaker.of(lookup, type);
        } catch (ReflectiveOperationException e) {
            throw new AssertionError(e);
        }
    }

    /** The codec of a class. */
    @SuppressWarnings("unchecked") // computeValue makes it of the same class
    static <T extends Record> RecordCodec<T> of(Class<T> type) {
        return (RecordCodec<T>) CODECS.get(type);
    }

    private static Class<? extends Record> nested(RecordComponent component) {
        if (component.getGenericType() instanceof ParameterizedType list) {
            return ((Class<?>) list.getActualTypeArguments()[0]).asSubclass(Record.class);
        }
        return component.getType().isRecord() ? component.getType().asSubclass(Record.class) : null;
    }

    void write(JsonGenerator out, Record state) {
        out.writeStartObject(state, fields.length);
        for (Field field : fields) {
            out.writeName(field.key);
            field.write(out, state);
        }
        out.writeEndObject();
    }

    /**
     * Reads a record whose first token is the parser's current one.
     *
     * @throws InvalidFieldException if it is not exactly what the class has
     */
    T read(JsonParser in) {
        if (in.currentToken() != JsonToken.START_OBJECT) {
            throw new InvalidFieldException("is not a map");
        }
        Object[] values = new Object[fields.length];
        int expected = 0;
        for (String name = in.nextName(); name != null; name = in.nextName()) {
            int index = index(name, expected);
            expected = index + 1;
            try {
                if (values[index] != null) {
                    throw new InvalidFieldException("is there twice");
                }
                in.nextToken();
                values[index] = fields[index].read(in);
            } catch (JacksonException e) {
                throw new InvalidFieldException(e).within(name);
            } catch (InvalidFieldException e) {
                throw e.within(name);
            }
        }
        for (int n = 0; n < values.length; n++) {
            if (values[n] == null) {
                throw new InvalidFieldException("is missing").within(fields[n].name);
            }
        }
        return constructor.apply(values);
    }

    /** Where a field is: most likely next to the one before. */
    private int index(String name, int expected) {
        if (expected < fields.length && fields[expected].name.equals(name)) {
            return expected;
        }
        for (int n = 0; n < fields.length; n++) {
            if (fields[n].name.equals(name)) {
                return n;
            }
        }
        throw new InvalidFieldException("is unknown to this engine").within(name);
    }

    /** Where and how two records differ, in one line; empty if they do not. */
    Optional<String> difference(Record expected, Record found) {
        for (Field field : fields) {
            Optional<String> difference = field.difference(expected, found);
            if (difference.isPresent()) {
                return difference;
            }
        }
        return Optional.empty();
    }

    private enum Kind {
        INT,
        LONG,
        BOOLEAN,
        BYTES,
        INTS,
        LONGS,
        STRING,
        RECORD,
        RECORDS;

        static Kind of(Class<?> type) {
            if (type.isPrimitive()) {
                return type == int.class ? INT : type == long.class ? LONG : BOOLEAN;
            }
            if (type.isArray()) {
                return type == byte[].class ? BYTES : type == int[].class ? INTS : LONGS;
            }
            return type == String.class ? STRING : type.isRecord() ? RECORD : RECORDS;
        }
    }

    /** A component. */
    private static final class Field {
        final String name;
        final SerializedString key;
        private final Kind kind;
        private final VarHandle handle;

        /** Of a record, or of a list's elements; null else. */
        private final RecordCodec<?> nested;

        Field(String name, Kind kind, VarHandle handle, Class<? extends Record> nested) {
            this.name = name;
            key = new SerializedString(name);
            this.kind = kind;
            this.handle = handle;
            this.nested = nested == null ? null : of(nested);
        }

        private Object value(Record state) {
            return (Object) handle.get(state);
        }

        void write(JsonGenerator out, Record state) {
            switch (kind) {
                case INT -> out.writeNumber((int) handle.get(state));
                case LONG -> out.writeNumber((long) handle.get(state));
                case BOOLEAN -> out.writeBoolean((boolean) handle.get(state));
                default -> writeObject(out, value(state));
            }
        }

        private void writeObject(JsonGenerator out, Object value) {
            if (value == null) {
                out.writeNull();
                return;
            }
            switch (kind) {
                case BYTES -> out.writeBinary((byte[]) value);
                case INTS -> out.writeArray((int[]) value, 0, ((int[]) value).length);
                case LONGS -> out.writeArray((long[]) value, 0, ((long[]) value).length);
                case STRING -> out.writeString((String) value);
                case RECORD -> nested.write(out, (Record) value);
                default -> {
                    List<?> states = (List<?>) value;
                    out.writeStartArray(states, states.size());
                    for (Object state : states) {
                        nested.write(out, (Record) state);
                    }
                    out.writeEndArray();
                }
            }
        }

        Object read(JsonParser in) {
            JsonToken token = in.currentToken();
            if (token == JsonToken.VALUE_NULL) {
                throw new InvalidFieldException("is missing");
            }
            return switch (kind) {
                case INT -> StateReader.readInt(in);
                case LONG -> StateReader.readLong(in);
                case BOOLEAN -> StateReader.readBoolean(in);
                case BYTES -> StateReader.readBytes(in);
                case INTS -> StateReader.readInts(in);
                case LONGS -> StateReader.readLongs(in);
                case STRING -> StateReader.readString(in);
                case RECORD -> nested.read(in);
                case RECORDS -> readRecords(in);
            };
        }

        private List<Record> readRecords(JsonParser in) {
            if (in.currentToken() != JsonToken.START_ARRAY) {
                throw new InvalidFieldException("is not a list");
            }
            List<Record> states = new ArrayList<>();
            while (in.nextToken() != JsonToken.END_ARRAY) {
                try {
                    states.add(nested.read(in));
                } catch (InvalidFieldException e) {
                    throw e.within("[" + states.size() + "]");
                }
            }
            return states;
        }

        Optional<String> difference(Record expected, Record found) {
            return switch (kind) {
                case INT -> differing((int) handle.get(expected), (int) handle.get(found));
                case LONG -> differing((long) handle.get(expected), (long) handle.get(found));
                case BOOLEAN -> {
                    boolean value = (boolean) handle.get(found);
                    yield (boolean) handle.get(expected) == value ? Optional.empty() : described(value, !value);
                }
                case BYTES -> {
                    byte[] one = (byte[]) value(expected);
                    byte[] other = (byte[]) value(found);
                    yield Arrays.equals(one, other) ? Optional.empty() : at(Arrays.mismatch(one, other));
                }
                case INTS -> {
                    int[] one = (int[]) value(expected);
                    int[] other = (int[]) value(found);
                    yield Arrays.equals(one, other) ? Optional.empty() : at(Arrays.mismatch(one, other));
                }
                case LONGS -> {
                    long[] one = (long[]) value(expected);
                    long[] other = (long[]) value(found);
                    yield Arrays.equals(one, other) ? Optional.empty() : at(Arrays.mismatch(one, other));
                }
                case STRING ->
                    value(expected).equals(value(found)) ? Optional.empty() : Optional.of(name + ": differs");
                case RECORD ->
                    nested.difference((Record) value(expected), (Record) value(found))
                            .map(inner -> name + "." + inner);
                case RECORDS -> differing((List<?>) value(expected), (List<?>) value(found));
            };
        }

        private Optional<String> differing(long expected, long found) {
            return expected == found ? Optional.empty() : described(found, expected);
        }

        private Optional<String> described(Object found, Object expected) {
            return Optional.of(name + ": " + found + " instead of " + expected);
        }

        private Optional<String> at(int index) {
            return Optional.of(name + "[" + index + "]: differs");
        }

        private Optional<String> differing(List<?> expected, List<?> found) {
            if (expected.size() != found.size()) {
                return Optional.of(name + ": " + found.size() + " elements instead of " + expected.size());
            }
            for (int n = 0; n < expected.size(); n++) {
                Optional<String> difference = nested.difference((Record) expected.get(n), (Record) found.get(n));
                if (difference.isPresent()) {
                    return Optional.of(name + "[" + n + "]." + difference.get());
                }
            }
            return Optional.empty();
        }
    }
}
