package dev.multivisor.api;

import java.util.Map;

/**
 * What a machine is, chosen at its creation and the same on whichever engine runs it.
 *
 * @param cpus how many vCPUs, 1 to 255
 * @param cpuModel which instructions the guest sees, such as {@code x86-64-v2}
 * @param parameters engine settings by name; unknown names are refused
 */
public record MachineSpec(int cpus, String cpuModel, Map<String, String> parameters) {
    public MachineSpec {
        parameters = Map.copyOf(parameters);
    }
}
