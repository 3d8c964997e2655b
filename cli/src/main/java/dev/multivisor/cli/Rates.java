package dev.multivisor.cli;

import dev.multivisor.server.MachineView;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** What machines do between two looks at them. */
final class Rates {
    private static final String INSTRUCTIONS = "instructions", COMPILED = "compiledInstructions";

    /** Exits by cause, each the sum of some counters. */
    private static final Map<String, List<String>> EXITS = exits();

    /**
     * A machine between two looks. What an engine does not count is absent. All but the last three figures are per
     * second.
     *
     * @param name its name
     * @param pid the process that it runs in
     * @param engine version of the engine that it is on
     * @param phase whether it runs
     * @param instructions guest instructions
     * @param interpreted share of the instructions that was interpreted, 0 to 1; absent also if there were none
     * @param compiled share that was executed by compiled code
     * @param exits from guest code to the engine, by cause
     * @param hostCpu host CPU time of its vCPUs, in seconds
     * @param waitingRegions regions that wait for the compiler
     * @param compiledRegions regions that were compiled, or found compiled, since it came to the engine
     */
    record Row(
            String name,
            long pid,
            String engine,
            String phase,
            double instructions,
            Optional<Double> interpreted,
            Optional<Double> compiled,
            Map<String, Double> exits,
            double hostCpu,
            Optional<Long> waitingRegions,
            Optional<Long> compiledRegions) {
        /** As programs read it: by the names of the fields. */
        Map<String, Object> fields() {
            Map<String, Object> fields = new LinkedHashMap<>();
            fields.put("name", name);
            fields.put("pid", pid);
            fields.put("engine", engine);
            fields.put("phase", phase);
            fields.put("instructions", instructions);
            interpreted.ifPresent(share -> fields.put("interpreted", share));
            compiled.ifPresent(share -> fields.put("compiled", share));
            fields.put("exits", exits);
            fields.put("hostCpu", hostCpu);
            waitingRegions.ifPresent(regions -> fields.put("waitingRegions", regions));
            compiledRegions.ifPresent(regions -> fields.put("compiledRegions", regions));
            return fields;
        }
    }

    /** All that a machine has done. */
    private record Total(long cpuNanos, Map<String, Long> counters) {}

    private Map<String, Total> last = Map.of();
    private long lastNanos;

    private static Map<String, List<String>> exits() {
        Map<String, List<String>> exits = new LinkedHashMap<>();
        exits.put("port", List.of("portReads", "portWrites"));
        exits.put("mmio", List.of("mmioReads", "mmioWrites"));
        exits.put("interrupt", List.of("interrupts"));
        exits.put("exception", List.of("exceptions"));
        exits.put("pageFault", List.of("pageFaults"));
        exits.put("halt", List.of("halts"));
        exits.put("kick", List.of("kicks"));
        return exits;
    }

    /** Rows for the machines that were there at the last look too. */
    List<Row> since(List<MachineView> machines, long nanos) {
        double seconds = Math.max(1, nanos - lastNanos) * 1e-9;
        Map<String, Total> now = new HashMap<>();
        List<Row> rows = new ArrayList<>();
        for (MachineView machine : machines) {
            String key = machine.name() + "@" + machine.pid();
            Total total = total(machine);
            now.put(key, total);
            if (last.containsKey(key)) {
                rows.add(row(machine, last.get(key), total, seconds));
            }
        }
        last = now;
        lastNanos = nanos;
        return rows;
    }

    /** Over all engines that it has been on: a move between two looks loses nothing. */
    private static Total total(MachineView machine) {
        Map<String, Long> counters = new HashMap<>();
        machine.usage()
                .forEach(stay -> stay.counters().forEach((name, value) -> counters.merge(name, value, Long::sum)));
        counters.put(
                INSTRUCTIONS,
                machine.cpus().stream().mapToLong(MachineView.Cpu::instructions).sum());
        return new Total(
                machine.cpus().stream().mapToLong(MachineView.Cpu::cpuNanos).sum(), counters);
    }

    private static Row row(MachineView machine, Total before, Total now, double seconds) {
        Map<String, Long> own = machine.usage().stream()
                .filter(stay -> stay.engine().equals(machine.engine()))
                .findFirst()
                .map(MachineView.Usage::counters)
                .orElse(Map.of());
        long instructions = grown(before, now, INSTRUCTIONS);
        Optional<Double> compiled = own.containsKey(COMPILED) && instructions > 0
                ? Optional.of(Math.min(1, (double) grown(before, now, COMPILED) / instructions))
                : Optional.empty();
        Map<String, Double> exits = new LinkedHashMap<>();
        EXITS.forEach((cause, names) -> {
            if (own.keySet().containsAll(names)) {
                exits.put(
                        cause,
                        names.stream()
                                        .mapToLong(name -> grown(before, now, name))
                                        .sum()
                                / seconds);
            }
        });
        Optional<Long> waiting = Optional.ofNullable(own.get("compileRequests"))
                .map(asked -> Math.max(0, asked - own.getOrDefault("compileAnswers", 0L)));
        return new Row(
                machine.name(),
                machine.pid(),
                machine.engine(),
                machine.phase(),
                instructions / seconds,
                compiled.map(share -> 1 - share),
                compiled,
                exits,
                Math.max(0, now.cpuNanos - before.cpuNanos) * 1e-9 / seconds,
                waiting,
                Optional.ofNullable(own.get("compiledRegions")));
    }

    private static long grown(Total before, Total now, String counter) {
        return Math.max(0, now.counters.getOrDefault(counter, 0L) - before.counters.getOrDefault(counter, 0L));
    }
}
