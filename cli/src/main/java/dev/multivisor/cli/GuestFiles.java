package dev.multivisor.cli;

import dev.multivisor.api.Boot;
import dev.multivisor.images.Image;
import dev.multivisor.images.Images;
import dev.multivisor.images.Initramfs;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import picocli.CommandLine;

/**
 * What a guest is made of, as the options name it.
 *
 * @param image the default guest that is meant
 * @param kernel null for the default guest's
 * @param initrd null for none, or for the default guest's
 * @param append what goes at the end of the command line
 * @param files {@code HOST:GUEST} for the default guest
 * @param script what to run in the default guest; null for a shell
 */
record GuestFiles(String image, Path kernel, Path initrd, String append, List<String> files, Path script) {
    /** A panic is to end the machine at once, which a reset does. */
    static final String COMMAND_LINE = "console=ttyS0 panic=-1";

    /**
     * A guest ready to be started.
     *
     * @param ours whether its user space is the default guest's
     */
    record Guest(Boot boot, boolean ours) {}

    /** Finds what can be found wrong without opening an image. */
    void check() {
        if (!Images.known().contains(image)) {
            throw new CliException("--image: there is no " + image + "; there is " + String.join(", ", Images.known()));
        }
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
            requireReadable("--script", script);
        }
        for (String file : files) {
            if (file.indexOf(':') < 1 || file.endsWith(":")) {
                throw new CliException("--file: \"" + file + "\" is not HOST:GUEST");
            }
            if (file.charAt(file.lastIndexOf(':') + 1) != '/') {
                throw new CliException("--file: \"" + file + "\": the path in the guest must begin with /");
            }
            Path host = Path.of(file.substring(0, file.lastIndexOf(':')));
            if (!Files.isReadable(host)) {
                throw new CliException("--file: " + host + ": there is no such file, or it may not be read");
            }
        }
    }

    private static void requireFile(String option, Path path) {
        requireReadable(option, path);
        if (!Files.isRegularFile(path)) {
            throw new CliException(option + ": " + path + ": is not a file");
        }
    }

    private static void requireReadable(String option, Path path) {
        if (!Files.exists(path)) {
            throw new CliException(option + ": " + path + ": there is no such file");
        }
        if (Files.isDirectory(path)) {
            throw new CliException(option + ": " + path + ": is not a file");
        }
        if (!Files.isReadable(path)) {
            throw new CliException(option + ": " + path + ": may not be read by you");
        }
    }

    /** Opens the images, fetching those of the default guest where need be. */
    Guest open(Arena arena, CommandLine command) {
        boolean ours = initrd == null && (kernel == null || script != null || !files.isEmpty());
        Image defaults = kernel == null || ours ? defaults(command) : null;
        Boot.Image kernelImage = map("--kernel", kernel == null ? defaults.kernel() : kernel, arena);
        List<Boot.Image> modules = initrd != null
                ? List.of(map("--initrd", initrd, arena))
                : ours ? List.of(initramfs(defaults)) : List.of();
        String start = script == null ? COMMAND_LINE : COMMAND_LINE + " quiet";
        return new Guest(new Boot(kernelImage, modules, (start + " " + append).strip()), ours);
    }

    private Image defaults(CommandLine command) {
        return ImageCommand.images().find(image).orElseGet(() -> ImageCommand.pull(image, command));
    }

    private Boot.Image initramfs(Image defaults) {
        Initramfs initramfs = new Initramfs(defaults);
        for (String file : files) {
            int colon = file.lastIndexOf(':');
            initramfs.file(Path.of(file.substring(0, colon)), file.substring(colon + 1));
        }
        if (script != null) {
            try {
                initramfs.script(Files.readAllBytes(script));
            } catch (IOException e) {
                throw new CliException("--script: " + script + ": cannot be read (" + e.getMessage() + ")");
            }
        }
        return new Boot.Image("initramfs of " + defaults.name(), MemorySegment.ofArray(initramfs.toByteArray()));
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
