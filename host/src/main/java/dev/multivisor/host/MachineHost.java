package dev.multivisor.host;

import dev.multivisor.api.Boot;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;

/**
 * The machines of this process, the engines that they are on, and what has happened to them. Thread-safe.
 */
public final class MachineHost implements AutoCloseable {
    /** How many events are kept for those who ask later. */
    private static final int EVENTS = 1000;

    private final Supplier<EngineCatalog> catalog;
    private final EnginePool pool;
    private final HotCodeCache hotCode = new HotCodeCache(UserFolders.cache().resolve("hot-code"));

    /** Where it is kept of which machine. */
    private final Map<VirtualMachine, HotCodeCache.Entry> known = new ConcurrentHashMap<>();

    // Guarded by this:
    private final Map<String, VirtualMachine> machines = new LinkedHashMap<>();
    private final Deque<MachineEvent> events = new ArrayDeque<>();
    private final List<Consumer<MachineEvent>> listeners = new ArrayList<>();

    /** A host without machines. The catalog is asked anew each time, so that engines may come and go. */
    public MachineHost(Supplier<EngineCatalog> catalog) {
        this(catalog, new EnginePool());
    }

    MachineHost(Supplier<EngineCatalog> catalog, EnginePool pool) {
        this.catalog = catalog;
        this.pool = pool;
    }

    /**
     * Makes what every machine needs ready, in a thread of its own: the first calls of the C library take the JVM a tenth
     * of a second. Machines can be made without it, and at once.
     */
    public static void prepare() {
        Thread.ofPlatform().name("prepare").daemon(true).start(() -> {
            try {
                if (Libc.reason().isEmpty()) {
                    GuestRam.allocate(BuiltinGuest.MEMORY).close();
                    HostScheduler.thread();
                }
            } catch (HostException e) {
                // Whoever makes a machine will be told.
            }
        });
    }

    /**
     * Builds a machine in its power-on state; {@link VirtualMachine#start} starts it.
     *
     * @throws HostException if the name is taken, or the host cannot give what is asked for
     * @throws dev.multivisor.api.EngineException if the engine refuses the specification or an image
     */
    public VirtualMachine create(EngineJar engine, VirtualMachine.Settings settings, Boot boot) {
        HotCodeCache.Entry entry = hotCode.of(boot);
        VirtualMachine machine = add(
                engine,
                settings.name(),
                "on engine " + engine.version(),
                loaded -> VirtualMachine.create(
                        loaded, settings, boot, memory -> entry.ready(loaded, settings.spec(), memory)));
        known.put(machine, entry);
        return machine;
    }

    /**
     * Builds a machine from a saved one; {@link VirtualMachine#start} has it go on. What it and others from the same files
     * do not write to is in the host's memory once.
     *
     * @param settings its memory's size must be the saved machine's; parameters of its specification may be others, as
     *     in {@link VirtualMachine#upgrade}
     * @throws HostException if the name is taken, a file cannot be used, or the engine cannot take such a machine
     * @throws dev.multivisor.api.EngineException if the engine finds the state damaged
     */
    public VirtualMachine restore(
            EngineJar engine, VirtualMachine.Settings settings, SavedMachine saved, MemoryImage memory) {
        return add(
                engine,
                settings.name(),
                "on engine " + engine.version() + ", as it was saved on engine " + saved.engine(),
                loaded -> VirtualMachine.restore(
                        loaded, settings, memory, new Restoration(pool, catalog, loaded, settings.spec(), saved)));
    }

    private VirtualMachine add(
            EngineJar engine, String name, String how, Function<LoadedEngine, VirtualMachine> builder) {
        synchronized (this) {
            if (machines.containsKey(name)) {
                throw new HostException("machine " + name + ": there is one of this name already");
            }
        }
        try (EnginePool.Lease lease = pool.lease(engine)) {
            VirtualMachine machine = builder.apply(lease.engine());
            synchronized (this) {
                if (machines.putIfAbsent(name, machine) != null) {
                    machine.close();
                    throw new HostException("machine " + name + ": there is one of this name already");
                }
            }
            machine.onEvent(this::record);
            machine.event(MachineEvent.Kind.CREATED, how);
            return machine;
        }
    }

    /** Closes a machine and forgets it. */
    public void remove(VirtualMachine machine) {
        HotCodeCache.Entry entry = known.remove(machine);
        if (entry != null) {
            entry.keep(machine.home().machine());
        }
        try {
            machine.close();
        } finally {
            synchronized (this) {
                machines.remove(machine.name(), machine);
            }
        }
    }

    /** The machines, in the order of their creation. */
    public synchronized Collection<VirtualMachine> machines() {
        return List.copyOf(machines.values());
    }

    /**
     * A machine by its name.
     *
     * @throws HostException if there is none
     */
    public synchronized VirtualMachine machine(String name) {
        VirtualMachine machine = machines.get(name);
        if (machine == null) {
            throw new HostException("machine " + name + ": there is none of this name");
        }
        return machine;
    }

    /** The engines that machines can move to. */
    public EngineCatalog engines() {
        return catalog.get();
    }

    /**
     * Holds an engine loaded, so that moves to it need not load it.
     *
     * @param version a version; empty for the newest
     * @throws HostException if there is no such engine or it cannot be loaded
     */
    public EnginePool.Lease lease(String version) {
        EngineCatalog engines = engines();
        return lease(version.isEmpty() ? engines.newest() : engines.version(version));
    }

    /**
     * Holds an engine loaded, one of the catalog's or another.
     *
     * @throws HostException if it cannot be loaded
     */
    public EnginePool.Lease lease(EngineJar engine) {
        return pool.lease(engine);
    }

    /** The last events, oldest first. */
    public synchronized List<MachineEvent> events() {
        return List.copyOf(events);
    }

    /** Tells a listener of every event of every machine, from now on. It must not block. */
    public synchronized void onEvent(Consumer<MachineEvent> listener) {
        listeners.add(listener);
    }

    /** Tells a listener no more. */
    public synchronized void offEvent(Consumer<MachineEvent> listener) {
        listeners.remove(listener);
    }

    private void record(MachineEvent event) {
        List<Consumer<MachineEvent>> all;
        synchronized (this) {
            events.add(event);
            if (events.size() > EVENTS) {
                events.remove();
            }
            all = List.copyOf(listeners);
        }
        all.forEach(listener -> listener.accept(event));
    }

    /** Closes every machine. */
    @Override
    public void close() {
        machines().forEach(this::remove);
    }
}
