package dev.multivisor.cli;

import com.fasterxml.jackson.annotation.JsonInclude;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Option;
import tools.jackson.databind.json.JsonMapper;

/** The option {@code --format} and the two ways to print a table. */
final class OutputFormat {
    /** What {@code --format} takes. */
    enum Format {
        text,
        json
    }

    @Option(
            names = "--format",
            paramLabel = "FORMAT",
            defaultValue = "text",
            description = "How to print: ${COMPLETION-CANDIDATES} (default: ${DEFAULT-VALUE}).")
    private Format format;

    boolean json() {
        return format == Format.json;
    }

    /** Prints anything as JSON. */
    void printJson(PrintWriter out, Object value) {
        out.println(mapper().writerWithDefaultPrettyPrinter().writeValueAsString(value));
    }

    /** Leaves out what is absent. */
    static JsonMapper mapper() {
        return JsonMapper.builder()
                .changeDefaultPropertyInclusion(old -> old.withValueInclusion(JsonInclude.Include.NON_ABSENT))
                .build();
    }

    /** Prints rows that all have the same keys: as aligned columns under the keys, or as JSON. */
    void print(PrintWriter out, List<Map<String, Object>> rows) {
        if (json()) {
            printJson(out, rows);
            return;
        }
        if (rows.isEmpty()) {
            return;
        }
        List<String> keys = List.copyOf(rows.getFirst().keySet());
        List<List<String>> lines = new ArrayList<>();
        lines.add(
                keys.stream().map(key -> key.toUpperCase(java.util.Locale.ROOT)).toList());
        for (Map<String, Object> row : rows) {
            lines.add(keys.stream().map(key -> String.valueOf(row.get(key))).toList());
        }
        int[] widths = new int[keys.size()];
        for (List<String> line : lines) {
            for (int n = 0; n < widths.length; n++) {
                widths[n] = Math.max(widths[n], line.get(n).length());
            }
        }
        for (List<String> line : lines) {
            StringBuilder text = new StringBuilder();
            for (int n = 0; n < widths.length; n++) {
                text.append(line.get(n)).repeat(' ', widths[n] - line.get(n).length() + 2);
            }
            out.println(text.toString().stripTrailing());
        }
    }
}
