package dev.multivisor.cli;

/** A problem to be told in one line, with the exit status that goes with it. */
final class CliException extends RuntimeException {
    private static final long serialVersionUID = 1;

    private final int status;

    CliException(int status, String message) {
        super(message);
        this.status = status;
    }

    /** Bad input. */
    CliException(String message) {
        this(ExitStatus.BAD_INPUT, message);
    }

    int status() {
        return status;
    }
}
