package dev.multivisor.engine.machine;

import dev.multivisor.api.EngineException;
import java.lang.reflect.RecordComponent;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32C;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.dataformat.cbor.CBORMapper;

/**
 * A machine's state as bytes: a header (magic, format version, length and CRC-32C of what follows, all little-endian) and a
 * CBOR map of the producing engine and its sections. A section has a name, a version and a record whose
 * components are keyed by name. Unknown sections, unknown fields and missing fields are errors, never dropped.
 */
final class StateContainer {
    /** Longest state that is read, in bytes: many times what the largest machine needs. */
    static final int LIMIT = 64 << 20;

    private static final byte[] MAGIC = "MVSTATE\n".getBytes(StandardCharsets.US_ASCII);
    private static final int FORMAT = 1;
    private static final int HEADER = 20;

    private static final CBORMapper MAPPER = CBORMapper.builder()
            .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
            .enable(DeserializationFeature.FAIL_ON_MISSING_CREATOR_PROPERTIES)
            .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
            .build();

    private final String producer;
    private final Map<String, Section> sections;

    private StateContainer(String producer, Map<String, Section> sections) {
        this.producer = producer;
        this.sections = sections;
    }

    /** What is written. */
    record Content(String producer, Map<String, Section> sections) {}

    /**
     * A part of the state.
     *
     * @param version of its record
     * @param data the record as a tree
     */
    record Section(int version, JsonNode data) {}

    /** An empty container to be filled by {@link #put}. */
    static StateContainer of(String producer) {
        return new StateContainer(producer, new LinkedHashMap<>());
    }

    /** Adds a section. */
    StateContainer put(String name, int version, Record state) {
        sections.put(name, new Section(version, MAPPER.valueToTree(state)));
        return this;
    }

    /** The engine that wrote it, as {@code name version}. */
    String producer() {
        return producer;
    }

    /**
     * Takes a section out, so that {@link #finish} can tell which nobody asked for.
     *
     * @throws EngineException if it is absent, of another version, or does not fit the record
     */
    <T extends Record> T take(String name, int version, Class<T> type) {
        Section section = sections.remove(name);
        if (section == null) {
            throw new EngineException("state: section '" + name + "' is missing");
        }
        if (section.version != version) {
            throw new EngineException(
                    "state: section '" + name + "' has version " + section.version + ", this engine takes " + version);
        }
        try {
            T state = MAPPER.treeToValue(section.data, type);
            requireComplete("state: section '" + name + "': ", state);
            return state;
        } catch (JacksonException e) {
            throw new EngineException("state: section '" + name + "': " + line(e), e);
        }
    }

    /** What is wrong, and where, in one line. */
    private static String line(JacksonException e) {
        StringBuilder path = new StringBuilder();
        for (JacksonException.Reference step : e.getPath()) {
            path.append(step.getPropertyName() == null ? "[" + step.getIndex() + "]" : "." + step.getPropertyName());
        }
        String where = path.isEmpty() ? "" : path.substring(path.charAt(0) == '.' ? 1 : 0) + ": ";
        return where + e.getOriginalMessage().replaceAll("\\s*\\R\\s*", " ");
    }

    /** Refuses null anywhere within: no state has optional parts. */
    private static void requireComplete(String path, Object value) {
        switch (value) {
            case null -> throw new EngineException(path + ": is missing");
            case List<?> list -> {
                for (int n = 0; n < list.size(); n++) {
                    requireComplete(path + "[" + n + "]", list.get(n));
                }
            }
            case Record state -> {
                String prefix = path.endsWith(" ") ? path : path + ".";
                for (RecordComponent component : state.getClass().getRecordComponents()) {
                    requireComplete(prefix + component.getName(), component(state, component));
                }
            }
            default -> {
                // A number, a boolean, a string or an array of numbers.
            }
        }
    }

    private static Object component(Record state, RecordComponent component) {
        try {
            component.getAccessor().setAccessible(true);
            return component.getAccessor().invoke(state);
        } catch (ReflectiveOperationException e) {
            throw new AssertionError(e);
        }
    }

    /** @throws EngineException if a section was not taken */
    void finish() {
        if (!sections.isEmpty()) {
            throw new EngineException(
                    "state: unknown section '" + sections.keySet().iterator().next() + "'");
        }
    }

    byte[] toBytes() {
        byte[] content = MAPPER.writeValueAsBytes(new Content(producer, sections));
        ByteBuffer out = ByteBuffer.allocate(HEADER + content.length).order(ByteOrder.LITTLE_ENDIAN);
        out.put(MAGIC)
                .putInt(FORMAT)
                .putInt(content.length)
                .putInt(checksum(content))
                .put(content);
        return out.array();
    }

    /** @throws EngineException naming the field of the header that is wrong */
    static StateContainer parse(byte[] bytes) {
        if (bytes.length < HEADER || !Arrays.equals(MAGIC, Arrays.copyOf(bytes, MAGIC.length))) {
            throw new EngineException("state: magic: this is not a machine's state");
        }
        if (bytes.length > LIMIT) {
            throw new EngineException("state: length: " + bytes.length + " bytes, at most " + LIMIT + " are read");
        }
        ByteBuffer in = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).position(MAGIC.length);
        int format = in.getInt();
        if (format != FORMAT) {
            throw new EngineException("state: format: version " + format + ", this engine reads " + FORMAT);
        }
        int length = in.getInt();
        if (length != bytes.length - HEADER) {
            throw new EngineException(
                    "state: length: " + length + " bytes announced, " + (bytes.length - HEADER) + " present");
        }
        int checksum = in.getInt();
        byte[] content = Arrays.copyOfRange(bytes, HEADER, bytes.length);
        if (checksum != checksum(content)) {
            throw new EngineException("state: checksum: the content is damaged");
        }
        try {
            Content parsed = MAPPER.readValue(content, Content.class);
            if (parsed == null) {
                throw new EngineException("state: content: is empty");
            }
            requireComplete("state: content: ", parsed);
            parsed.sections.forEach((name, section) -> requireComplete("state: section '" + name + "': ", section));
            return new StateContainer(parsed.producer, new LinkedHashMap<>(parsed.sections));
        } catch (JacksonException e) {
            throw new EngineException("state: content: " + line(e), e);
        }
    }

    private static int checksum(byte[] content) {
        CRC32C crc = new CRC32C();
        crc.update(content);
        return (int) crc.getValue();
    }
}
