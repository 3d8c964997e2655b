package dev.multivisor.images;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.stream.Stream;

/**
 * The system's apt with package lists, state and configuration of its own, so that neither root nor any change to the
 * system is needed. Proxies and credentials stay those of the system's configuration.
 */
final class Apt {
    /** A package that can be downloaded. */
    record Package(String name, String version, String depends, long size) {}

    private static final String CONFIGURATION = """
            Dir::State "%1$s/state";
            Dir::State::status "%1$s/status";
            Dir::Cache "%1$s/cache";
            Dir::Etc::SourceList "%1$s/debian.sources";
            Dir::Etc::SourceParts "/dev/null";
            Dir::Etc::Preferences "/dev/null";
            Dir::Etc::PreferencesParts "/dev/null";
            Debug::NoLocking "true";
            APT::Sandbox::User "%2$s";
            APT::Architecture "amd64";
            #clear APT::Architectures;
            APT::Architectures { "amd64"; };
            APT::Default-Release "";
            APT::Update::Error-Mode "any";
            APT::Get::AllowUnauthenticated "false";
            Acquire::AllowInsecureRepositories "false";
            Acquire::Retries "2";
            Acquire::http::Timeout "30";
            Acquire::https::Timeout "30";
            #clear APT::Update::Pre-Invoke;
            #clear APT::Update::Post-Invoke;
            #clear APT::Update::Post-Invoke-Success;
            #clear DPkg::Pre-Invoke;
            #clear DPkg::Post-Invoke;
            #clear Acquire::IndexTargets;
            Acquire::IndexTargets::deb::Packages {
                MetaKey "$(COMPONENT)/binary-$(ARCHITECTURE)/Packages";
                flatMetaKey "Packages";
                ShortDescription "Packages";
                Description "$(RELEASE)/$(COMPONENT) $(ARCHITECTURE) Packages";
                Optional "false";
            };
            """;

    private final Path folder;
    private final String suite;

    /**
     * Prepares a private apt.
     *
     * @param folder where it keeps its state; is made if it is missing
     * @param suite which Debian release it shall know
     */
    Apt(Path folder, String suite) {
        this.folder = folder.toAbsolutePath();
        this.suite = suite;
        if (this.folder.toString().matches(".*[\"\\\\\\n].*")) {
            throw new ImageException("apt cannot work in a folder with this name: " + folder);
        }
        try {
            for (String name : List.of("state/lists/partial", "cache/archives/partial", "packages")) {
                Files.createDirectories(folder.resolve(name));
            }
            Files.writeString(folder.resolve("status"), "");
            String user = System.getProperty("user.name");
            Files.writeString(configuration(), CONFIGURATION.formatted(this.folder, user));
            Files.writeString(folder.resolve("debian.sources"), AptSources.forRelease(systemSources(), suite));
        } catch (IOException e) {
            throw FileTrees.failed("cannot prepare " + folder, e);
        }
    }

    private Path configuration() {
        return folder.resolve("apt.conf");
    }

    private static List<AptSources.Source> systemSources() {
        Path list = Path.of("/etc/apt/sources.list");
        Path parts = Path.of("/etc/apt/sources.list.d");
        List<String> words =
                List.of("apt-config", "shell", "LIST", "Dir::Etc::sourcelist/f", "PARTS", "Dir::Etc::sourceparts/d");
        for (String line : execute(words, line -> {})) {
            String value = line.replaceFirst("^\\w+='(.*)'$", "$1");
            if (line.startsWith("LIST=")) {
                list = Path.of(value);
            } else if (line.startsWith("PARTS=")) {
                parts = Path.of(value);
            }
        }
        return AptSources.read(list, parts);
    }

    /** Brings the package lists up to date. */
    void update(Progress progress) {
        String step = "updating the package lists of " + suite;
        progress.update(step, 0, 0);
        run(status(step, 0, progress), "apt-get", "-q", "-o", "APT::Status-Fd=1", "update");
    }

    /** The newest version of a package. */
    Package find(String name) {
        Map<String, String> fields = new HashMap<>();
        for (String line : run(line -> {}, "apt-cache", "show", "--no-all-versions", name)) {
            int colon = line.indexOf(": ");
            if (colon > 0) {
                fields.putIfAbsent(
                        line.substring(0, colon), line.substring(colon + 2).strip());
            }
        }
        String version = fields.get("Version");
        if (version == null) {
            throw new ImageException(suite + " has no package " + name);
        }
        String size = fields.getOrDefault("Size", "0");
        return new Package(
                name,
                version,
                fields.getOrDefault("Depends", ""),
                size.matches("\\d{1,15}") ? Long.parseLong(size) : 0);
    }

    /** Downloads a package and returns the file, whose checksum apt has compared with the signed list's. */
    Path download(Package wanted, Progress progress) {
        Path target = folder.resolve("packages");
        try {
            FileTrees.deleteTree(target);
            Files.createDirectories(target);
            String step = "downloading " + wanted.name;
            progress.update(step, 0, wanted.size);
            Consumer<String> status = status(step, wanted.size, progress);
            String what = wanted.name + "=" + wanted.version;
            run(target, status, "apt-get", "-q", "-o", "APT::Status-Fd=1", "download", what);
            try (Stream<Path> files = Files.list(target)) {
                Optional<Path> file =
                        files.filter(path -> path.toString().endsWith(".deb")).findFirst();
                return file.orElseThrow(() -> new ImageException("apt-get has not downloaded " + wanted.name));
            }
        } catch (IOException e) {
            throw FileTrees.failed("cannot download " + wanted.name, e);
        }
    }

    /** Understands lines such as {@code dlstatus:1:20.5:Retrieving file 1 of 3}. */
    private static Consumer<String> status(String step, long size, Progress progress) {
        return line -> {
            String[] parts = line.split(":", 4);
            if (parts.length == 4 && parts[0].equals("dlstatus") && parts[2].matches("\\d+(\\.\\d+)?")) {
                progress.update(step, (long) (Double.parseDouble(parts[2]) / 100 * size), size);
            }
        };
    }

    private List<String> run(Consumer<String> listener, String... command) {
        return run(folder, listener, command);
    }

    private List<String> run(Path directory, Consumer<String> listener, String... command) {
        var words = new ArrayList<>(Arrays.asList(command));
        words.addAll(1, List.of("-c", configuration().toString()));
        return execute(directory, words, listener);
    }

    private static List<String> execute(List<String> command, Consumer<String> listener) {
        return execute(Path.of("/"), command, listener);
    }

    /** Runs a command to its end and returns its output, line by line. */
    private static List<String> execute(Path directory, List<String> command, Consumer<String> listener) {
        var builder = new ProcessBuilder(command).directory(directory.toFile()).redirectErrorStream(true);
        builder.environment().put("LC_ALL", "C.UTF-8");
        builder.redirectInput(ProcessBuilder.Redirect.from(new File("/dev/null")));
        Process process;
        try {
            process = builder.start();
        } catch (IOException e) {
            throw new ImageException(
                    "no " + command.getFirst() + ": images are made with Debian's apt; on other systems give a kernel",
                    e);
        }
        var lines = new ArrayList<String>();
        try (BufferedReader reader = process.inputReader(StandardCharsets.UTF_8)) {
            for (String line = reader.readLine(); line != null; line = reader.readLine()) {
                lines.add(line);
                listener.accept(line);
            }
            if (process.waitFor() != 0) {
                throw new ImageException(explain(command, lines));
            }
        } catch (IOException e) {
            throw new ImageException("cannot read from " + command.getFirst() + ": " + e.getMessage(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new ImageException("interrupted", e);
        } finally {
            process.destroy();
        }
        return lines;
    }

    /** The most telling line of a failed run. */
    static String explain(List<String> command, List<String> lines) {
        String program = command.getFirst();
        for (String line : lines) {
            if (line.contains("NO_PUBKEY") || line.contains("EXPKEYSIG") || line.contains("is not signed")) {
                return "the release's signature cannot be verified (is debian-archive-keyring up to date?): "
                        + line.strip();
            }
        }
        List<String> errors = lines.stream()
                .filter(line -> line.startsWith("E: ") || line.startsWith("W: "))
                .map(line -> line.substring(3))
                .toList();
        for (String line : errors) {
            if (line.matches(".*(resolv|connect|Connection|unreachable|timed out|Timeout).*")) {
                return "no network: " + program + ": " + line;
            }
        }
        if (!errors.isEmpty()) {
            return program + ": " + errors.getFirst();
        }
        return program + " failed"
                + (lines.isEmpty() ? "" : ": " + lines.getLast().strip());
    }
}
