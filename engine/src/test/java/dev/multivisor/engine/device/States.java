package dev.multivisor.engine.device;

import static org.junit.jupiter.api.Assertions.assertEquals;

import tools.jackson.databind.ObjectMapper;
import tools.jackson.dataformat.cbor.CBORMapper;

/** Compares device states as they travel: as CBOR. */
public final class States {
    private static final ObjectMapper MAPPER = new CBORMapper();

    private States() {}

    /** Fails unless both are the same by content. */
    public static void assertSame(Object expected, Object actual) {
        assertEquals(
                MAPPER.valueToTree(expected).toString(),
                MAPPER.valueToTree(actual).toString());
    }

    /** Writes state to bytes and reads it back. */
    public static <T> T travel(T state, Class<T> type) {
        return MAPPER.readValue(MAPPER.writeValueAsBytes(state), type);
    }
}
