package dev.multivisor.engine.device;

/** A device's I/O ports. Called by any vCPU's thread: a device guards its own state. */
public interface PortHandler {
    /**
     * Reads 1, 2 or 4 bytes.
     *
     * @return the value, zero-extended; bits beyond the size are ignored
     */
    int in(int port, int size);

    /** Writes the low 1, 2 or 4 bytes of the value. */
    void out(int port, int size, int value);
}
