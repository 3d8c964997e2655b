package dev.multivisor.host;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** What a machine did on which engine. Thread-safe. */
final class Accounts {
    private static final EngineUsage.Work NOTHING = new EngineUsage.Work(0, 0, 0);

    // Guarded by this:
    private final Map<String, EngineUsage> past = new LinkedHashMap<>();
    private String engine;
    private EngineUsage.Work since;

    /** @param before what it did before it came here */
    Accounts(String engine, EngineUsage.Work before) {
        this.engine = engine;
        since = before;
        past.put(engine, new EngineUsage(engine, NOTHING, 0, 0, Map.of()));
    }

    /** The machine has moved on; all that it has done until now, and the counters that its engine leaves behind. */
    synchronized void moved(String to, EngineUsage.Work now, Map<String, Long> counters) {
        past.put(engine, present(now, counters));
        engine = to;
        since = now;
        past.merge(to, new EngineUsage(to, NOTHING, 1, 0, Map.of()), EngineUsage::plus);
    }

    /** How often it has moved. */
    synchronized long handovers() {
        return past.values().stream().mapToLong(EngineUsage::arrivals).sum();
    }

    synchronized void failed() {
        past.merge(engine, new EngineUsage(engine, NOTHING, 0, 1, Map.of()), EngineUsage::plus);
    }

    /** By engine, in the order in which the machine came to them. */
    synchronized List<EngineUsage> usage(EngineUsage.Work now, Map<String, Long> counters) {
        Map<String, EngineUsage> all = new LinkedHashMap<>(past);
        all.put(engine, present(now, counters));
        return new ArrayList<>(all.values());
    }

    private EngineUsage present(EngineUsage.Work now, Map<String, Long> counters) {
        return past.get(engine).plus(new EngineUsage(engine, now.minus(since), 0, 0, new TreeMap<>(counters)));
    }
}
