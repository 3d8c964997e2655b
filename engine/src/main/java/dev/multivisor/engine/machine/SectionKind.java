package dev.multivisor.engine.machine;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/**
 * A kind of section, with its versions. A kind of which a machine has several, one for each vCPU, names its sections
 * {@code kind.0}, {@code kind.1} and so on.
 *
 * @param feature without which a machine has no such section; empty if every machine has it
 * @param oldest the oldest version that is read and written
 * @param steps from each version but the newest to the next
 */
record SectionKind(String name, String feature, int oldest, List<Step> steps) {
    SectionKind {
        steps = List.copyOf(steps);
    }

    /**
     * From one version to the next and back, by changing the data. Either may throw {@link InvalidFieldException}
     * for what the other version cannot say.
     */
    record Step(Consumer<SectionData> upgrade, Consumer<SectionData> downgrade) {}

    /** A kind at its first version. */
    static SectionKind of(String name) {
        return new SectionKind(name, "", 1, List.of());
    }

    /** The same with a newer version. */
    SectionKind then(Consumer<SectionData> upgrade, Consumer<SectionData> downgrade) {
        List<Step> more = new ArrayList<>(steps);
        more.add(new Step(upgrade, downgrade));
        return new SectionKind(name, feature, oldest, more);
    }

    /** The same for machines with a feature only. */
    SectionKind onlyWith(String feature) {
        return new SectionKind(name, feature, oldest, steps);
    }

    /** The same without versions before one. */
    SectionKind since(int version) {
        return new SectionKind(name, feature, version, steps.subList(version - oldest, steps.size()));
    }

    int newest() {
        return oldest + steps.size();
    }

    /** What it takes, for people. */
    String versions() {
        return oldest == newest() ? String.valueOf(oldest) : oldest + " to " + newest();
    }

    /** Changes data of a version, which is one of these, to the newest. */
    void upgrade(SectionData data, int from) {
        for (int version = from; version < newest(); version++) {
            steps.get(version - oldest).upgrade.accept(data);
        }
    }

    /** Changes data of the newest version to another, which is one of these. */
    void downgrade(SectionData data, int to) {
        for (int version = newest() - 1; version >= to; version--) {
            steps.get(version - oldest).downgrade.accept(data);
        }
    }
}
