package dev.multivisor.engine.machine;

import java.util.Set;

/** State records on their way: what a container does with each, for the tests of other packages. */
public final class StateTravel {
    private static final String NAME = "travelling";

    private StateTravel() {}

    /** A container with a record. */
    public static byte[] write(Record state) {
        return StateContainer.of("test", Set.of()).put(NAME, 1, state).toBytes();
    }

    /** The record in a container. */
    public static <T extends Record> T read(byte[] bytes, Class<T> type) {
        return StateContainer.parse(bytes).take(NAME, 1, type);
    }
}
