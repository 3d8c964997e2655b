package dev.multivisor.it;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** Builds {@code patcher.S} for a kernel, with what a module of that kernel tells about modules: no headers are needed. */
final class KernelModule {
    private static final int SECTIONS = 0x28, SECTION_BYTES = 64, RELA_BYTES = 24;
    private static final String THIS = ".gnu.linkonce.this_module";

    /** A part of an ELF file (System V ABI, 4.15). */
    private record Section(int offset, int size) {}

    private final byte[] file;
    private final ByteBuffer bytes;
    private final Map<String, Section> sections = new HashMap<>();

    private KernelModule(byte[] file) {
        this.file = file;
        bytes = ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN);
        int table = (int) bytes.getLong(SECTIONS);
        int count = bytes.getShort(0x3c);
        int names = (int) bytes.getLong(table + bytes.getShort(0x3e) * SECTION_BYTES + 24);
        for (int n = 0; n < count; n++) {
            int at = table + n * SECTION_BYTES;
            String name = string(names + bytes.getInt(at));
            sections.put(name, new Section((int) bytes.getLong(at + 24), (int) bytes.getLong(at + 32)));
        }
    }

    private String string(int at) {
        int end = at;
        while (file[end] != 0) {
            end++;
        }
        return new String(file, at, end - at, StandardCharsets.US_ASCII);
    }

    private Section section(String name) {
        Section section = sections.get(name);
        assertTrue(section != null, () -> "the module has no " + name + " but " + sections.keySet());
        return section;
    }

    /** Where struct module names the functions for its beginning and its end, in this order. */
    private List<Long> functions() {
        Section relocations = section(".rela" + THIS);
        return Stream.iterate(relocations.offset, at -> at + RELA_BYTES)
                .limit(relocations.size / RELA_BYTES)
                .map(bytes::getLong)
                .sorted()
                .toList();
    }

    private String information(String key) {
        Section section = section(".modinfo");
        for (int at = section.offset; at < section.offset + section.size; ) {
            String line = string(at);
            if (line.startsWith(key + "=")) {
                return line.substring(key.length() + 1);
            }
            at += line.length() + 1;
        }
        throw new AssertionError("the module does not tell its " + key);
    }

    /** Makes {@code patcher.ko} for the kernel of an image in the user's cache. */
    static Path patcher(String image) throws IOException, InterruptedException {
        Path archive = Guests.image(image).resolve("modules.tar");
        Path work = Files.createTempDirectory("donor");
        Guests.output(List.of("tar", "-xf", "" + archive, "-C", "" + work, "--wildcards", "*/drivers/net/dummy.ko*"));
        Path donor;
        try (Stream<Path> files = Files.walk(work)) {
            donor = files.filter(Files::isRegularFile).findFirst().orElseThrow();
        }
        if (donor.toString().endsWith(".xz")) {
            Guests.output(List.of("xz", "-d", donor.toString()));
            donor = Path.of(donor.toString().replaceFirst("\\.xz$", ""));
        }
        KernelModule module = new KernelModule(Files.readAllBytes(donor));
        Section versions = module.section("__versions");
        byte[] copy = new byte[versions.size];
        module.bytes.get(versions.offset, copy);
        Path dump = Files.write(work.resolve("versions"), copy);
        List<Long> functions = module.functions();
        return Guests.compile(
                "patcher-" + image + ".ko",
                Launcher.ROOT.resolve("it/src/test/guests/patcher.S"),
                "-c",
                "-DINIT=" + functions.getFirst(),
                "-DEXIT=" + functions.getLast(),
                "-DSIZE=" + module.section(THIS).size,
                "-DVERMAGIC=\"" + module.information("vermagic") + "\"",
                "-DVERSIONS=\"" + dump + "\"");
    }
}
