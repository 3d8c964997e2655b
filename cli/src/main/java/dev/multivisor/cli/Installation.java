package dev.multivisor.cli;

import dev.multivisor.host.EngineCatalog;
import dev.multivisor.host.EngineJar;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Where this program's own files are. */
final class Installation {
    private Installation() {}

    /** The folders where engines are looked for. */
    static List<Path> engineFolders() {
        List<Path> folders = new ArrayList<>();
        home().ifPresent(home -> folders.add(home.resolve("engines")));
        folders.add(EngineCatalog.userFolder());
        return folders;
    }

    /** The engines that a machine can move to: those of the folders, and the one that it began on. */
    static EngineCatalog engines(EngineJar first) {
        return EngineCatalog.of(engineFolders()).with(first);
    }

    /** The source tree that this program was built in, if it was: dist/target/multivisor is the installation. */
    static Optional<Path> sources() {
        return home().map(home -> home.resolve("../../..").normalize()).filter(root -> Files.isDirectory(root));
    }

    /** Whether an engine came with this installation. */
    static boolean owns(EngineJar engine) {
        return home().filter(home -> engine.path().startsWith(home)).isPresent();
    }

    private static Optional<Path> home() {
        String home = System.getProperty("multivisor.home", "");
        return home.isEmpty() ? Optional.empty() : Optional.of(Path.of(home).toAbsolutePath());
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
