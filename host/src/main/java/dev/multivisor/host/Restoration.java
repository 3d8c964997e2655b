package dev.multivisor.host;

import dev.multivisor.api.EngineException;
import dev.multivisor.api.Machine;
import dev.multivisor.api.MachineSpec;
import dev.multivisor.api.Resources;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * Builds a machine from a saved state on an engine. One that does not take the state as it is may take it from another
 * engine, which does and writes it again: so what a newer engine saved goes back to an older one, as in a handover.
 */
final class Restoration {
    private final EnginePool pool;
    private final Supplier<EngineCatalog> catalog;
    private final LoadedEngine target;
    private final MachineSpec spec;
    private final SavedMachine saved;

    Restoration(
            EnginePool pool,
            Supplier<EngineCatalog> catalog,
            LoadedEngine target,
            MachineSpec spec,
            SavedMachine saved) {
        this.pool = pool;
        this.catalog = catalog;
        this.target = target;
        this.spec = spec;
        this.saved = saved;
    }

    long guestNanos() {
        return saved.guestNanos();
    }

    /**
     * The machine.
     *
     * @throws HostException if no engine takes the state, with what the target says to it
     * @throws EngineException if the state is damaged
     */
    Machine restore(Resources resources) {
        List<String> refusals = target.engine().refusals(spec, saved.format());
        if (refusals.isEmpty()) {
            return target.engine().restore(spec, saved.state(), resources);
        }
        List<String> others = new ArrayList<>();
        for (EngineJar jar : catalog.get().engines().reversed()) {
            if (jar.equals(target.jar())) {
                continue;
            }
            Optional<byte[]> state = rewritten(jar, resources, others);
            if (state.isPresent()) {
                return target.engine().restore(spec, state.get(), resources);
            }
        }
        String version = target.jar().version();
        throw new HostException("engine " + version + ": cannot take it: " + String.join("; ", refusals)
                + (others.isEmpty()
                        ? "; and there is no other engine that could rewrite it"
                        : "; nor from " + String.join("; nor from ", others)));
    }

    /** The state as another engine writes it for the target; empty, with the reason noted, if it cannot. */
    private Optional<byte[]> rewritten(EngineJar jar, Resources resources, List<String> problems) {
        try (EnginePool.Lease lease = pool.lease(jar)) {
            LoadedEngine other = lease.engine();
            List<String> refusals = other.engine().refusals(saved.spec(), saved.format());
            if (!refusals.isEmpty()) {
                problems.add("engine " + jar.version() + ": " + String.join("; ", refusals));
                return Optional.empty();
            }
            Resources cutOff = new Resources(
                    resources.memory(),
                    resources.clock(),
                    StandIn.Deaf.CONSOLE,
                    StandIn.Deaf.CONSOLE,
                    List.of(),
                    List.of());
            try (Machine machine = other.engine().restore(saved.spec(), saved.state(), cutOff)) {
                List<String> reasons = target.engine()
                        .refusals(spec, machine.format(target.info().state()));
                if (reasons.isEmpty()) {
                    return Optional.of(machine.save(target.info().state()));
                }
                problems.add("engine " + jar.version() + ": " + String.join("; ", reasons));
            }
        } catch (EngineException | HostException e) {
            problems.add("engine " + jar.version() + ": " + e.getMessage());
        }
        return Optional.empty();
    }
}
