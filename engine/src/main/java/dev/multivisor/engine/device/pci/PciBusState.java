package dev.multivisor.engine.device.pci;

/**
 * State of {@link PciBus}.
 *
 * @param address CONFIG_ADDRESS
 * @param hostBridge the function at 00:00.0
 */
public record PciBusState(int address, PciFunctionState hostBridge) {}
