package dev.multivisor.engine.device.ioapic;

/**
 * State of {@link IoApic}.
 *
 * @param id the APIC's identification
 * @param select IOREGSEL
 * @param redirection one entry per pin
 * @param levels which pins are asserted
 */
public record IoApicState(int id, int select, long[] redirection, int levels) {}
