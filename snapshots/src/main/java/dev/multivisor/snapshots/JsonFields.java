package dev.multivisor.snapshots;

import dev.multivisor.host.HostException;
import java.nio.file.Path;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.json.JsonFactory;

/** The fields of a JSON object in a file. What is missing or of another type is an error that names file and field. */
final class JsonFields {
    private static final int DEEPEST = 8;

    private final Path file;
    private final String prefix;
    private final Map<String, Object> values;

    private JsonFields(Path file, String prefix, Map<String, Object> values) {
        this.file = file;
        this.prefix = prefix;
        this.values = values;
    }

    /** @throws HostException if the bytes are no JSON object */
    static JsonFields parse(Path file, JsonFactory json, byte[] bytes) {
        try (JsonParser in = json.createParser(ObjectReadContext.empty(), bytes)) {
            if (in.nextToken() != JsonToken.START_OBJECT) {
                throw new HostException("snapshot " + file + ": is no JSON object");
            }
            JsonFields fields = new JsonFields(file, "", object(in, 0));
            if (in.nextToken() != null) {
                throw new HostException("snapshot " + file + ": goes on after its end");
            }
            return fields;
        } catch (JacksonException e) {
            throw new HostException(
                    "snapshot " + file + ": is no JSON in line "
                            + e.getLocation().getLineNr() + ": "
                            + e.getOriginalMessage().lines().findFirst().orElse(""),
                    e);
        }
    }

    private static Map<String, Object> object(JsonParser in, int depth) {
        Map<String, Object> values = new LinkedHashMap<>();
        for (String name = in.nextName(); name != null; name = in.nextName()) {
            values.put(name, value(in, in.nextToken(), depth));
        }
        return values;
    }

    private static Object value(JsonParser in, JsonToken token, int depth) {
        if (depth > DEEPEST) {
            return "";
        }
        return switch (token) {
            case START_OBJECT -> object(in, depth + 1);
            case START_ARRAY -> {
                List<Object> list = new ArrayList<>();
                for (JsonToken next = in.nextToken(); next != JsonToken.END_ARRAY; next = in.nextToken()) {
                    list.add(value(in, next, depth + 1));
                }
                yield list;
            }
            case VALUE_NUMBER_INT -> in.getNumberType() == JsonParser.NumberType.BIG_INTEGER ? "" : in.getLongValue();
            case VALUE_TRUE -> true;
            case VALUE_FALSE -> false;
            default -> String.valueOf(in.getString());
        };
    }

    HostException problem(String name, String what) {
        return new HostException("snapshot " + file + ": " + prefix + name + ": " + what);
    }

    boolean absent(String name) {
        return !values.containsKey(name);
    }

    Set<String> names() {
        return values.keySet();
    }

    private <T> T value(String name, Class<T> type, String kind) {
        Object value = values.get(name);
        if (value == null) {
            throw problem(name, "is missing");
        }
        if (!type.isInstance(value)) {
            throw problem(name, "is no " + kind);
        }
        return type.cast(value);
    }

    String text(String name) {
        return value(name, String.class, "text");
    }

    long number(String name) {
        long number = value(name, Long.class, "number");
        if (number < 0) {
            throw problem(name, "is negative");
        }
        return number;
    }

    int integer(String name) {
        long number = number(name);
        if (number > Integer.MAX_VALUE) {
            throw problem(name, "is too large");
        }
        return (int) number;
    }

    boolean flag(String name) {
        return value(name, Boolean.class, "true or false");
    }

    long hex(String name) {
        try {
            return HexFormat.fromHexDigitsToLong(text(name));
        } catch (IllegalArgumentException e) {
            throw problem(name, "is no hexadecimal number");
        }
    }

    Instant time(String name) {
        try {
            return Instant.parse(text(name));
        } catch (DateTimeException e) {
            throw problem(name, "is no time");
        }
    }

    JsonFields object(String name) {
        Map<String, Object> fields = new LinkedHashMap<>();
        Map<?, ?> object = value(name, Map.class, "object");
        object.forEach((key, value) -> fields.put((String) key, value));
        return new JsonFields(file, prefix + name + ".", fields);
    }

    /** All fields, each of which is text. */
    Map<String, String> texts() {
        Map<String, String> texts = new LinkedHashMap<>();
        values.keySet().forEach(name -> texts.put(name, text(name)));
        return texts;
    }

    List<String> list(String name) {
        List<String> texts = new ArrayList<>();
        for (Object value : value(name, List.class, "list")) {
            if (!(value instanceof String text)) {
                throw problem(name, "has something other than text in it");
            }
            texts.add(text);
        }
        return texts;
    }
}
