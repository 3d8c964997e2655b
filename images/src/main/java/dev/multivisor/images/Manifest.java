package dev.multivisor.images;

import java.io.IOException;
import java.io.StringReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;

/**
 * What an image's folder holds, kept in it as a properties file.
 *
 * @param sums the SHA-256 of each file, by name
 * @param checks the CRC-32C of each file, by name, which every start can afford; empty in images of earlier versions
 */
record Manifest(
        Map<String, String> packages,
        String kernelRelease,
        String applets,
        Map<String, String> sums,
        Map<String, String> checks) {
    static final String FILE = "image.properties";

    /** The form of this file; another one is an image from another version of the program. */
    private static final String FORMAT = "1";

    static Manifest read(Path folder) {
        var properties = new Properties();
        try {
            properties.load(new StringReader(Files.readString(folder.resolve(FILE))));
        } catch (IOException | IllegalArgumentException e) {
            throw new ImageException(
                    "image " + folder.getFileName() + ": " + FILE + ": cannot be read; pull it again", e);
        }
        if (!FORMAT.equals(properties.getProperty("format"))) {
            throw new ImageException(
                    "image " + folder.getFileName() + ": " + FILE + ": format is not " + FORMAT + "; pull it again");
        }
        var packages = new HashMap<String, String>();
        var sums = new TreeMap<String, String>();
        var checks = new TreeMap<String, String>();
        for (String key : properties.stringPropertyNames()) {
            if (key.startsWith("package.")) {
                packages.put(key.substring("package.".length()), properties.getProperty(key));
            } else if (key.startsWith("sha256.")) {
                sums.put(key.substring("sha256.".length()), properties.getProperty(key));
            } else if (key.startsWith("crc32c.")) {
                checks.put(key.substring("crc32c.".length()), properties.getProperty(key));
            }
        }
        return new Manifest(
                packages, properties.getProperty("kernel", ""), properties.getProperty("applets", ""), sums, checks);
    }

    void write(Path folder) throws IOException {
        var lines = new TreeMap<String, String>();
        lines.put("format", FORMAT);
        lines.put("kernel", kernelRelease);
        lines.put("applets", applets);
        packages.forEach((name, version) -> lines.put("package." + name, version));
        sums.forEach((name, sum) -> lines.put("sha256." + name, sum));
        checks.forEach((name, sum) -> lines.put("crc32c." + name, sum));
        var text = new StringBuilder();
        lines.forEach((key, value) ->
                text.append(key).append('=').append(escape(value)).append('\n'));
        Files.writeString(folder.resolve(FILE), text);
    }

    private static String escape(String value) {
        return value.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r");
    }

    List<String> files() {
        return List.copyOf(sums.keySet());
    }

    /** Compares files with their SHA-256. */
    void verify(Path folder, List<String> files) {
        compare(folder, files, sums, FileTrees::sha256);
    }

    /** Finds damaged files, but not those that somebody made to look alike. */
    void check(Path folder, List<String> files) {
        if (checks.keySet().containsAll(files)) {
            compare(folder, files, checks, FileTrees::crc32c);
        } else {
            verify(folder, files);
        }
    }

    private interface Digest {
        String of(Path file) throws IOException;
    }

    private static void compare(Path folder, List<String> files, Map<String, String> sums, Digest digest) {
        for (String file : files) {
            String problem = null;
            try {
                if (!digest.of(folder.resolve(file)).equals(sums.get(file))) {
                    problem = "does not have its checksum";
                }
            } catch (IOException e) {
                problem = "cannot be read";
            }
            if (problem != null) {
                throw new ImageException(
                        "image " + folder.getFileName() + ": " + file + ": " + problem + "; pull it again");
            }
        }
    }

    Image image(String name, Path folder) {
        long size = 0;
        for (String file : sums.keySet()) {
            try {
                size += Files.size(folder.resolve(file));
            } catch (IOException e) {
                throw FileTrees.failed("image " + name, e);
            }
        }
        List<String> commands =
                applets.isBlank() ? List.of() : List.of(applets.strip().split(" "));
        return new Image(name, folder, packages, kernelRelease, size, commands);
    }
}
