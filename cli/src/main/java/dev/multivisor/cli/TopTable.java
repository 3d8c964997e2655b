package dev.multivisor.cli;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/** What {@code top} shows of machines, as columns. */
final class TopTable {
    private static final double HUNDRED = 100;

    /** Names of columns by causes of exits. */
    private static final Map<String, String> EXITS = new LinkedHashMap<>();

    static {
        EXITS.put("port", "port");
        EXITS.put("mmio", "mmio");
        EXITS.put("interrupt", "irq");
        EXITS.put("pageFault", "#pf");
        EXITS.put("exception", "exc");
        EXITS.put("halt", "hlt");
        EXITS.put("kick", "kick");
    }

    private TopTable() {}

    /** A heading and a line for each machine; one line if there is none. */
    static List<String> lines(List<Rates.Row> rows) {
        if (rows.isEmpty()) {
            return List.of("No machine runs. \"multivisor run\" starts one.");
        }
        List<Map<String, Object>> table = new ArrayList<>();
        rows.forEach(row -> table.add(columns(row)));
        StringWriter text = new StringWriter();
        new OutputFormat().print(new PrintWriter(text), table);
        return text.toString().lines().toList();
    }

    private static Map<String, Object> columns(Rates.Row row) {
        Map<String, Object> columns = new LinkedHashMap<>();
        columns.put("name", row.name());
        columns.put("engine", row.engine());
        columns.put("instr/s", row.phase().equals("running") ? number(row.instructions()) : row.phase());
        columns.put("int%", share(row.interpreted()));
        columns.put("jit%", share(row.compiled()));
        columns.put("cpu%", String.format(Locale.ROOT, "%.0f", row.hostCpu() * HUNDRED));
        columns.put("regions", count(row.waitingRegions()) + "/" + count(row.compiledRegions()));
        EXITS.forEach((cause, name) -> columns.put(name, exits(row, cause)));
        return columns;
    }

    private static String count(Optional<Long> count) {
        return count.map(String::valueOf).orElse("-");
    }

    private static String share(Optional<Double> share) {
        return share.map(part -> String.format(Locale.ROOT, "%.1f", part * HUNDRED))
                .orElse("-");
    }

    private static String exits(Rates.Row row, String cause) {
        return Optional.ofNullable(row.exits().get(cause)).map(TopTable::number).orElse("-");
    }

    /** Three digits or so: {@code 0}, {@code 0.4}, {@code 850}, {@code 12.3k}, {@code 310M}. */
    static String number(double value) {
        String units = " kMGT";
        int unit = 0;
        double rest = value;
        while (rest >= 999.5 && unit < units.length() - 1) {
            rest /= 1000;
            unit++;
        }
        boolean whole = rest >= 99.95 || rest == Math.rint(rest) || unit == 0 && rest >= 10;
        return String.format(Locale.ROOT, whole ? "%.0f" : "%.1f", rest)
                + units.substring(unit, unit + 1).strip();
    }
}
