package dev.multivisor.engine.device.vmgenid;

/**
 * State of {@link VmGeneration}: the identifier that the guest was told last.
 *
 * @param high its first eight bytes as a number
 * @param low its last eight bytes as a number
 */
public record VmGenerationState(long high, long low) {}
