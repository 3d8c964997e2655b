package dev.multivisor.host;

import java.util.Map;
import java.util.TreeMap;

/**
 * What a machine did on one engine, all its stays there taken together.
 *
 * @param engine the engine's version
 * @param work what was done
 * @param arrivals how often it moved there
 * @param failures how often the engine failed or stood still with it
 * @param counters the engine's own counters, such as exits by cause
 */
public record EngineUsage(String engine, Work work, long arrivals, long failures, Map<String, Long> counters) {
    /**
     * Work done.
     *
     * @param nanos how long the machine ran, in nanoseconds of guest time
     * @param cpuNanos host CPU time of its vCPU threads, in nanoseconds
     * @param instructions guest instructions executed
     */
    public record Work(long nanos, long cpuNanos, long instructions) {
        Work plus(Work other) {
            return new Work(nanos + other.nanos, cpuNanos + other.cpuNanos, instructions + other.instructions);
        }

        Work minus(Work other) {
            return new Work(nanos - other.nanos, cpuNanos - other.cpuNanos, instructions - other.instructions);
        }
    }

    EngineUsage plus(EngineUsage other) {
        Map<String, Long> sum = new TreeMap<>(counters);
        other.counters.forEach((name, value) -> sum.merge(name, value, Long::sum));
        return new EngineUsage(
                engine, work.plus(other.work), arrivals + other.arrivals, failures + other.failures, sum);
    }
}
