package dev.multivisor.engine.machine;

import dev.multivisor.api.EngineException;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.zip.CRC32C;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonGenerator;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.ObjectWriteContext;
import tools.jackson.core.io.SerializedString;
import tools.jackson.dataformat.cbor.CBORFactory;

/**
 * A machine's state as bytes: a header (magic, format version, length and CRC-32C of what follows, all little-endian) and a
 * CBOR map of the producing engine, the machine's features and its sections. A section has a name, a version and a record whose
 * components are keyed by name. Unknown sections, unknown fields and missing fields are errors, never dropped.
 */
final class StateContainer {
    /** Longest state that is read, in bytes: many times what the largest machine needs. */
    static final int LIMIT = 64 << 20;

    private static final byte[] MAGIC = "MVSTATE\n".getBytes(StandardCharsets.US_ASCII);
    private static final int FORMAT = 1;
    private static final int HEADER = 20;

    /** What fits a machine with two vCPUs. */
    private static final int USUAL_SIZE = 8192;

    private static final SerializedString PRODUCER = new SerializedString("producer");
    private static final SerializedString FEATURES = new SerializedString("features");
    private static final SerializedString SECTIONS = new SerializedString("sections");
    private static final SerializedString VERSION = new SerializedString("version");
    private static final SerializedString DATA = new SerializedString("data");

    private static final CBORFactory CBOR = new CBORFactory();

    private final String producer;
    private final Set<String> features;
    private final Map<String, Section> sections = new LinkedHashMap<>();

    private StateContainer(String producer, Set<String> features) {
        this.producer = producer;
        this.features = features;
    }

    private sealed interface Section {}

    /** A section to be written. */
    private record Outgoing(int version, Consumer<JsonGenerator> data) implements Section {}

    /** A section that was read: its data is CBOR. */
    private record Incoming(int version, byte[] bytes, int offset, int length) implements Section {}

    /** An empty container to be filled by {@link #put}. */
    static StateContainer of(String producer, Set<String> features) {
        return new StateContainer(producer, features);
    }

    /** Adds a section. */
    StateContainer put(String name, int version, Record state) {
        sections.put(
                name,
                new Outgoing(version, out -> RecordCodec.of(state.getClass()).write(out, state)));
        return this;
    }

    /** Adds a section of an older version. */
    void put(String name, int version, SectionData data) {
        sections.put(name, new Outgoing(version, data::write));
    }

    /** The engine that wrote it, as {@code name version}. */
    String producer() {
        return producer;
    }

    /** What the machine has beyond the first engine's. */
    Set<String> features() {
        return features;
    }

    /**
     * The version of a section of a container that was read.
     *
     * @throws EngineException if it is absent
     */
    int version(String name) {
        if (!(sections.get(name) instanceof Incoming section)) {
            throw new EngineException("state: section '" + name + "' is missing");
        }
        return section.version;
    }

    /**
     * Takes a section out of a container that was read, so that {@link #finish} can tell which nobody asked for.
     *
     * @throws EngineException if it is absent, of another version, or does not fit the record
     */
    <T extends Record> T take(String name, int version, Class<T> type) {
        int found = version(name);
        if (found != version) {
            throw new EngineException(
                    "state: section '" + name + "' has version " + found + ", this engine takes " + version);
        }
        Incoming section = (Incoming) sections.remove(name);
        return read(name, section.bytes, section.offset, section.length, RecordCodec.of(type)::read);
    }

    /**
     * Takes a section of an older version out.
     *
     * @param upgrade changes it to what the record takes
     * @throws EngineException if it is absent, or cannot be changed so that it fits the record
     */
    <T extends Record> T take(String name, Class<T> type, Consumer<SectionData> upgrade) {
        Incoming section = (Incoming) sections.remove(name);
        byte[] upgraded = read(name, section.bytes, section.offset, section.length, in -> {
            SectionData data = SectionData.read(in);
            upgrade.accept(data);
            return data.toBytes();
        });
        return read(name, upgraded, 0, upgraded.length, RecordCodec.of(type)::read);
    }

    private static <T> T read(String name, byte[] bytes, int offset, int length, Function<JsonParser, T> reader) {
        try (JsonParser in = CBOR.createParser(ObjectReadContext.empty(), bytes, offset, length)) {
            in.nextToken();
            return reader.apply(in);
        } catch (JacksonException e) {
            throw refusal("section '" + name + "'", new InvalidFieldException(e));
        } catch (InvalidFieldException e) {
            throw refusal("section '" + name + "'", e);
        }
    }

    static EngineException refusal(String what, InvalidFieldException e) {
        return new EngineException("state: " + what + ": " + e.getMessage(), e);
    }

    /** @throws EngineException if a section was not taken */
    void finish() {
        if (!sections.isEmpty()) {
            throw new EngineException("state: unknown section '"
                    + InvalidFieldException.shown(sections.keySet().iterator().next()) + "'");
        }
    }

    // ---- Writing ----

    /** Bytes with room for the header in front. */
    private static final class Framed extends ByteArrayOutputStream {
        Framed() {
            super(USUAL_SIZE);
            count = HEADER;
        }

        byte[] finish() {
            ByteBuffer.wrap(buf)
                    .order(ByteOrder.LITTLE_ENDIAN)
                    .put(MAGIC)
                    .putInt(FORMAT)
                    .putInt(count - HEADER)
                    .putInt(checksum(buf, HEADER, count - HEADER));
            return toByteArray();
        }
    }

    byte[] toBytes() {
        Framed framed = new Framed();
        try (JsonGenerator out = CBOR.createGenerator(ObjectWriteContext.empty(), framed)) {
            out.writeStartObject(this, 3);
            out.writeName(PRODUCER);
            out.writeString(producer);
            out.writeName(FEATURES);
            out.writeStartArray(features, features.size());
            new TreeSet<>(features).forEach(out::writeString);
            out.writeEndArray();
            out.writeName(SECTIONS);
            out.writeStartObject(sections, sections.size());
            for (Map.Entry<String, Section> entry : sections.entrySet()) {
                Outgoing section = (Outgoing) entry.getValue();
                out.writeName(entry.getKey());
                out.writeStartObject(section, 2);
                out.writeName(VERSION);
                out.writeNumber(section.version);
                out.writeName(DATA);
                section.data.accept(out);
                out.writeEndObject();
            }
            out.writeEndObject();
            out.writeEndObject();
        }
        return framed.finish();
    }

    // ---- Reading ----

    /** @throws EngineException naming the field of the header that is wrong */
    static StateContainer parse(byte[] bytes) {
        if (bytes.length < HEADER || !Arrays.equals(bytes, 0, MAGIC.length, MAGIC, 0, MAGIC.length)) {
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
        if (checksum != checksum(bytes, HEADER, length)) {
            throw new EngineException("state: checksum: the content is damaged");
        }
        return content(bytes);
    }

    /** The parser counts from somewhere; {@code base} added to its locations gives indices of the bytes. */
    private static StateContainer content(byte[] bytes) {
        try (JsonParser in = CBOR.createParser(ObjectReadContext.empty(), bytes, HEADER, bytes.length - HEADER)) {
            int base = HEADER - (int) in.currentLocation().getByteOffset();
            String producer = null;
            Set<String> features = null;
            Map<String, Section> sections = null;
            requireMap(in.nextToken());
            for (String name = in.nextName(); name != null; name = in.nextName()) {
                in.nextToken();
                try {
                    switch (name) {
                        case "producer" -> producer = once(producer, StateReader.readString(in));
                        case "features" -> features = once(features, StateReader.readNames(in));
                        case "sections" -> sections = once(sections, sections(in, bytes, base));
                        default -> throw new InvalidFieldException("is unknown to this engine");
                    }
                } catch (InvalidFieldException e) {
                    throw e.within(name);
                }
            }
            if (in.nextToken() != null) {
                throw new InvalidFieldException("has something behind its end");
            }
            StateContainer container = new StateContainer(present("producer", producer), present("features", features));
            container.sections.putAll(present("sections", sections));
            return container;
        } catch (JacksonException e) {
            throw refusal("content", new InvalidFieldException(e));
        } catch (InvalidFieldException e) {
            throw refusal("content", e);
        }
    }

    private static void requireMap(JsonToken token) {
        if (token != JsonToken.START_OBJECT) {
            throw new InvalidFieldException("is not a map");
        }
    }

    private static <T> T once(T before, T value) {
        if (before != null) {
            throw new InvalidFieldException("is there twice");
        }
        return value;
    }

    private static <T> T present(String name, T value) {
        if (value == null) {
            throw new InvalidFieldException("is missing").within(name);
        }
        return value;
    }

    private static Map<String, Section> sections(JsonParser in, byte[] bytes, int base) {
        requireMap(in.currentToken());
        Map<String, Section> sections = new LinkedHashMap<>();
        for (String name = in.nextName(); name != null; name = in.nextName()) {
            in.nextToken();
            try {
                Section section = section(in, bytes, base);
                once(sections.put(name, section), section);
            } catch (InvalidFieldException e) {
                throw e.within(name);
            }
        }
        return sections;
    }

    private static Section section(JsonParser in, byte[] bytes, int base) {
        requireMap(in.currentToken());
        Integer version = null;
        Integer start = null;
        int end = 0;
        for (String name = in.nextName(); name != null; name = in.nextName()) {
            JsonToken token = in.nextToken();
            try {
                switch (name) {
                    case "version" -> version = once(version, StateReader.readInt(in));
                    case "data" -> {
                        requireMap(token);
                        start = once(
                                start, base + (int) in.currentTokenLocation().getByteOffset());
                        in.skipChildren();
                        end = base + (int) in.currentLocation().getByteOffset();
                    }
                    default -> throw new InvalidFieldException("is unknown to this engine");
                }
            } catch (InvalidFieldException e) {
                throw e.within(name);
            }
        }
        int offset = present("data", start);
        return new Incoming(present("version", version), bytes, offset, end - offset);
    }

    private static int checksum(byte[] bytes, int offset, int length) {
        CRC32C crc = new CRC32C();
        crc.update(bytes, offset, length);
        return (int) crc.getValue();
    }
}
