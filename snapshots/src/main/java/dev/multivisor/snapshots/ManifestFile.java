package dev.multivisor.snapshots;

import dev.multivisor.api.MachineSpec;
import dev.multivisor.api.StateFormat;
import dev.multivisor.host.HostException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.zip.CRC32C;
import tools.jackson.core.JsonGenerator;
import tools.jackson.core.ObjectWriteContext;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.core.util.DefaultPrettyPrinter;

/**
 * A manifest as JSON. Its last field is the CRC-32C of all bytes before that field, so that whatever is changed or cut is
 * noticed.
 */
final class ManifestFile {
    /** Changes with the layout; readers know the older ones. */
    private static final int FORMAT = 1;

    private static final String MARK = "multivisor-snapshot";
    private static final String CHECKSUM = "\"checksum\" : \"";
    private static final String END = "\"\n}\n";
    private static final int CHECKSUM_DIGITS = 8;

    /** No manifest is longer; a wrong file must not cost memory. */
    private static final long LIMIT = 1 << 20;

    private static final JsonFactory JSON = new JsonFactory();

    private ManifestFile() {}

    static byte[] write(Manifest manifest) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (JsonGenerator out = JSON.createGenerator(new Pretty(), bytes)) {
            out.writeStartObject();
            out.writeNumberProperty(MARK, FORMAT);
            out.writeStringProperty("id", manifest.id());
            manifest.parent().ifPresent(parent -> {
                out.writeObjectPropertyStart("parent");
                out.writeStringProperty("name", parent.name());
                out.writeStringProperty("id", parent.id());
                out.writeEndObject();
            });
            out.writeStringProperty("created", manifest.created().toString());
            out.writeStringProperty("machine", manifest.machine());
            out.writeStringProperty("engine", manifest.engine());
            out.writeNumberProperty("contract", manifest.contract());
            spec(out, manifest.spec());
            out.writeObjectPropertyStart("format");
            out.writeObjectPropertyStart("sections");
            new TreeMap<>(manifest.format().sections()).forEach(out::writeNumberProperty);
            out.writeEndObject();
            out.writeArrayPropertyStart("features");
            new TreeSet<>(manifest.format().features()).forEach(out::writeString);
            out.writeEndArray();
            out.writeEndObject();
            out.writeNumberProperty("memoryBytes", manifest.memory());
            out.writeNumberProperty("guestNanos", manifest.guestNanos());
            out.writeBooleanProperty("live", manifest.live());
            out.writeNumberProperty("stoppedNanos", manifest.stoppedNanos());
            content(out, Snapshot.STATE, manifest.state());
            content(out, Snapshot.PAGES, manifest.pages());
            out.writeObjectPropertyStart(Snapshot.MEMORY);
            out.writeNumberProperty("pages", manifest.storedPages());
            out.writeStringProperty("sum", HexFormat.of().toHexDigits(manifest.memoryChecksum()));
            out.writeEndObject();
            out.writeStringProperty("checksum", "0".repeat(CHECKSUM_DIGITS));
            out.writeEndObject();
        }
        byte[] text = (bytes.toString(StandardCharsets.UTF_8) + "\n").getBytes(StandardCharsets.UTF_8);
        int digits = text.length - END.length() - CHECKSUM_DIGITS;
        byte[] sum = HexFormat.of()
                .toHexDigits(checksum(text, digits - CHECKSUM.length()), CHECKSUM_DIGITS)
                .getBytes(StandardCharsets.US_ASCII);
        System.arraycopy(sum, 0, text, digits, CHECKSUM_DIGITS);
        return text;
    }

    private static void spec(JsonGenerator out, MachineSpec spec) {
        out.writeNumberProperty("cpus", spec.cpus());
        out.writeStringProperty("cpuModel", spec.cpuModel());
        out.writeObjectPropertyStart("parameters");
        new TreeMap<>(spec.parameters()).forEach(out::writeStringProperty);
        out.writeEndObject();
    }

    private static void content(JsonGenerator out, String name, Manifest.Content content) {
        out.writeObjectPropertyStart(name);
        out.writeNumberProperty("bytes", content.bytes());
        out.writeStringProperty("crc32c", HexFormat.of().toHexDigits(content.checksum(), CHECKSUM_DIGITS));
        out.writeEndObject();
    }

    /**
     * Reads a manifest.
     *
     * @throws HostException naming the file and what is wrong with it
     */
    static Manifest read(Path file) {
        try {
            if (Files.size(file) > LIMIT) {
                throw new HostException("snapshot " + file + ": is no manifest: it has more than " + LIMIT + " bytes");
            }
            return parse(file, Files.readAllBytes(file));
        } catch (IOException e) {
            throw new HostException(
                    "snapshot " + file.getParent() + ": is no snapshot (" + Snapshot.MANIFEST + " cannot be read: "
                            + e.getClass().getSimpleName() + ")",
                    e);
        }
    }

    private static Manifest parse(Path file, byte[] bytes) {
        JsonFields in = JsonFields.parse(file, JSON, bytes);
        int format = in.integer(MARK);
        if (format != FORMAT) {
            throw in.problem(MARK, "is " + format + ", this program knows " + FORMAT);
        }
        verify(in, bytes);
        JsonFields parent = in.absent("parent") ? null : in.object("parent");
        JsonFields state = in.object(Snapshot.STATE);
        JsonFields pages = in.object(Snapshot.PAGES);
        JsonFields memory = in.object(Snapshot.MEMORY);
        return new Manifest(
                in.text("id"),
                parent == null
                        ? Optional.empty()
                        : Optional.of(new Manifest.Parent(parent.text("name"), parent.text("id"))),
                in.time("created"),
                in.text("machine"),
                in.text("engine"),
                in.integer("contract"),
                new MachineSpec(
                        in.integer("cpus"),
                        in.text("cpuModel"),
                        in.object("parameters").texts()),
                stateFormat(in.object("format")),
                in.number("memoryBytes"),
                in.number("guestNanos"),
                in.flag("live"),
                in.number("stoppedNanos"),
                new Manifest.Content(state.number("bytes"), state.hex("crc32c")),
                new Manifest.Content(pages.number("bytes"), pages.hex("crc32c")),
                memory.number("pages"),
                memory.hex("sum"));
    }

    private static StateFormat stateFormat(JsonFields in) {
        Map<String, Integer> sections = new TreeMap<>();
        JsonFields all = in.object("sections");
        all.names().forEach(name -> sections.put(name, all.integer(name)));
        return new StateFormat(sections, new HashSet<>(in.list("features")));
    }

    private static void verify(JsonFields in, byte[] bytes) {
        long said = in.hex("checksum");
        int covered = bytes.length - END.length() - CHECKSUM_DIGITS - CHECKSUM.length();
        if (covered < 0 || checksum(bytes, covered) != said) {
            throw in.problem("checksum", "does not fit the rest: the file was changed or damaged");
        }
    }

    private static long checksum(byte[] bytes, int length) {
        CRC32C crc = new CRC32C();
        crc.update(bytes, 0, length);
        return crc.getValue();
    }

    /** Has the generator write an entry for each line, each with two more blanks than what it is in. */
    private static final class Pretty extends ObjectWriteContext.Base {
        @Override
        public tools.jackson.core.PrettyPrinter getPrettyPrinter() {
            return new DefaultPrettyPrinter();
        }

        @Override
        public boolean hasPrettyPrinter() {
            return true;
        }
    }
}
