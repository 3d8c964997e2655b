package dev.multivisor.cli;

import dev.multivisor.host.EngineCatalog;
import dev.multivisor.host.UserFolders;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code multivisor doctor}. */
@Command(
        name = "doctor",
        description = "Checks what this host offers, and says what to do about what is missing.",
        mixinStandardHelpOptions = true,
        footerHeading = "%nExamples:%n",
        footer = {
            "  multivisor doctor",
            "  multivisor doctor --format json",
            "",
            "The exit status is 0 if nothing stands in the way of \"multivisor run\"."
        })
final class DoctorCommand implements Callable<Integer> {
    private static final long GIB = 1L << 30;

    /** How much a finding matters. */
    private enum Level {
        ok,
        note,
        problem
    }

    private record Finding(Level level, String check, String found, String remedy) {}

    @Spec
    private CommandSpec spec;

    @Mixin
    private OutputFormat format;

    private final List<Finding> findings = new ArrayList<>();

    @Override
    public Integer call() {
        checkJava();
        checkProcessors();
        checkMemory();
        checkKvm();
        checkEngines();
        checkPackages();
        checkFolder("cache", UserFolders.cache(), "XDG_CACHE_HOME");
        checkFolder("data", UserFolders.data(), "XDG_DATA_HOME");
        print();
        return findings.stream().anyMatch(f -> f.level == Level.problem) ? ExitStatus.PROBLEM : ExitStatus.OK;
    }

    private void print() {
        if (format.json()) {
            List<Map<String, Object>> rows = new ArrayList<>();
            for (Finding f : findings) {
                Map<String, Object> row = new LinkedHashMap<>();
                row.put("check", f.check);
                row.put("level", f.level.name());
                row.put("found", f.found);
                row.put("remedy", f.remedy);
                rows.add(row);
            }
            format.print(spec.commandLine().getOut(), rows);
            return;
        }
        for (Finding f : findings) {
            spec.commandLine().getOut().printf("%-8s %-10s %s%n", f.level, f.check, f.found);
            if (!f.remedy.isEmpty()) {
                spec.commandLine().getOut().printf("%19s -> %s%n", "", f.remedy);
            }
        }
    }

    private void add(Level level, String check, String found, String remedy) {
        findings.add(new Finding(level, check, found, remedy));
    }

    private void checkJava() {
        String found =
                System.getProperty("java.vm.name") + " " + Runtime.version() + " in " + System.getProperty("java.home");
        if (!System.getProperty("os.arch").equals("amd64")
                || !System.getProperty("os.name").equals("Linux")) {
            add(Level.problem, "java", found, "Linux on x86-64 is needed");
        } else {
            add(Level.ok, "java", found, "");
        }
    }

    private void checkProcessors() {
        int count = Runtime.getRuntime().availableProcessors();
        if (count < 2) {
            add(Level.note, "cpus", count + "", "with two or more, the JVM compiles while the guest runs");
        } else {
            add(Level.ok, "cpus", count + "", "");
        }
    }

    private void checkMemory() {
        long available = meminfo("MemAvailable:");
        String found = String.format(
                "%.1f GiB of %.1f GiB available", (double) available / GIB, (double) meminfo("MemTotal:") / GIB);
        if (available < GIB) {
            add(Level.problem, "memory", found, "a guest with 512M needs about 1 GiB; free some, or use --memory 256M");
        } else {
            add(Level.ok, "memory", found, "");
        }
    }

    private static long meminfo(String key) {
        try {
            return Files.readAllLines(Path.of("/proc/meminfo")).stream()
                            .filter(line -> line.startsWith(key))
                            .map(line -> line.replaceAll("\\D", ""))
                            .mapToLong(Long::parseLong)
                            .findFirst()
                            .orElse(0)
                    << 10;
        } catch (IOException e) {
            return 0;
        }
    }

    private void checkKvm() {
        Path device = Path.of("/dev/kvm");
        if (!Files.exists(device)) {
            add(Level.note, "kvm", "there is no /dev/kvm", "not needed: guests run on an engine in pure Java");
        } else if (!Files.isReadable(device) || !Files.isWritable(device)) {
            add(
                    Level.note,
                    "kvm",
                    "/dev/kvm is not open to you",
                    "not needed: guests run on an engine in pure Java; sudo usermod -aG kvm $USER would open it");
        } else {
            add(Level.ok, "kvm", "/dev/kvm is there (not used yet)", "");
        }
    }

    private void checkEngines() {
        EngineCatalog catalog = EngineCatalog.of(Installation.engineFolders());
        catalog.problems().forEach(p -> add(Level.note, "engine", p, "remove the file, or build the engine again"));
        if (catalog.engines().isEmpty()) {
            add(Level.problem, "engine", "none in " + Installation.engineFolders(), "build it: mvn package");
        } else {
            add(
                    Level.ok,
                    "engine",
                    catalog.newest().version() + " in " + catalog.newest().path(),
                    "");
        }
    }

    private void checkPackages() {
        Path apt = findOnPath("apt-get");
        if (apt == null) {
            add(
                    Level.problem,
                    "packages",
                    "there is no apt-get",
                    "the default guest comes from Debian's packages; elsewhere use --kernel and --initrd");
        } else {
            add(Level.ok, "packages", apt + " (for the default guest)", "");
        }
    }

    private static Path findOnPath(String program) {
        for (String folder : System.getenv().getOrDefault("PATH", "").split(":")) {
            Path path = Path.of(folder, program);
            if (!folder.isEmpty() && Files.isExecutable(path)) {
                return path;
            }
        }
        return null;
    }

    private void checkFolder(String check, Path folder, String variable) {
        Path existing = folder;
        while (existing != null && !Files.exists(existing)) {
            existing = existing.getParent();
        }
        if (existing == null || !Files.isDirectory(existing) || !Files.isWritable(existing)) {
            add(
                    Level.problem,
                    check,
                    folder + " cannot be written",
                    "make it writable, or set " + variable + " to a folder that is");
            return;
        }
        try {
            long free = Files.getFileStore(existing).getUsableSpace();
            String found = String.format("%s, %.1f GiB free", folder, (double) free / GIB);
            if (free < GIB / 2) {
                add(Level.problem, check, found, "half a GiB is needed for a guest image; free some space");
            } else {
                add(Level.ok, check, found, "");
            }
        } catch (IOException e) {
            add(Level.note, check, folder + ": " + e.getMessage(), "");
        }
    }
}
