package dev.multivisor.engine.device.irq;

/**
 * State of {@link InterruptRouter}.
 *
 * @param asserted per interrupt, one bit for each device that asserts it
 */
public record InterruptRouterState(long[] asserted) {}
