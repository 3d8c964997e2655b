package dev.multivisor.api;

/**
 * A setting that an engine understands.
 *
 * @param name its key in {@link MachineSpec#parameters}
 * @param description one line for people
 * @param standard the value that holds when none is given
 */
public record EngineParameter(String name, String description, String standard) {}
