package dev.multivisor.engine.device;

/** A wire from a device to an interrupt controller. */
@FunctionalInterface
public interface IrqLine {
    /** Drives the wire; repeating a level does nothing. */
    void set(boolean level);

    /** An edge: up and down again. */
    default void pulse() {
        set(true);
        set(false);
    }
}
