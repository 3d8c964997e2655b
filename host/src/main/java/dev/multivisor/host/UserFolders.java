package dev.multivisor.host;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Where this user's files belong, by the XDG base directory specification. */
public final class UserFolders {
    private UserFolders() {}

    /** What can be made again at any time. */
    public static Path cache() {
        return folder("XDG_CACHE_HOME", ".cache");
    }

    /** What the user put there. */
    public static Path data() {
        return folder("XDG_DATA_HOME", ".local/share");
    }

    /**
     * What lives as long as a process: {@code multivisor} under {@code XDG_RUNTIME_DIR}, or
     * {@code /tmp/multivisor-UID}. It may be absent or, in {@code /tmp}, somebody else's.
     *
     * @throws HostException if the user's number cannot be found out
     */
    public static Path run() {
        String value = System.getenv("XDG_RUNTIME_DIR");
        if (value != null && Path.of(value).isAbsolute()) {
            return Path.of(value).resolve("multivisor");
        }
        return Path.of("/tmp/multivisor-" + user());
    }

    /**
     * The number of the user whose process this is.
     *
     * @throws HostException if it cannot be found out
     */
    public static int user() {
        try {
            return (Integer) Files.getAttribute(Path.of("/proc/self"), "unix:uid");
        } catch (IOException e) {
            throw new HostException("/proc/self: cannot be read (" + e.getMessage() + ")", e);
        }
    }

    private static Path folder(String variable, String standard) {
        String value = System.getenv(variable);
        // The specification says that a relative path is to be ignored.
        Path base = value != null && Path.of(value).isAbsolute()
                ? Path.of(value)
                : Path.of(System.getProperty("user.home")).resolve(standard);
        return base.resolve("multivisor");
    }
}
