package dev.multivisor.api;

import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * What a machine's state consists of, without the state itself: enough to tell whether one engine can take over what
 * another one writes, before anything is touched.
 *
 * @param sections by kind, such as {@code localApic}, the version of that part of the state, from 1 up
 * @param features names of what a guest can have beyond the first engine's machine, such as {@code sha}; a machine
 *     has only those that its owner turned on at its creation
 */
public record StateFormat(Map<String, Integer> sections, Set<String> features) {
    public StateFormat {
        sections = Map.copyOf(new TreeMap<>(sections));
        features = Set.copyOf(new TreeSet<>(features));
    }
}
