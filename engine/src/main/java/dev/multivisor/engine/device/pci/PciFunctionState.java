package dev.multivisor.engine.device.pci;

/**
 * State of {@link PciFunction}.
 *
 * @param config the first 256 bytes of configuration space
 * @param interrupt whether the function asks for INTx
 * @param msixTable MSI-X table, four words per vector; empty without MSI-X
 * @param msixPending MSI-X pending bits
 */
public record PciFunctionState(byte[] config, boolean interrupt, int[] msixTable, long[] msixPending) {}
