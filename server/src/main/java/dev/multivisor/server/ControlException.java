package dev.multivisor.server;

/** Control of a machine was refused or failed. The message is one line; the status is HTTP's, or 0 without an answer. */
public final class ControlException extends RuntimeException {
    private static final long serialVersionUID = 1;

    static final int BAD_REQUEST = 400;
    static final int NOT_FOUND = 404;
    static final int CONFLICT = 409;

    private final int status;
    private final boolean late;

    ControlException(int status, String message) {
        this(status, message, false);
    }

    /** @param late whether the other end is there, but did not answer in time */
    ControlException(int status, String message, boolean late) {
        super(message);
        this.status = status;
        this.late = late;
    }

    /** The status of the answer; 0 if there was none. */
    public int status() {
        return status;
    }

    /** Whether it was the asker's mistake. */
    public boolean badInput() {
        return status == BAD_REQUEST || status == NOT_FOUND;
    }

    /** Whether there is nobody at the other end. */
    public boolean unreachable() {
        return status == 0 && !late;
    }
}
