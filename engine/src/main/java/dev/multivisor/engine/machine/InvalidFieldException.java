package dev.multivisor.engine.machine;

import tools.jackson.core.JacksonException;

/** A field of a state is not what it has to be. Who catches it says of what the field is a part. */
final class InvalidFieldException extends RuntimeException {
    private static final long serialVersionUID = 1;

    /** Characters of a strange name that are shown. */
    private static final int SHOWN = 60;

    private final String path;
    private final String problem;

    /** @param problem what is wrong, such as {@code is missing} */
    InvalidFieldException(String problem) {
        this("", problem, null);
    }

    /** Bytes that are no CBOR, or a value that is too large. */
    InvalidFieldException(JacksonException cause) {
        this("", cause.getOriginalMessage().replaceAll("\\s*\\R\\s*", " "), cause);
    }

    private InvalidFieldException(String path, String problem, Throwable cause) {
        super(path.isEmpty() ? problem : path + ": " + problem, cause);
        this.path = path;
        this.problem = problem;
    }

    /** The same, said of something that holds the field: by its name, or {@code [n]}. */
    InvalidFieldException within(String name) {
        String separator = path.isEmpty() || path.startsWith("[") ? "" : ".";
        return new InvalidFieldException(shown(name) + separator + path, problem, getCause());
    }

    /** A name that may come from anywhere, fit for one line. */
    static String shown(String name) {
        String line = name.replaceAll("[^\\p{Graph} ]", "?");
        return line.length() > SHOWN ? line.substring(0, SHOWN) + "..." : line;
    }
}
