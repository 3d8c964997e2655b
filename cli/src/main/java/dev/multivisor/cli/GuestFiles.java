package dev.multivisor.cli;

import dev.multivisor.api.Boot;
import java.io.IOException;
import java.io.PrintWriter;
import java.lang.foreign.Arena;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;

/**
 * What a guest is made of, as the options name it.
 *
 * @param kernel null for the default guest's
 * @param initrd null for none, or for the default guest's
 * @param append what goes at the end of the command line
 * @param files {@code HOST:GUEST} for the default guest
 * @param script what to run in the default guest; null for a shell
 */
record GuestFiles(Path kernel, Path initrd, String append, List<String> files, Path script) {
    /**
     * A guest ready to be started.
     *
     * @param ours whether its user space is the default guest's
     */
    record Guest(Boot boot, boolean ours, GuestSignals signals) {}

    /** Finds what can be found wrong without opening an image. */
    void check() {
        if (kernel != null) {
            requireFile("--kernel", kernel);
        }
        if (initrd != null) {
            requireFile("--initrd", initrd);
            if (script != null || !files.isEmpty()) {
                throw new CliException((script != null ? "--script" : "--file")
                        + ": works with the default guest's initial RAM disk only, not with --initrd");
            }
        }
        if (script != null) {
            requireFile("--script", script);
        }
        for (String file : files) {
            if (file.indexOf(':') < 1 || file.endsWith(":")) {
                throw new CliException("--file: \"" + file + "\" is not HOST:GUEST");
            }
            Path host = Path.of(file.substring(0, file.lastIndexOf(':')));
            if (!Files.isReadable(host)) {
                throw new CliException("--file: " + host + ": there is no such file, or it may not be read");
            }
        }
    }

    private static void requireFile(String option, Path path) {
        if (!Files.exists(path)) {
            throw new CliException(option + ": " + path + ": there is no such file");
        }
        if (!Files.isRegularFile(path)) {
            throw new CliException(option + ": " + path + ": is not a file");
        }
        if (!Files.isReadable(path)) {
            throw new CliException(option + ": " + path + ": may not be read by you");
        }
    }

    /** Opens the images, making or fetching those of the default guest. */
    Guest open(Arena arena, PrintWriter progress) {
        if (kernel == null) {
            throw new CliException("--kernel: the default guest is not there yet");
        }
        List<Boot.Image> modules = initrd == null ? List.of() : List.of(map("--initrd", initrd, arena));
        String commandLine = ("console=ttyS0 panic=-1 " + append).strip();
        return new Guest(new Boot(map("--kernel", kernel, arena), modules, commandLine), false, GuestSignals.NONE);
    }

    static Boot.Image map(String option, Path path, Arena arena) {
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
            if (channel.size() == 0) {
                throw new CliException(option + ": " + path + ": is empty");
            }
            return new Boot.Image(
                    path.toString(), channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena));
        } catch (IOException e) {
            throw new CliException(option + ": " + path + ": cannot be read (" + e.getMessage() + ")");
        }
    }
}
