package dev.multivisor.engine.device;

/** There is no such MSR, or it does not take this value: the vCPU raises #GP(0). Without a stack trace, so cheap. */
public final class InvalidMsrException extends RuntimeException {
    /** The only one. */
    public static final InvalidMsrException INSTANCE = new InvalidMsrException();

    private static final long serialVersionUID = 1;

    private InvalidMsrException() {
        super("invalid MSR access", null, false, false);
    }
}
