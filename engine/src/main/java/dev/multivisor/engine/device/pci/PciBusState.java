package dev.multivisor.engine.device.pci;

/**
 * State of {@link PciBus}.
 *
 * @param address CONFIG_ADDRESS
 */
public record PciBusState(int address) {}
