package dev.multivisor.engine.device.fwcfg;

/**
 * State of {@link FwCfg}.
 *
 * @param selector the item chosen
 * @param offset the next byte of it
 */
public record FwCfgState(int selector, int offset) {}
