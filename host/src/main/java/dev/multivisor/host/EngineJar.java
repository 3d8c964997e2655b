package dev.multivisor.host;

import dev.multivisor.api.Engine;
import dev.multivisor.api.EngineInfo;
import java.io.IOException;
import java.lang.module.ModuleDescriptor;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.jar.Attributes;
import java.util.jar.JarFile;
import java.util.jar.Manifest;

/**
 * An engine as a file: one JAR with the engine's module, its dependencies as JARs under {@value #LIBRARIES}, and a
 * manifest that says what it is, so that nothing of it needs to be loaded to find out.
 *
 * @param path where it is
 * @param version what its manifest says; compared as module versions are
 * @param contract the {@link Engine#CONTRACT} that it was built against
 * @param commit what a released engine was built from; empty for any other
 */
public record EngineJar(Path path, String version, int contract, String commit) {
    static final String LIBRARIES = "META-INF/engine/lib/";
    static final String VERSION_ATTRIBUTE = "Multivisor-Engine";
    static final String CONTRACT_ATTRIBUTE = "Multivisor-Contract";
    static final String COMMIT_ATTRIBUTE = "Multivisor-Commit";

    /** Ascending versions. */
    static final Comparator<EngineJar> BY_VERSION = Comparator.comparing(
                    (EngineJar jar) -> ModuleDescriptor.Version.parse(jar.version))
            .thenComparing(jar -> jar.path);

    /**
     * Reads the manifest and checks that this base can load the engine.
     *
     * @throws HostException if the file is no engine, or one for another contract
     */
    public static EngineJar read(Path path) {
        if (!Files.isRegularFile(path)) {
            throw new HostException("engine " + path + ": there is no such file");
        }
        Manifest manifest;
        try (JarFile jar = new JarFile(path.toFile(), false)) {
            manifest = jar.getManifest();
        } catch (IOException e) {
            throw new HostException("engine " + path + ": is no JAR, or a damaged one (" + e.getMessage() + ")", e);
        }
        Attributes attributes = manifest == null ? new Attributes() : manifest.getMainAttributes();
        String version = attributes.getValue(VERSION_ATTRIBUTE);
        if (version == null) {
            throw new HostException(
                    "engine " + path + ": is no engine (its manifest has no " + VERSION_ATTRIBUTE + ")");
        }
        try {
            ModuleDescriptor.Version.parse(version);
        } catch (IllegalArgumentException e) {
            throw new HostException(
                    "engine " + path + ": " + VERSION_ATTRIBUTE + " \"" + version + "\" is no version", e);
        }
        String commit = attributes.getValue(COMMIT_ATTRIBUTE);
        return new EngineJar(
                path,
                version,
                contract(path, attributes.getValue(CONTRACT_ATTRIBUTE)),
                commit == null ? "" : commit.strip());
    }

    /**
     * What the engine says about itself. It is loaded to find out, unless this content has been asked before.
     *
     * @throws HostException if it cannot be loaded
     */
    public EngineInfo info() {
        return info(UserFolders.cache().resolve("engines"));
    }

    EngineInfo info(Path cache) {
        return new EngineCache(cache).info(path, () -> {
            try (LoadedEngine engine = LoadedEngine.load(this, cache)) {
                return engine.info();
            }
        });
    }

    private static int contract(Path path, String text) {
        int contract;
        try {
            contract = Integer.parseInt(text == null ? "" : text);
        } catch (NumberFormatException e) {
            throw new HostException(
                    "engine " + path + ": " + CONTRACT_ATTRIBUTE + " \"" + (text == null ? "" : text)
                            + "\" is no number",
                    e);
        }
        if (contract > Engine.CONTRACT) {
            throw new HostException("engine " + path + ": was built for contract " + contract
                    + ", this Multivisor knows " + Engine.CONTRACT + "; a newer Multivisor can load it");
        }
        if (contract < 1) {
            throw new HostException("engine " + path + ": contract " + contract + " never existed");
        }
        return contract;
    }
}
