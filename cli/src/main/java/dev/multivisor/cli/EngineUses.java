package dev.multivisor.cli;

import dev.multivisor.host.HostException;
import dev.multivisor.server.RunFolder;
import java.util.List;
import java.util.stream.Stream;

/**
 * Which engines this user's running VMs are on.
 *
 * @param uses one for each VM
 */
record EngineUses(List<Use> uses) {
    /**
     * A VM's use of engines.
     *
     * @param machine its name
     * @param engine version of the engine that it is on
     * @param previous version of the engine that it can be rolled back to; empty for none
     */
    record Use(String machine, String engine, String previous) {}

    /** As it is now. */
    static EngineUses now() {
        try {
            if (RunFolder.open().sockets().isEmpty()) {
                return new EngineUses(List.of());
            }
        } catch (HostException e) {
            // Where there can be no sockets, no VM can be moved or asked. What it has loaded stays loaded.
            return new EngineUses(List.of());
        }
        try (Remote remote = new Remote()) {
            return new EngineUses(remote.machines().stream()
                    .map(Remote.Target::machine)
                    .map(machine -> new Use(
                            machine.name(), machine.engine(), machine.previous().orElse("")))
                    .toList());
        }
    }

    /** The VMs on an engine. */
    List<String> on(String version) {
        return uses.stream()
                .filter(use -> use.engine.equals(version))
                .map(Use::machine)
                .toList();
    }

    /** The VMs that need an engine, in words: those on it, and those that can be rolled back to it. */
    List<String> needing(String version) {
        return Stream.concat(
                        on(version).stream().map(machine -> "VM " + machine),
                        uses.stream()
                                .filter(use -> use.previous.equals(version) && !use.engine.equals(version))
                                .map(use -> "VM " + use.machine + " (to roll back to)"))
                .toList();
    }
}
