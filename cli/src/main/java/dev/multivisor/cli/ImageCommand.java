package dev.multivisor.cli;

import dev.multivisor.images.Image;
import dev.multivisor.images.Images;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code multivisor image}. */
@Command(
        name = "image",
        description = "Manages the default guests: Debian's kernels and programs.",
        mixinStandardHelpOptions = true,
        footerHeading = "%nExamples:%n",
        footer = {
            "  multivisor image list",
            "  multivisor image pull debian-13",
            "  multivisor image rm debian-13",
            "",
            "Images are made from Debian's packages, without root and without a change",
            "to this system, and kept in ~/.cache/multivisor."
        })
final class ImageCommand implements Runnable {
    @Spec
    private CommandSpec spec;

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "a command is missing: list, pull or rm");
    }

    @Command(
            name = "list",
            description = "Lists the images that there are, here or to be pulled.",
            mixinStandardHelpOptions = true,
            footerHeading = "%nExample:%n",
            footer = "  multivisor image list --format json")
    int list(@Mixin OutputFormat format) {
        Map<String, Image> present = new LinkedHashMap<>();
        images().list().forEach(image -> present.put(image.name(), image));
        List<Map<String, Object>> rows = new ArrayList<>();
        for (String name : Images.known()) {
            Optional<Image> image = Optional.ofNullable(present.get(name));
            Map<String, Object> row = new LinkedHashMap<>();
            row.put("name", name);
            row.put("state", image.isPresent() ? "here" : "to be pulled");
            row.put("kernel", image.map(Image::kernelRelease).orElse(format.json() ? "" : "-"));
            if (format.json()) {
                row.put("size", image.map(Image::size).orElse(0L));
                row.put("folder", image.map(i -> i.folder().toString()).orElse(""));
                row.put("packages", image.map(Image::packages).orElse(Map.of()));
            } else {
                row.put(
                        "size",
                        image.map(i -> String.format("%.1f MB", i.size() / 1e6)).orElse("-"));
            }
            rows.add(row);
        }
        format.print(spec.commandLine().getOut(), rows);
        return ExitStatus.OK;
    }

    @Command(
            name = "pull",
            description = "Fetches an image, or its newest version.",
            mixinStandardHelpOptions = true,
            footerHeading = "%nExample:%n",
            footer = "  multivisor image pull debian-12")
    int pull(
            @Parameters(paramLabel = "NAME", arity = "0..1", description = "Default: the first one of the list.")
                    String name) {
        Image image = pull(name == null ? Images.known().getFirst() : name, spec.commandLine());
        spec.commandLine()
                .getOut()
                .println(image.name() + ": kernel " + image.kernelRelease() + " in " + image.folder());
        return ExitStatus.OK;
    }

    @Command(
            name = "rm",
            description = "Removes an image from this host.",
            mixinStandardHelpOptions = true,
            footerHeading = "%nExample:%n",
            footer = "  multivisor image rm debian-13")
    int remove(@Parameters(paramLabel = "NAME", description = "Its name.") String name) {
        if (!images().remove(name)) {
            throw new CliException("image " + name + ": is not on this host");
        }
        return ExitStatus.OK;
    }

    static Images images() {
        return Images.open(Images.defaultCache());
    }

    static Image pull(String name, CommandLine command) {
        try (PullProgress progress = new PullProgress(command.getErr())) {
            return images().pull(name, progress);
        }
    }
}
