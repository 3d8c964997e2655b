package dev.multivisor.engine.machine;

import dev.multivisor.api.EngineException;
import dev.multivisor.api.StateFormat;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * What machines' states can consist of: the kinds of sections and their versions, and the features. Decides what
 * another engine can take, and converts.
 */
final class StateSchema {
    private final Map<String, SectionKind> kinds = new LinkedHashMap<>();
    private final Set<String> features;

    /** @param features beyond the first engine's machine */
    StateSchema(List<SectionKind> kinds, Set<String> features) {
        for (SectionKind kind : kinds) {
            this.kinds.put(kind.name(), kind);
        }
        this.features = Set.copyOf(features);
    }

    /** All that is read and written, in the newest versions. */
    StateFormat format() {
        Map<String, Integer> versions = new LinkedHashMap<>();
        for (SectionKind kind : kinds.values()) {
            versions.put(kind.name(), kind.newest());
        }
        return new StateFormat(versions, features);
    }

    /** Why a state cannot be read, a line for each reason. */
    List<String> refusals(StateFormat format) {
        List<String> reasons = new ArrayList<>();
        new TreeMap<>(format.sections()).forEach((name, version) -> {
            SectionKind kind = kinds.get(name);
            if (kind == null) {
                reasons.add("section '" + name + "': is unknown to this engine");
            } else if (version < kind.oldest() || version > kind.newest()) {
                reasons.add(
                        "section '" + name + "': has version " + version + ", this engine takes " + kind.versions());
            }
        });
        used(format.features()).stream()
                .filter(kind -> !format.sections().containsKey(kind.name()))
                .forEach(kind -> reasons.add("section '" + kind.name() + "': is missing"));
        new TreeSet<>(format.features())
                .stream()
                        .filter(feature -> !features.contains(feature))
                        .forEach(feature -> reasons.add("feature '" + feature + "': is unknown to this engine"));
        return reasons;
    }

    /** The kinds that a machine with these features has. */
    private List<SectionKind> used(Set<String> features) {
        List<SectionKind> used = new ArrayList<>();
        for (SectionKind kind : kinds.values()) {
            if (kind.feature().isEmpty() || features.contains(kind.feature())) {
                used.add(kind);
            }
        }
        return used;
    }

    /**
     * What is written for a reader.
     *
     * @param features that the machine has
     * @throws EngineException naming everything that the reader cannot take
     */
    StateFormat formatFor(StateFormat reader, Set<String> features) {
        Map<String, Integer> versions = new LinkedHashMap<>();
        List<String> problems = new ArrayList<>();
        for (SectionKind kind : used(features)) {
            Integer taken = reader.sections().get(kind.name());
            int version = taken == null ? 0 : Math.min(taken, kind.newest());
            if (taken == null) {
                problems.add("section '" + kind.name() + "': is unknown to the target");
            } else if (version < kind.oldest()) {
                problems.add("section '" + kind.name() + "': the target takes version " + taken
                        + ", this engine writes " + kind.versions());
            }
            versions.put(kind.name(), version);
        }
        new TreeSet<>(features)
                .stream()
                        .filter(feature -> !reader.features().contains(feature))
                        .forEach(feature -> problems.add("feature '" + feature + "': is unknown to the target"));
        if (!problems.isEmpty()) {
            throw new EngineException(String.join("; ", problems));
        }
        return new StateFormat(versions, features);
    }

    private SectionKind kind(String section) {
        int dot = section.indexOf('.');
        return kinds.get(dot < 0 ? section : section.substring(0, dot));
    }

    /**
     * The bytes of a state.
     *
     * @param sections by name
     * @param format what {@link #formatFor} said
     * @throws EngineException naming the section and field that an older version cannot hold
     */
    byte[] write(String producer, Map<String, Record> sections, StateFormat format) {
        StateContainer container = StateContainer.of(producer, format.features());
        sections.forEach((name, state) -> {
            SectionKind kind = kind(name);
            int version = format.sections().get(kind.name());
            if (version == kind.newest()) {
                container.put(name, version, state);
            } else {
                SectionData data = SectionData.of(state);
                try {
                    kind.downgrade(data, version);
                } catch (InvalidFieldException e) {
                    throw StateContainer.refusal("section '" + name + "' cannot be written in version " + version, e);
                }
                container.put(name, version, data);
            }
        });
        return container.toBytes();
    }

    /**
     * Opens a state.
     *
     * @param features that the machine is to have
     * @throws EngineException if it is damaged, or is of a machine with other features
     */
    Reader read(byte[] bytes, Set<String> features) {
        StateContainer container = StateContainer.parse(bytes);
        for (String feature : new TreeSet<>(container.features())) {
            if (!this.features.contains(feature)) {
                throw new EngineException("state: feature '" + feature + "': is unknown to this engine");
            }
            if (!features.contains(feature)) {
                throw new EngineException("state: feature '" + feature + "': the machine does not have it");
            }
        }
        for (String feature : new TreeSet<>(features)) {
            if (!container.features().contains(feature)) {
                throw new EngineException("state: feature '" + feature + "': the state does not have it");
            }
        }
        return new Reader(container);
    }

    /** Gives the sections of a state in their newest versions. */
    final class Reader {
        private final StateContainer container;

        private Reader(StateContainer container) {
            this.container = container;
        }

        /** @throws EngineException if it is absent, of a version that is not read, or does not fit the record */
        <T extends Record> T take(String section, Class<T> type) {
            SectionKind kind = kind(section);
            int version = container.version(section);
            if (version == kind.newest()) {
                return container.take(section, version, type);
            }
            if (version < kind.oldest() || version > kind.newest()) {
                throw new EngineException("state: section '" + section + "' has version " + version
                        + ", this engine takes " + kind.versions());
            }
            return container.take(section, type, data -> kind.upgrade(data, version));
        }

        /** @throws EngineException if a section was not taken */
        void finish() {
            container.finish();
        }
    }
}
