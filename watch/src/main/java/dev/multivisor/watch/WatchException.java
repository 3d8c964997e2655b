package dev.multivisor.watch;

/** A machine cannot be watched. The message is one line that names it and says why. */
public final class WatchException extends RuntimeException {
    private static final long serialVersionUID = 1;

    private final boolean starting;

    WatchException(String message, boolean starting) {
        super(message);
        this.starting = starting;
    }

    /** Whether the guest has just begun, so that trying again may help. */
    public boolean starting() {
        return starting;
    }
}
