package dev.multivisor.engine.device.rtc;

/**
 * State of {@link Rtc}.
 *
 * @param index the register chosen at port 0x70
 * @param registers registers and CMOS RAM, 128 bytes
 * @param offset what is added to the wall time, in nanoseconds
 * @param last clock's time up to which interrupt flags are known, in nanoseconds
 * @param deadline guest time of the next interrupt, perhaps past already, or {@link Long#MAX_VALUE}
 */
public record RtcState(int index, byte[] registers, long offset, long last, long deadline) {}
