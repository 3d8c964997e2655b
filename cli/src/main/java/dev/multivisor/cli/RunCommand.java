package dev.multivisor.cli;

import dev.multivisor.api.Boot;
import dev.multivisor.api.MachineSpec;
import dev.multivisor.host.EngineJar;
import dev.multivisor.host.HostException;
import dev.multivisor.host.MachineHost;
import dev.multivisor.host.MemorySize;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code multivisor run}. */
@Command(
        name = "run",
        description = {
            "Runs a guest: Debian's cloud kernel with busybox, or a kernel of yours.",
            "In a terminal, keys go to the guest; Ctrl-] then q quits. Otherwise the console is standard input and output."
        },
        mixinStandardHelpOptions = true,
        sortOptions = false,
        footerHeading = "%nExamples:%n",
        footer = {
            "  multivisor run",
            "  multivisor run --script test.sh --file ./program:/root/program",
            "  multivisor run --image debian-13 --memory 2G --cpus 2",
            "  multivisor run --kernel /boot/vmlinuz --initrd /boot/initrd.img",
            "  multivisor run --name web    \"multivisor upgrade web\" in another terminal",
            "  multivisor run --from web-1  goes on where \"multivisor snapshot create web\" was",
            "  echo 'uname -a' | multivisor run --timeout 1m"
        },
        exitCodeListHeading = "%nExit status:%n",
        exitCodeList = {
            " 0:The guest switched itself off (or reset itself, with --no-reboot).",
            " 2:Bad input: an option, a file, an image or an engine.",
            " 64:The guest's kernel panicked.",
            " 66:Triple fault: the guest could not handle a fault.",
            " 68:The guest halted for good, with interrupts off.",
            " 70:The engine or this program failed, or the guest ended before its script.",
            "124:The time-out was reached.",
            "130:You quit with Ctrl-] q, or stopped it with \"multivisor stop\".",
            "odd:The guest's own: it wrote N to the debug-exit port (0xf4), and this is 2*N+1.",
            "any:With --script, the script's status."
        })
final class RunCommand implements Callable<Integer> {
    /** What does not go with {@code --from}. */
    private static final List<String> NOT_FROM =
            List.of("--image", "--kernel", "--initrd", "--append", "--memory", "--cpus", "--file", "--script");

    @Spec
    private CommandSpec spec;

    @Option(
            names = "--engine",
            paramLabel = "V",
            defaultValue = "",
            description = "The engine: a version that \"engine list\" shows, or a JAR. Default: the newest.")
    private String engine;

    @Option(
            names = "--from",
            paramLabel = "SNAPSHOT",
            description = "Go on from a snapshot, as \"snapshot restore\" does, instead of starting a kernel.")
    private String from;

    @Option(
            names = "--image",
            paramLabel = "NAME",
            defaultValue = "debian-12",
            description = "The default guest: debian-12 (kernel 6.1) or debian-13 (6.12). Default: ${DEFAULT-VALUE}.")
    private String image;

    @Option(
            names = "--kernel",
            paramLabel = "F",
            description =
                    "The kernel: a bzImage, an ELF with a PVH note, or Multiboot 1. Default: Debian's cloud kernel.")
    private Path kernel;

    @Option(names = "--initrd", paramLabel = "F", description = "The initial RAM disk that goes with --kernel.")
    private Path initrd;

    @Option(
            names = "--append",
            paramLabel = "S",
            defaultValue = "",
            description = "More for the kernel's command line.")
    private String append;

    @Option(
            names = "--memory",
            paramLabel = "SIZE",
            defaultValue = "512M",
            description = "The guest's memory, such as 512M or 2G (default: ${DEFAULT-VALUE}).")
    private String memory;

    @Option(
            names = "--cpus",
            paramLabel = "N",
            defaultValue = "1",
            description = "How many processors the guest has, 1 to 255 (default: ${DEFAULT-VALUE}).")
    private int cpus;

    @Option(
            names = "--file",
            paramLabel = "HOST:GUEST",
            description = "Put a file or a folder into the default guest. May be repeated.")
    private List<String> files = List.of();

    @Option(
            names = "--script",
            paramLabel = "F",
            description = "Run this shell script in the default guest, print its output and return its status.")
    private Path script;

    @Option(names = "--timeout", paramLabel = "D", description = "Give up after so long, such as 30s or 5m.")
    private Duration timeout;

    @Option(names = "--log", paramLabel = "F", description = "Keep a copy of the console's output in a file.")
    private Path log;

    @Option(names = "--no-reboot", description = "End when the guest resets the machine, instead of starting it anew.")
    private boolean noReboot;

    @Option(
            names = "--name",
            paramLabel = "NAME",
            defaultValue = "",
            description = "What to call the machine. Default: vm, or the next that is free of vm-2, vm-3...")
    private String name;

    @Option(
            names = "--param",
            paramLabel = "K=V",
            mapFallbackValue = "",
            description = "A setting of the engine; with --from, one that changes, and K alone takes it away. May be"
                    + " repeated.")
    private Map<String, String> parameters = new LinkedHashMap<>();

    @Option(names = "--statistics", description = "Print the engine's counters at the end, to standard error.")
    private boolean statistics;

    @Override
    public Integer call() throws InterruptedException {
        StartUp.reached("command");
        if (from != null) {
            return goOn();
        }
        long bytes = memorySize();
        if (cpus < 1 || cpus > 255) {
            throw new CliException("--cpus: " + cpus + " is not between 1 and 255");
        }
        Control.checkName(name);
        GuestFiles wanted = new GuestFiles(image, kernel, initrd, append, files, script);
        wanted.check();
        EngineJar jar = Installation.engine(engine);
        boolean interactive = script == null && RawTerminal.usable();
        try (Arena arena = Arena.ofShared();
                OutputStream copy = openLog();
                Control control = Control.reserve(name, spec.commandLine().getErr());
                MachineHost host = new MachineHost(() -> Installation.engines(jar))) {
            GuestFiles.Guest guest = wanted.open(arena, spec.commandLine());
            StartUp.reached("images");
            Boot boot = guest.boot();
            GuestRun.Plan plan = new GuestRun.Plan(
                    control,
                    bytes,
                    new MachineSpec(cpus, "x86-64-v2", parameters),
                    (on, newest, settings) -> on.create(newest, settings, boot),
                    interactive,
                    script != null,
                    guest.ours(),
                    !noReboot && script == null,
                    timeout,
                    copy,
                    statistics);
            return new GuestRun(plan, jar, host, spec.commandLine().getErr()).run();
        } catch (IOException e) {
            throw new CliException("--log: " + log + ": cannot be closed (" + e.getMessage() + ")");
        }
    }

    private int goOn() throws InterruptedException {
        for (String option : NOT_FROM) {
            if (spec.commandLine().getParseResult().hasMatchedOption(option)) {
                throw new CliException(option + ": a machine from a snapshot has what it had when that was made");
            }
        }
        SnapshotRun.Plan plan = new SnapshotRun.Plan(
                from, engine, name, parameters, false, timeout, Optional.ofNullable(log), statistics);
        return SnapshotRun.run(plan, spec.commandLine().getErr());
    }

    private long memorySize() {
        try {
            return MemorySize.parse(memory);
        } catch (HostException e) {
            throw new CliException("--" + e.getMessage());
        }
    }

    private OutputStream openLog() {
        return log == null ? null : openLog(log);
    }

    static OutputStream openLog(Path log) {
        try {
            return new FileOutputStream(log.toFile());
        } catch (IOException e) {
            throw new CliException("--log: " + e.getMessage());
        }
    }
}
