package dev.multivisor.host;

import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Engines that are loaded, each once for all machines on it. One that nobody holds is let go, so that its classes
 * are collected. Thread-safe.
 */
public final class EnginePool {
    private final Path cache;

    // Guarded by this. Taken before an engine's own monitor.
    private final Map<EngineJar, LoadedEngine> loaded = new HashMap<>();

    /** A pool that unpacks engines to the user's cache. */
    public EnginePool() {
        this(UserFolders.cache().resolve("engines"));
    }

    EnginePool(Path cache) {
        this.cache = cache;
    }

    /**
     * The engine, loaded now or before. The caller closes the lease; a machine on the engine keeps it alive after that.
     *
     * @throws HostException if it cannot be loaded
     */
    public synchronized Lease lease(EngineJar jar) {
        LoadedEngine engine = loaded.get(jar);
        if (engine == null) {
            engine = LoadedEngine.load(jar, cache);
            engine.onIdle(this::idle);
            loaded.put(jar, engine);
        }
        engine.retain();
        return new Lease(engine);
    }

    private synchronized void idle(LoadedEngine engine) {
        if (engine.closeIfIdle()) {
            loaded.remove(engine.jar());
        }
    }

    /** A hold on a loaded engine. */
    public static final class Lease implements AutoCloseable {
        private final LoadedEngine engine;
        private final AtomicBoolean closed = new AtomicBoolean();

        private Lease(LoadedEngine engine) {
            this.engine = engine;
        }

        /** The engine. */
        public LoadedEngine engine() {
            return engine;
        }

        @Override
        public void close() {
            if (closed.compareAndSet(false, true)) {
                engine.release();
            }
        }
    }
}
