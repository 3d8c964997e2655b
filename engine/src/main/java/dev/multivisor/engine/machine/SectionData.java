package dev.multivisor.engine.machine;

import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.core.JsonGenerator;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.ObjectWriteContext;
import tools.jackson.dataformat.cbor.CBORFactory;

/**
 * A section's data in a version that has no record class, or not any more: fields by name, to be converted. Values are
 * Long, Boolean, String, byte[], SectionData, and lists of these.
 */
final class SectionData {
    private static final CBORFactory CBOR = new CBORFactory();

    private final Map<String, Object> fields = new LinkedHashMap<>();

    /** Whether there is such a field. */
    boolean has(String field) {
        return fields.containsKey(field);
    }

    /** Adds a field, or gives it another value; an Integer is taken as Long. */
    SectionData put(String field, Object value) {
        fields.put(field, value instanceof Integer number ? (Object) number.longValue() : value);
        return this;
    }

    /**
     * Takes a field out.
     *
     * @throws InvalidFieldException if it is missing or of another type
     */
    <T> T take(String field, Class<T> type) {
        Object value = fields.remove(field);
        if (value == null) {
            throw new InvalidFieldException("is missing").within(field);
        }
        if (!type.isInstance(value)) {
            throw new InvalidFieldException("is not what it was in this version").within(field);
        }
        return type.cast(value);
    }

    /**
     * Takes a part out, to change it and put it back.
     *
     * @throws InvalidFieldException if it is missing or no map
     */
    SectionData takeData(String field) {
        return take(field, SectionData.class);
    }

    /**
     * Takes out a number that an older version does not know.
     *
     * @param meant what the older version takes for granted
     * @throws InvalidFieldException if the field is something else, which must not be lost
     */
    void drop(String field, long meant) {
        long value = take(field, Long.class);
        if (value != meant) {
            throw new InvalidFieldException("is " + value + ", which the older version cannot hold").within(field);
        }
    }

    /** As {@link #drop(String, long)} for a switch. */
    void drop(String field, boolean meant) {
        boolean value = take(field, Boolean.class);
        if (value != meant) {
            throw new InvalidFieldException("is " + value + ", which the older version cannot hold").within(field);
        }
    }

    // ---- CBOR ----

    byte[] toBytes() {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (JsonGenerator out = CBOR.createGenerator(ObjectWriteContext.empty(), bytes)) {
            write(out);
        }
        return bytes.toByteArray();
    }

    /** The data of a record, to be converted. */
    static SectionData of(Record state) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (JsonGenerator out = CBOR.createGenerator(ObjectWriteContext.empty(), bytes)) {
            RecordCodec.of(state.getClass()).write(out, state);
        }
        byte[] content = bytes.toByteArray();
        try (JsonParser in = CBOR.createParser(ObjectReadContext.empty(), content)) {
            in.nextToken();
            return read(in);
        }
    }

    void write(JsonGenerator out) {
        out.writeStartObject(this, fields.size());
        fields.forEach((name, value) -> {
            out.writeName(name);
            write(out, value);
        });
        out.writeEndObject();
    }

    private static void write(JsonGenerator out, Object value) {
        switch (value) {
            case Long number -> out.writeNumber(number);
            case Boolean flag -> out.writeBoolean(flag);
            case String text -> out.writeString(text);
            case byte[] bytes -> out.writeBinary(bytes);
            case SectionData data -> data.write(out);
            case List<?> list -> {
                out.writeStartArray(list, list.size());
                list.forEach(element -> write(out, element));
                out.writeEndArray();
            }
            default -> throw new IllegalArgumentException("no state: " + value.getClass());
        }
    }

    /** Reads data whose first token is the parser's current one. */
    static SectionData read(JsonParser in) {
        if (in.currentToken() != JsonToken.START_OBJECT) {
            throw new InvalidFieldException("is not a map");
        }
        SectionData data = new SectionData();
        for (String name = in.nextName(); name != null; name = in.nextName()) {
            in.nextToken();
            try {
                if (data.fields.put(name, value(in)) != null) {
                    throw new InvalidFieldException("is there twice");
                }
            } catch (InvalidFieldException e) {
                throw e.within(name);
            }
        }
        return data;
    }

    private static Object value(JsonParser in) {
        return switch (in.currentToken()) {
            case VALUE_NUMBER_INT -> StateReader.readLong(in);
            case VALUE_TRUE, VALUE_FALSE -> StateReader.readBoolean(in);
            case VALUE_STRING -> StateReader.readString(in);
            case VALUE_EMBEDDED_OBJECT -> StateReader.readBytes(in);
            case START_OBJECT -> read(in);
            case START_ARRAY -> {
                List<Object> list = new ArrayList<>();
                while (in.nextToken() != JsonToken.END_ARRAY) {
                    list.add(value(in));
                }
                yield list;
            }
            case null, default -> throw new InvalidFieldException("is of no type that a state has");
        };
    }
}
