import com.palantir.javaformat.java.Formatter;
import com.palantir.javaformat.java.FormatterException;
import com.palantir.javaformat.java.ImportOrderer;
import com.palantir.javaformat.java.JavaFormatterOptions;
import com.palantir.javaformat.java.RemoveUnusedImports;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** Checks or puts right the layout of the sources: {@code java Format.java check|apply ROOT}. */
final class Format {
    private static final Formatter FORMATTER = Formatter.createFormatter(JavaFormatterOptions.builder()
            .style(JavaFormatterOptions.Style.PALANTIR)
            .build());

    private Format() {}

    public static void main(String[] arguments) throws IOException {
        boolean apply = arguments[0].equals("apply");
        Path root = Path.of(arguments[1]).normalize();
        List<Path> wrong;
        try (Stream<Path> modules = Files.list(root)) {
            wrong = modules.map(module -> module.resolve("src"))
                    .filter(Files::isDirectory)
                    .flatMap(Format::sources)
                    .parallel()
                    .filter(file -> !laidOut(file, apply))
                    .sorted()
                    .toList();
        }
        for (Path file : wrong) {
            System.err.println((apply ? "laid out: " : "layout differs: ") + root.relativize(file));
        }
        if (!apply && !wrong.isEmpty()) {
            System.err.println("Put it right with: mvn -q -pl format -Dformat=apply verify");
            System.exit(1);
        }
    }

    private static Stream<Path> sources(Path folder) {
        try (Stream<Path> walk = Files.walk(folder)) {
            return walk.filter(path -> path.toString().endsWith(".java")).toList().stream();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static boolean laidOut(Path file, boolean apply) {
        try {
            String source = Files.readString(file);
            String imports = RemoveUnusedImports.removeUnusedImports(
                    ImportOrderer.reorderImports(source, JavaFormatterOptions.Style.PALANTIR));
            String result = FORMATTER.formatSource(imports);
            if (apply && !result.equals(source)) {
                Files.writeString(file, result);
            }
            return result.equals(source);
        } catch (FormatterException e) {
            throw new IllegalStateException(file + ": " + e.getMessage(), e);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
