package dev.multivisor.host;

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

    private static Path folder(String variable, String standard) {
        String value = System.getenv(variable);
        // The specification says that a relative path is to be ignored.
        Path base = value != null && Path.of(value).isAbsolute()
                ? Path.of(value)
                : Path.of(System.getProperty("user.home")).resolve(standard);
        return base.resolve("multivisor");
    }
}
