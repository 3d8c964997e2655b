package dev.multivisor.cli;

import dev.multivisor.host.EngineCatalog;
import dev.multivisor.host.EngineJar;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Where this program's own files are. */
final class Installation {
    private Installation() {}

    /** The folders where engines are looked for. */
    static List<Path> engineFolders() {
        List<Path> folders = new ArrayList<>();
        String home = System.getProperty("multivisor.home", "");
        if (!home.isEmpty()) {
            folders.add(Path.of(home, "engines"));
        }
        folders.add(EngineCatalog.userFolder());
        return folders;
    }

    /** The engines that a machine can move to: those of the folders, and the one that it began on. */
    static EngineCatalog engines(EngineJar first) {
        return EngineCatalog.of(engineFolders()).with(first);
    }

    /** The engine that an option names by its version or by the path of its JAR; the newest if it names none. */
    static EngineJar engine(String named) {
        if (named.endsWith(".jar") || named.contains("/")) {
            return EngineJar.read(Path.of(named));
        }
        EngineCatalog catalog = EngineCatalog.of(engineFolders());
        return named.isEmpty() ? catalog.newest() : catalog.version(named);
    }
}
