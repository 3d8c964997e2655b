package dev.multivisor.server;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * Something that can be asked for.
 *
 * @param method the HTTP method
 * @param path the path, with names in braces for what varies
 * @param action what happens then
 */
record Route(String method, String path, Action action) {
    /** Answers a call, or throws a {@link ControlException} that says what is wrong with it. */
    @FunctionalInterface
    interface Action {
        void answer(Call call) throws Exception;
    }

    /** The names in a path and what stands there; empty if the path is another. */
    Optional<Map<String, String>> match(String asked) {
        String[] parts = path.split("/", -1);
        String[] given = asked.split("/", -1);
        if (parts.length != given.length) {
            return Optional.empty();
        }
        Map<String, String> names = new LinkedHashMap<>();
        for (int n = 0; n < parts.length; n++) {
            if (parts[n].startsWith("{")) {
                names.put(parts[n].substring(1, parts[n].length() - 1), given[n]);
            } else if (!parts[n].equals(given[n])) {
                return Optional.empty();
            }
        }
        return Optional.of(names);
    }
}
