package dev.multivisor.host;

import dev.multivisor.api.Engine;
import dev.multivisor.api.EngineInfo;
import java.io.IOException;
import java.lang.module.Configuration;
import java.lang.module.FindException;
import java.lang.module.ModuleFinder;
import java.lang.module.ResolutionException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.ServiceConfigurationError;
import java.util.ServiceLoader;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;

/**
 * An engine in a module layer of its own: its module and its dependencies see the contract and the JDK, and nothing
 * of another engine or of this program. Once it is closed and its last machine is gone, nothing here refers to its
 * classes and the JVM collects them.
 *
 * <p>One that the program was started with, as a module beside its own, is used as it is: the JVM's AOT cache prepares
 * only classes of the JVM's own loaders whole, which halves the time until a first machine runs. Its classes stay.
 */
public final class LoadedEngine implements AutoCloseable {
    private static final String MODULE = "dev.multivisor.engine";

    private final EngineJar jar;
    private final EngineInfo info;

    // Guarded by this:
    private Engine engine;
    private int users;
    private boolean closed;

    private final Set<String> warm = ConcurrentHashMap.newKeySet();
    private final Map<String, Long> best = new ConcurrentHashMap<>();

    private volatile Consumer<LoadedEngine> onIdle = engine -> {};

    private LoadedEngine(EngineJar jar, Engine engine, EngineInfo info) {
        this.jar = jar;
        this.engine = engine;
        this.info = info;
    }

    /**
     * Loads an engine, unpacking it to the user's cache when it is seen for the first time.
     *
     * @throws HostException if the JAR is damaged or does not keep what its manifest promises
     */
    public static LoadedEngine load(EngineJar jar) {
        return load(jar, UserFolders.cache().resolve("engines"));
    }

    static LoadedEngine load(EngineJar jar, Path cache) {
        try {
            ModuleLayer layer =
                    startedWith(jar) ? ModuleLayer.boot() : layer(jar, new EngineCache(cache).unpack(jar.path()));
            Engine engine = provider(jar, layer);
            EngineInfo info = engine.info();
            if (!info.version().equals(jar.version()) || info.contract() != jar.contract()) {
                throw new HostException("engine " + jar.path() + ": calls itself version " + info.version()
                        + ", contract " + info.contract() + "; its manifest says version " + jar.version()
                        + ", contract " + jar.contract());
            }
            return new LoadedEngine(jar, engine, info);
        } catch (FindException
                | ResolutionException
                | LayerInstantiationException
                | ServiceConfigurationError
                | LinkageError e) {
            throw new HostException("engine " + jar.path() + ": cannot be loaded (" + e.getMessage() + ")", e);
        }
    }

    /** Whether the program was started with this very file on its module path. */
    private static boolean startedWith(EngineJar jar) {
        try {
            Optional<URI> module = ModuleLayer.boot()
                    .configuration()
                    .findModule(MODULE)
                    .flatMap(found -> found.reference().location());
            return module.isPresent() && Files.isSameFile(Path.of(module.get()), jar.path());
        } catch (IOException e) {
            return false;
        }
    }

    private static ModuleLayer layer(EngineJar jar, Path folder) {
        ModuleLayer parent = LoadedEngine.class.getModule().getLayer();
        if (parent == null) {
            throw new HostException(
                    "engine " + jar.path() + ": can be loaded only if " + "Multivisor itself is on the module path");
        }
        ModuleFinder finder = ModuleFinder.of(folder);
        if (finder.find(MODULE).isEmpty()) {
            throw new HostException("engine " + jar.path() + ": has no module " + MODULE);
        }
        Configuration configuration = parent.configuration().resolve(finder, ModuleFinder.of(), Set.of(MODULE));
        return ModuleLayer.defineModulesWithOneLoader(
                        configuration, List.of(parent), ClassLoader.getPlatformClassLoader())
                .layer();
    }

    private static Engine provider(EngineJar jar, ModuleLayer layer) {
        Module module = layer.findModule(MODULE).orElseThrow();
        List<ServiceLoader.Provider<Engine>> providers = ServiceLoader.load(layer, Engine.class).stream()
                .filter(provider -> provider.type().getModule() == module)
                .toList();
        if (providers.size() != 1) {
            throw new HostException("engine " + jar.path() + ": module " + MODULE + " provides "
                    + (providers.isEmpty() ? "no" : "more than one") + " service " + Engine.class.getName());
        }
        return providers.getFirst().get();
    }

    /** The file that it came from. */
    public EngineJar jar() {
        return jar;
    }

    /** What the engine says about itself. */
    public EngineInfo info() {
        return info;
    }

    /** Whether a move from an engine, of a machine with so many vCPUs, was rehearsed before in this process. */
    boolean warmFrom(LoadedEngine source, int cpus) {
        return warm.contains(source.jar.version() + " " + cpus);
    }

    /** Notes that such a move was rehearsed. */
    void warmedFrom(LoadedEngine source, int cpus) {
        warm.add(source.jar.version() + " " + cpus);
    }

    /** The shortest time that a stand-in with so many vCPUs took to come from there, in nanoseconds. */
    long bestFrom(LoadedEngine source, int cpus) {
        return best.getOrDefault(source.jar.version() + " " + cpus, Long.MAX_VALUE);
    }

    /** Notes how long a stand-in took. */
    void tookFrom(LoadedEngine source, int cpus, long nanos) {
        best.merge(source.jar.version() + " " + cpus, nanos, Math::min);
    }

    synchronized Engine engine() {
        if (engine == null) {
            throw new HostException("engine " + jar.version() + ": is unloaded");
        }
        return engine;
    }

    synchronized void retain() {
        if (closed) {
            throw new HostException("engine " + jar.version() + ": is unloaded");
        }
        users++;
    }

    void release() {
        boolean idle;
        synchronized (this) {
            users--;
            idle = users == 0;
            drop();
        }
        // Without the monitor: the pool takes its own first.
        if (idle) {
            onIdle.accept(this);
        }
    }

    /** Names whom to call when the last user is gone. */
    void onIdle(Consumer<LoadedEngine> listener) {
        onIdle = listener;
    }

    /** Closes it unless somebody uses it; whether it is closed now. */
    synchronized boolean closeIfIdle() {
        if (users == 0) {
            close();
        }
        return closed;
    }

    /** Takes no new machine, and lets go of the engine when its last one is closed. */
    @Override
    public synchronized void close() {
        closed = true;
        drop();
    }

    private void drop() {
        if (closed && users == 0) {
            engine = null;
        }
    }
}
