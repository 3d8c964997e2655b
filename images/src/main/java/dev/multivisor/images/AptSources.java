package dev.multivisor.images;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/**
 * Finds the Debian mirror that the system's own apt uses, in either of the two forms of its configuration
 * (sources.list(5)), and writes sources for another release of it.
 */
final class AptSources {
    private static final Set<String> RELEASES = Set.of(
            "buster",
            "bullseye",
            "bookworm",
            "trixie",
            "forky",
            "sid",
            "stable",
            "oldstable",
            "oldoldstable",
            "testing",
            "unstable");

    private static final String SECURITY = "-security";

    /** One suite at one place. */
    record Source(String uri, String suite, List<String> components, Optional<String> signedBy) {}

    private AptSources() {}

    /** Reads a configuration's main file and its folder; either may be missing. */
    static List<Source> read(Path list, Path parts) {
        var sources = new ArrayList<Source>();
        try {
            var files = new ArrayList<Path>();
            if (Files.isRegularFile(list)) {
                files.add(list);
            }
            if (Files.isDirectory(parts)) {
                try (Stream<Path> entries = Files.list(parts)) {
                    files.addAll(entries.sorted().toList());
                }
            }
            for (Path file : files) {
                String name = file.toString();
                if (name.endsWith(".list")) {
                    sources.addAll(parseList(Files.readString(file)));
                } else if (name.endsWith(".sources")) {
                    sources.addAll(parseStanzas(Files.readString(file)));
                }
            }
        } catch (IOException e) {
            throw new ImageException("cannot read apt's sources: " + e.getMessage(), e);
        }
        return sources;
    }

    /** The one-line form: {@code deb [options] uri suite component...}. */
    static List<Source> parseList(String text) {
        var sources = new ArrayList<Source>();
        for (String line : text.split("\n")) {
            String rest = line.replaceFirst("#.*", "").strip();
            if (!rest.matches("deb\\s.*")) {
                continue;
            }
            rest = rest.substring(3).strip();
            Optional<String> signedBy = Optional.empty();
            if (rest.startsWith("[")) {
                int end = rest.indexOf(']');
                if (end < 0) {
                    continue;
                }
                for (String option : rest.substring(1, end).strip().split("\\s+")) {
                    if (option.startsWith("signed-by=")) {
                        signedBy = Optional.of(option.substring("signed-by=".length()));
                    }
                }
                rest = rest.substring(end + 1).strip();
            }
            List<String> words = List.of(rest.split("\\s+"));
            if (words.size() >= 3) {
                sources.add(new Source(words.get(0), words.get(1), words.subList(2, words.size()), signedBy));
            }
        }
        return sources;
    }

    /** The deb822 form: stanzas of {@code Key: value}. */
    static List<Source> parseStanzas(String text) {
        var sources = new ArrayList<Source>();
        for (String stanza : text.split("\n\\s*\n")) {
            Map<String, String> fields = fields(stanza);
            if (!words(fields, "types").contains("deb")
                    || fields.getOrDefault("enabled", "yes").equals("no")) {
                continue;
            }
            Optional<String> signedBy = Optional.ofNullable(fields.get("signed-by"));
            for (String uri : words(fields, "uris")) {
                for (String suite : words(fields, "suites")) {
                    sources.add(new Source(uri, suite, words(fields, "components"), signedBy));
                }
            }
        }
        return sources;
    }

    private static Map<String, String> fields(String stanza) {
        var fields = new HashMap<String, String>();
        String key = "";
        for (String line : stanza.split("\n")) {
            if (line.startsWith("#") || line.isBlank()) {
                continue;
            }
            int colon = line.indexOf(':');
            if (Character.isWhitespace(line.charAt(0))) {
                fields.merge(key, line, (before, more) -> before + "\n" + more);
            } else if (colon > 0) {
                key = line.substring(0, colon).toLowerCase(Locale.ROOT);
                fields.put(key, line.substring(colon + 1).strip());
            }
        }
        return fields;
    }

    private static List<String> words(Map<String, String> fields, String key) {
        String value = fields.getOrDefault(key, "").strip();
        return value.isEmpty() ? List.of() : List.of(value.split("\\s+"));
    }

    /** Sources, in deb822 form, for a release from the mirrors that the given ones name. */
    static String forRelease(List<Source> system, String suite) {
        Source main = system.stream()
                .filter(source -> RELEASES.contains(source.suite) && source.components.contains("main"))
                .min((a, b) -> rank(a) - rank(b))
                .orElseThrow(() ->
                        new ImageException("apt's configuration names no Debian mirror: add one, or give a kernel"));
        var text = new StringBuilder(stanza(main, suite));
        system.stream()
                .filter(source -> source.suite.endsWith(SECURITY) && source.components.contains("main"))
                .filter(source ->
                        RELEASES.contains(source.suite.substring(0, source.suite.length() - SECURITY.length())))
                .findFirst()
                .ifPresent(source -> text.append(stanza(source, suite + SECURITY)));
        return text.toString();
    }

    /** Third parties use Debian's code names too. */
    private static int rank(Source source) {
        if (source.signedBy.filter(key -> key.contains("debian-archive")).isPresent()) {
            return 0;
        }
        return source.uri.matches(".*/debian/?") ? 1 : 2;
    }

    /** Whether the system marks a source as trusted is not taken over: signatures are always checked. */
    private static String stanza(Source source, String suite) {
        return "Types: deb\nURIs: " + source.uri + "\nSuites: " + suite + "\nComponents: main\n"
                + source.signedBy.map(key -> "Signed-By: " + key + "\n").orElse("") + "\n";
    }
}
