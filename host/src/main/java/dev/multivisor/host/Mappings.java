package dev.multivisor.host;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * How many parts of files this process may still map: Linux lets a process have so many mappings and no more
 * (vm.max_map_count), the JVM needs some too, and each part costs up to two, one for itself and one for what is behind it.
 */
final class Mappings {
    /** More would make the system slow. */
    private static final int MOST = 24_000;

    private static final Path LIMIT = Path.of("/proc/sys/vm/max_map_count");

    /** Those of this process. */
    static final Mappings PROCESS = new Mappings(most());

    private final int most;
    private final AtomicInteger taken = new AtomicInteger();

    Mappings(int most) {
        this.most = most;
    }

    /** Takes one, if there is one left. */
    boolean take() {
        return taken.getAndUpdate(n -> Math.min(n + 1, most)) < most;
    }

    /** Gives some back. */
    void give(int count) {
        taken.addAndGet(-count);
    }

    /** Three quarters of what the system allows are for guests. */
    private static int most() {
        // Not readString: it asks for one byte first, and such a file gives its content to the first read only.
        try (BufferedReader reader = Files.newBufferedReader(LIMIT)) {
            return most(String.valueOf(reader.readLine()));
        } catch (IOException e) {
            return MOST;
        }
    }

    static int most(String limit) {
        return limit.matches("[0-9]{1,18}") ? (int) Math.min(MOST, Long.parseLong(limit) / 8 * 3) : MOST;
    }
}
