package dev.multivisor.engine.device.pit;

import java.util.List;

/**
 * State of {@link Pit}.
 *
 * @param channels three
 * @param speaker bit 1 of port 0x61
 * @param rise guest time of the next interrupt, perhaps past already, or {@link Long#MAX_VALUE}
 */
public record PitState(List<Channel> channels, boolean speaker, long rise) {
    public PitState {
        channels = channels == null ? List.of() : List.copyOf(channels);
    }

    /**
     * One counter.
     *
     * @param control access, mode and BCD as in the control word
     * @param reload count register; 0 stands for 65,536 or 10,000
     * @param loaded whether a count was written since the control word
     * @param triggered whether the gate has risen since (modes 1 and 5)
     * @param gate level of the gate input
     * @param base ticks counted before {@code start}
     * @param start guest time from which ticks count, in nanoseconds
     * @param writeLow the low byte while the high one is awaited, or -1
     * @param readHigh whether the next read gives the high byte
     * @param latch latched count, or -1
     * @param status latched status byte, or -1
     */
    public record Channel(
            int control,
            int reload,
            boolean loaded,
            boolean triggered,
            boolean gate,
            long base,
            long start,
            int writeLow,
            boolean readHigh,
            int latch,
            int status) {}
}
