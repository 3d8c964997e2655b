package dev.multivisor.cli;

import dev.multivisor.api.Boot;
import dev.multivisor.host.BuiltinGuest;
import dev.multivisor.host.EngineCatalog;
import dev.multivisor.host.EngineJar;
import dev.multivisor.images.Image;
import dev.multivisor.images.ImageException;
import dev.multivisor.images.Images;
import dev.multivisor.images.Initramfs;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintWriter;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code multivisor demo}. */
@Command(
        name = "demo",
        description = {
            "Replaces the engine under a running guest: upgrade, roll back, upgrade again.",
            "The guest beats on its own clock and computes meanwhile; what it and the host measured is shown at the end."
        },
        mixinStandardHelpOptions = true,
        sortOptions = false,
        footerHeading = "%nExamples:%n",
        footer = {
            "  multivisor demo",
            "  multivisor demo --svg demo.svg",
            "  multivisor demo --builtin --seconds 2",
            "",
            "The guest is Debian's kernel with a small program or, with --builtin or where Debian's",
            "packages cannot be had, a kernel of a few kilobytes that comes along."
        },
        exitCodeListHeading = "%nExit status:%n",
        exitCodeList = {
            "0:Everything held: all moves were made, no beat was lost, no clock went back, all checksums are right.",
            "1:Something did not; one line on standard error for each says what.",
            "2:Bad input: an option or an engine."
        })
final class DemoCommand implements Callable<Integer> {
    private static final String IMAGE = "debian-12";
    private static final String PROGRAM = "heartbeat";
    private static final long LINUX_MEMORY = 256L << 20;

    @Spec
    private CommandSpec spec;

    @Option(names = "--builtin", description = "Run the guest that comes along, not Linux.")
    private boolean builtin;

    @Option(names = "--svg", paramLabel = "FILE", description = "Draw what was measured, as SVG.")
    private Path svg;

    @Option(
            names = "--from",
            paramLabel = "V",
            defaultValue = "",
            description = "The engine to begin on: a version or a JAR. Default: the oldest.")
    private String from;

    @Option(
            names = "--to",
            paramLabel = "V",
            defaultValue = "",
            description = "The engine to upgrade to. Default: the newest.")
    private String to;

    @Option(
            names = "--seconds",
            paramLabel = "N",
            defaultValue = "5",
            description = "How long the guest works before, between and after the moves, 2 to 600 s each"
                    + " (default: ${DEFAULT-VALUE}).")
    private int seconds;

    @Override
    public Integer call() throws InterruptedException {
        if (seconds < 2 || seconds > 600) {
            throw new CliException("--seconds: " + seconds + " is not between 2 and 600");
        }
        if (svg != null) {
            checkSvg();
        }
        EngineJar source = from.isEmpty() ? oldest() : Installation.engine(from);
        EngineJar target = Installation.engine(to);
        PrintWriter out = spec.commandLine().getOut();
        try (Arena arena = Arena.ofShared()) {
            DemoRun.Guest guest = guest(arena);
            DemoRun run = new DemoRun(guest, source, target, seconds, out);
            DemoResults results = run.run();
            results.print(out);
            if (svg != null) {
                write(new DemoChart(results).toString());
                out.println();
                out.println("The chart is in " + svg + ".");
            }
            PrintWriter err = spec.commandLine().getErr();
            results.problems().forEach(problem -> err.println("multivisor: demo: " + problem));
            return results.problems().isEmpty() ? ExitStatus.OK : ExitStatus.PROBLEM;
        }
    }

    private static EngineJar oldest() {
        EngineCatalog catalog = EngineCatalog.of(Installation.engineFolders());
        return catalog.engines().isEmpty()
                ? catalog.newest()
                : catalog.engines().getFirst();
    }

    private DemoRun.Guest guest(Arena arena) {
        if (!builtin) {
            try {
                Images images = ImageCommand.images();
                return linux(images.find(IMAGE).orElseGet(() -> ImageCommand.pull(IMAGE, spec.commandLine())), arena);
            } catch (ImageException e) {
                spec.commandLine()
                        .getErr()
                        .println("multivisor: demo: Debian's packages cannot be had (" + e.getMessage()
                                + "), so this is with the guest that comes along");
            }
        }
        return new DemoRun.Guest("the guest that comes along", BuiltinGuest.boot(""), BuiltinGuest.MEMORY);
    }

    private static DemoRun.Guest linux(Image image, Arena arena) {
        Initramfs initramfs = new Initramfs(image).script(program());
        Boot boot = new Boot(
                GuestFiles.map("kernel", image.kernel(), arena),
                List.of(new Boot.Image("initramfs", MemorySegment.ofArray(initramfs.toByteArray()))),
                GuestFiles.COMMAND_LINE + " quiet");
        return new DemoRun.Guest("Debian's kernel " + image.kernelRelease(), boot, LINUX_MEMORY);
    }

    /** The Linux program that beats; its source is in {@code guests/builtin}. */
    static byte[] program() {
        try (InputStream file = DemoCommand.class.getResourceAsStream(PROGRAM)) {
            if (file == null) {
                throw new CliException(ExitStatus.FAILED, PROGRAM + " is missing in this installation");
            }
            return file.readAllBytes();
        } catch (IOException e) {
            throw new CliException(ExitStatus.FAILED, PROGRAM + ": cannot be read (" + e.getMessage() + ")");
        }
    }

    private void checkSvg() {
        Path folder = svg.toAbsolutePath().getParent();
        if (Files.isDirectory(svg)) {
            throw new CliException("--svg: " + svg + ": is a folder");
        }
        if (folder == null || !Files.isDirectory(folder)) {
            throw new CliException("--svg: " + svg + ": there is no folder " + folder);
        }
        if (!Files.isWritable(Files.exists(svg) ? svg : folder)) {
            throw new CliException("--svg: " + svg + ": may not be written by you");
        }
    }

    private void write(String text) {
        try {
            Files.writeString(svg, text);
        } catch (IOException e) {
            throw new CliException(
                    ExitStatus.PROBLEM, "--svg: " + svg + ": cannot be written (" + e.getMessage() + ")");
        }
    }
}
