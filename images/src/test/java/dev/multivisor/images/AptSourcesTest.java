package dev.multivisor.images;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AptSourcesTest {
    private static final String LIST = """
            # a comment
            deb [arch=amd64 signed-by=/k/docker.gpg] https://docker.test/linux/debian bookworm stable
            deb https://other.test/x bookworm main
            deb-src http://mirror.test/debian bookworm main
            deb [ signed-by=/usr/share/keyrings/debian-archive-keyring.gpg ] http://mirror.test/debian bookworm main#x
            deb http://mirror.test/debian-security bookworm-security main contrib
            """;

    private static final String STANZAS = """
            Types: deb
            URIs: http://disabled.test/debian
            Suites: bookworm
            Components: main
            Enabled: no

            # the mirror
            Types: deb deb-src
            URIs: http://mirror.test/debian
            Suites: bookworm
             bookworm-updates
            Components: main contrib
            Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
            """;

    @Test
    void takesTheMirrorFromTheOneLineForm() {
        String text = AptSources.forRelease(AptSources.parseList(LIST), "trixie");
        assertEquals("""
                Types: deb
                URIs: http://mirror.test/debian
                Suites: trixie
                Components: main
                Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

                Types: deb
                URIs: http://mirror.test/debian-security
                Suites: trixie-security
                Components: main

                """, text);
    }

    @Test
    void takesTheMirrorFromStanzas(@TempDir Path temp) throws IOException {
        Files.writeString(temp.resolve("debian.sources"), STANZAS);
        Files.writeString(temp.resolve("notes.txt"), LIST);
        List<AptSources.Source> sources = AptSources.read(temp.resolve("missing.list"), temp);
        assertEquals(
                List.of("bookworm", "bookworm-updates"),
                sources.stream().map(AptSources.Source::suite).toList());
        String text = AptSources.forRelease(sources, "bookworm");
        assertTrue(text.contains("URIs: http://mirror.test/debian\nSuites: bookworm\n"), text);
    }

    @Test
    void saysThatThereIsNoMirror() {
        var ubuntu = AptSources.parseList("deb http://archive.test/ubuntu noble main\n");
        assertThrows(ImageException.class, () -> AptSources.forRelease(ubuntu, "bookworm"));
    }

    @Test
    void explainsFailures() {
        List<String> command = List.of("apt-get");
        assertTrue(Apt.explain(command, List.of("Err:1 x", "E: Failed to fetch x  Could not resolve 'x'", "E: y"))
                .startsWith("no network: "));
        assertTrue(Apt.explain(command, List.of("W: GPG error: x: NO_PUBKEY 6ED0E7B82643E131"))
                .startsWith("the release's signature cannot be verified"));
        assertEquals("apt-get: No space left", Apt.explain(command, List.of("E: No space left")));
    }
}
