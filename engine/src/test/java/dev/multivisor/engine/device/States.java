package dev.multivisor.engine.device;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.multivisor.engine.machine.StateTravel;
import java.util.List;

/** Compares device states as they travel. */
public final class States {
    private States() {}

    /** Fails unless both are the same by content. */
    public static void assertSame(Record expected, Record actual) {
        assertArrayEquals(StateTravel.write(expected), StateTravel.write(actual), () -> expected + " " + actual);
    }

    /** Fails unless each is the same by content. */
    public static void assertSame(List<? extends Record> expected, List<? extends Record> actual) {
        assertEquals(expected.size(), actual.size());
        for (int n = 0; n < expected.size(); n++) {
            assertSame(expected.get(n), actual.get(n));
        }
    }

    /** Writes state to bytes and reads it back. */
    public static <T extends Record> T travel(T state, Class<T> type) {
        return StateTravel.read(StateTravel.write(state), type);
    }
}
