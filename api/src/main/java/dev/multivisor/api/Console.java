package dev.multivisor.api;

/** A stream of bytes to and from a person or a program outside. Safe for use by several threads. */
public interface Console {
    /** Takes a byte from the guest. May wait for a slow reader outside. */
    void write(byte value);

    /** The next byte for the guest, 0 to 255, or -1 if there is none now. Never waits. */
    int read();

    /**
     * Names whom to call when input arrives; replaces the one named before. The call comes from any thread, must
     * not block, and may come without need.
     */
    void onInput(Runnable listener);
}
