package dev.multivisor.api;

import java.util.List;

/**
 * Who an engine is.
 *
 * @param name what it is called, such as {@code multivisor}
 * @param version its version, such as {@code 0.1.0}
 * @param contract the {@link Engine#CONTRACT} that it was built against
 * @param parameters what {@link MachineSpec#parameters} may hold
 * @param state the sections of state that it takes, each with the newest version, and the features that it knows
 */
public record EngineInfo(
        String name, String version, int contract, List<EngineParameter> parameters, StateFormat state) {
    public EngineInfo {
        parameters = List.copyOf(parameters);
    }
}
