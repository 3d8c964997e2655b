package dev.multivisor.api;

import java.lang.foreign.MemorySegment;

/** One end of an Ethernet link. Thread-safe. */
public interface NetworkPort {
    /** Six bytes. */
    byte[] macAddress();

    /** Sends a frame without its check sequence; drops it if the far end is not ready. */
    void send(MemorySegment frame);

    /** Copies the next received frame to the target and returns its size in bytes, or -1 if there is none. */
    int receive(MemorySegment target);

    /** Names whom to call when a frame arrives; as {@link Console#onInput}. */
    void onInput(Runnable listener);
}
