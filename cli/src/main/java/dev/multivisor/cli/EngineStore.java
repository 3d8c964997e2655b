package dev.multivisor.cli;

import dev.multivisor.host.EngineCatalog;
import dev.multivisor.host.EngineJar;
import dev.multivisor.host.HostException;
import dev.multivisor.host.LoadedEngine;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import java.util.regex.Pattern;

/** The engines that a user added. Changes exclude each other; an engine appears whole and checked, or not at all. */
final class EngineStore {
    /** What a version may consist of to be part of a file's name; modules' versions may hold anything. */
    private static final Pattern FILE_SAFE = Pattern.compile("[0-9A-Za-z][0-9A-Za-z.+_-]{0,99}");

    private final Path folder;
    private final List<Path> others;

    /**
     * A store.
     *
     * @param folder where it keeps engines
     * @param others where else engines are
     */
    EngineStore(Path folder, List<Path> others) {
        this.folder = folder;
        this.others = others;
    }

    /** This user's. */
    static EngineStore open() {
        Path own = EngineCatalog.userFolder();
        return new EngineStore(
                own,
                Installation.engineFolders().stream()
                        .filter(path -> !path.equals(own))
                        .toList());
    }

    /**
     * What came of an installation.
     *
     * @param engine the engine, where it is now
     * @param fresh whether it was not there before
     */
    record Installed(EngineJar engine, boolean fresh) {}

    /**
     * Copies an engine here, if it is one that this program can load.
     *
     * @throws HostException if it is not
     * @throws CliException if another engine has its version
     */
    Installed install(Path jar) {
        EngineJar.read(jar);
        return locked(() -> {
            Path copy = Files.createTempFile(folder, "part-", "");
            try {
                // What is checked is what will be there, whatever becomes of the original meanwhile.
                Files.copy(jar, copy, StandardCopyOption.REPLACE_EXISTING);
                EngineJar engine = checked(jar, copy);
                Optional<EngineJar> same = find(engine.version());
                if (same.isPresent()) {
                    requireEqual(jar, copy, same.get());
                    return new Installed(same.get(), false);
                }
                Path target = folder.resolve("multivisor-engine-" + engine.version() + ".jar");
                Files.move(copy, target, StandardCopyOption.ATOMIC_MOVE);
                return new Installed(EngineJar.read(target), true);
            } finally {
                Files.deleteIfExists(copy);
            }
        });
    }

    private static EngineJar checked(Path jar, Path copy) {
        try {
            EngineJar engine = EngineJar.read(copy);
            if (!FILE_SAFE.matcher(engine.version()).matches()) {
                throw new HostException("engine " + copy + ": its version \"" + engine.version()
                        + "\" has other characters than letters, digits, and . + _ -");
            }
            LoadedEngine.load(engine).close();
            return engine;
        } catch (HostException e) {
            throw new HostException(e.getMessage().replace(copy.toString(), jar.toString()), e);
        }
    }

    private void requireEqual(Path jar, Path copy, EngineJar present) throws IOException {
        if (Files.mismatch(copy, present.path()) != -1) {
            String version = present.version();
            throw new CliException("engine " + jar + ": there is another engine " + version + ", " + present.path()
                    + "; "
                    + (isOwn(present)
                            ? "remove it first: multivisor engine remove " + version
                            : "give this one a version of its own"));
        }
    }

    /** The engine of a version, here or elsewhere. */
    Optional<EngineJar> find(String version) {
        return catalog().engines().stream()
                .filter(engine -> engine.version().equals(version))
                .findFirst();
    }

    /** Whether an engine is in this store. */
    boolean isOwn(EngineJar engine) {
        return engine.path().startsWith(folder);
    }

    /**
     * Removes an engine.
     *
     * @param users names of the VMs that need it, by its version
     * @throws HostException if there is none of this version
     * @throws CliException if it is not in this store, or is needed
     */
    void remove(String version, Function<String, List<String>> users) {
        EngineJar known = catalog().version(version);
        List<EngineJar> own = EngineCatalog.of(List.of(folder)).engines().stream()
                .filter(engine -> engine.version().equals(version))
                .toList();
        if (own.isEmpty()) {
            throw new CliException("engine " + version + ": belongs to this installation (" + known.path()
                    + ") and cannot be removed");
        }
        locked(() -> {
            List<String> machines = users.apply(version);
            if (!machines.isEmpty()) {
                throw new CliException("engine " + version + ": is needed by " + String.join(", ", machines)
                        + "; stop or upgrade what runs on it first");
            }
            for (EngineJar engine : own) {
                Files.deleteIfExists(engine.path());
            }
            return version;
        });
    }

    private EngineCatalog catalog() {
        List<Path> all = new java.util.ArrayList<>(others);
        all.add(folder);
        return EngineCatalog.of(all);
    }

    private interface Action<T> {
        T run() throws IOException;
    }

    private <T> T locked(Action<T> action) {
        try {
            Files.createDirectories(folder);
            try (FileChannel channel = FileChannel.open(
                            folder.resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
                    FileLock lock = channel.lock()) {
                assert lock.isValid();
                return action.run();
            }
        } catch (IOException e) {
            throw new CliException("engines folder " + folder + ": cannot be changed (" + e + ")");
        }
    }
}
