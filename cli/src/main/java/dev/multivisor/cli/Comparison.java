package dev.multivisor.cli;

import dev.multivisor.server.MachineView;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;

/** What machines did on two engines, side by side. */
final class Comparison {
    private static final double NANOS = 1e-9;

    /**
     * A figure of both engines.
     *
     * @param figure what it is
     * @param unit its unit; empty for a plain number
     * @param first on the first engine
     * @param second on the second engine
     */
    record Row(String figure, String unit, double first, double second) {
        /** The second engine's figure by the first one's; NaN where there is nothing to divide by. */
        double ratio() {
            return first == 0 ? Double.NaN : second / first;
        }

        String ratioText() {
            return Double.isNaN(ratio()) ? "-" : String.format(Locale.ROOT, "%.2f", ratio());
        }

        static String text(double value, String unit) {
            String number = value == Math.rint(value) && unit.isEmpty() || Math.abs(value) >= 1000
                    ? String.format(Locale.ROOT, "%,.0f", value)
                    : String.format(Locale.ROOT, "%.2f", value);
            return unit.isEmpty() ? number : number + " " + unit;
        }
    }

    /** All that machines did on one engine. */
    private static final class Sum {
        private int machines;
        private double guestSeconds;
        private double cpuSeconds;
        private long instructions;
        private long arrivals;
        private long failures;
        private final Map<String, Long> counters = new TreeMap<>();

        void add(MachineView.Usage usage) {
            machines++;
            guestSeconds += usage.guestNanos() * NANOS;
            cpuSeconds += usage.cpuNanos() * NANOS;
            instructions += usage.instructions();
            arrivals += usage.arrivals();
            failures += usage.failures();
            usage.counters().forEach((name, value) -> counters.merge(name, value, Long::sum));
        }

        double perGuestSecond(String counter) {
            return guestSeconds == 0 ? 0 : counters.getOrDefault(counter, 0L) / guestSeconds;
        }

        double speed() {
            return cpuSeconds == 0 ? 0 : instructions / cpuSeconds;
        }
    }

    private Comparison() {}

    /**
     * Compares two engines.
     *
     * @throws CliException if no machine was on one of them
     */
    static List<Row> of(List<MachineView> machines, String first, String second) {
        Sum one = sum(machines, first);
        Sum other = sum(machines, second);
        List<Row> rows = new ArrayList<>(List.of(
                new Row("machines", "", one.machines, other.machines),
                new Row("guest time", "s", one.guestSeconds, other.guestSeconds),
                new Row("CPU time", "s", one.cpuSeconds, other.cpuSeconds),
                new Row("instructions", "", one.instructions, other.instructions),
                new Row("instructions per CPU second", "", Math.rint(one.speed()), Math.rint(other.speed())),
                new Row("handovers to it", "", one.arrivals, other.arrivals),
                new Row("failures", "", one.failures, other.failures)));
        TreeSet<String> names = new TreeSet<>(one.counters.keySet());
        names.addAll(other.counters.keySet());
        names.remove("instructions");
        for (String name : names) {
            Row row = new Row(name, "/s", one.perGuestSecond(name), other.perGuestSecond(name));
            if (row.first != 0 || row.second != 0) {
                rows.add(row);
            }
        }
        return rows;
    }

    private static Sum sum(List<MachineView> machines, String engine) {
        Sum sum = new Sum();
        machines.stream()
                .flatMap(machine -> machine.usage().stream())
                .filter(usage -> usage.engine().equals(engine))
                .forEach(sum::add);
        if (sum.machines == 0) {
            TreeSet<String> seen = new TreeSet<>();
            machines.forEach(machine -> machine.usage().forEach(usage -> seen.add(usage.engine())));
            throw new CliException("engine " + engine + ": no running machine has been on it; they were on "
                    + (seen.isEmpty() ? "none" : String.join(", ", seen)));
        }
        return sum;
    }
}
