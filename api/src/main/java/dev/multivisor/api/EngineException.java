package dev.multivisor.api;

/** An engine cannot do what was asked. The message is one line that names the thing and the field. */
public class EngineException extends RuntimeException {
    private static final long serialVersionUID = 1;

    public EngineException(String message) {
        super(message);
    }

    public EngineException(String message, Throwable cause) {
        super(message, cause);
    }
}
