package dev.multivisor.host;

/** The base cannot do what was asked. The message is one line that names the thing and the field. */
public class HostException extends RuntimeException {
    private static final long serialVersionUID = 1;

    public HostException(String message) {
        super(message);
    }

    public HostException(String message, Throwable cause) {
        super(message, cause);
    }
}
