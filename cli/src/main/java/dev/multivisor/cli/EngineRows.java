package dev.multivisor.cli;

import dev.multivisor.api.EngineInfo;
import dev.multivisor.api.EngineParameter;
import dev.multivisor.host.EngineJar;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;

/** What is told about an engine, as rows of tables. */
final class EngineRows {
    /** As many digits of a commit as git shows. */
    private static final int COMMIT_DIGITS = 10;

    private EngineRows() {}

    /** For people, a line for each engine. */
    static Map<String, Object> brief(EngineJar jar, EngineInfo info, EngineUses uses) {
        Map<String, Object> row = new LinkedHashMap<>();
        row.put("version", jar.version());
        row.put("build", build(jar));
        row.put("contract", jar.contract());
        row.put("state", state(info.state().sections(), info.state().features().size()));
        row.put(
                "parameters",
                info.parameters().stream().map(EngineParameter::name).collect(Collectors.joining(",")));
        List<String> machines = uses.on(jar.version());
        row.put("vms", machines.isEmpty() ? "-" : String.join(",", machines));
        return row;
    }

    /** For programs, everything. */
    static Map<String, Object> full(EngineJar jar, EngineInfo info, EngineUses uses) {
        Map<String, Object> row = new LinkedHashMap<>();
        row.put("name", info.name());
        row.put("version", jar.version());
        row.put("build", kind(jar));
        row.put("commit", jar.commit());
        row.put("contract", jar.contract());
        row.put("sections", new TreeMap<>(info.state().sections()));
        row.put("features", new TreeSet<>(info.state().features()));
        row.put("parameters", parameters(info));
        row.put("vms", uses.on(jar.version()));
        row.put("path", jar.path().toString());
        return row;
    }

    /** An engine's settings. */
    static List<Map<String, Object>> parameters(EngineInfo info) {
        List<Map<String, Object>> rows = new ArrayList<>();
        for (EngineParameter parameter : info.parameters()) {
            Map<String, Object> row = new LinkedHashMap<>();
            row.put("parameter", parameter.name());
            row.put("default", parameter.standard());
            row.put("description", parameter.description());
            rows.add(row);
        }
        return rows;
    }

    /** The parts of an engine's state. */
    static List<Map<String, Object>> sections(EngineInfo info) {
        List<Map<String, Object>> rows = new ArrayList<>();
        new TreeMap<>(info.state().sections()).forEach((section, version) -> {
            Map<String, Object> row = new LinkedHashMap<>();
            row.put("section", section);
            row.put("version", version);
            rows.add(row);
        });
        return rows;
    }

    /** Where an engine comes from, in words. */
    static String build(EngineJar jar) {
        String commit = jar.commit();
        return commit.isEmpty()
                ? kind(jar)
                : kind(jar) + " " + commit.substring(0, Math.min(COMMIT_DIGITS, commit.length()));
    }

    private static String kind(EngineJar jar) {
        if (!Installation.owns(jar)) {
            return "installed";
        }
        return jar.commit().isEmpty() ? "working tree" : "released";
    }

    /** The number of sections, in few words, and those that are newer than the first version. */
    private static String state(Map<String, Integer> sections, int features) {
        StringBuilder text = new StringBuilder(String.valueOf(sections.size()));
        String newer = new TreeMap<>(sections)
                .entrySet().stream()
                        .filter(section -> section.getValue() > 1)
                        .map(section -> section.getKey() + " " + section.getValue())
                        .collect(Collectors.joining(", "));
        if (!newer.isEmpty()) {
            text.append(" (").append(newer).append(')');
        }
        if (features > 0) {
            text.append(", ").append(features).append(features == 1 ? " feature" : " features");
        }
        return text.toString();
    }
}
