package dev.multivisor.engine.machine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.multivisor.api.EngineException;
import dev.multivisor.api.StateFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** Two engines with different kinds, versions and features of state read each other's, or say by name what they cannot. */
class StateSchemaTest {
    private static final String FEATURE = "turbo";

    private static final Consumer<SectionData> NOTHING = data -> {};

    /** The timer as the first engine has it, and twice newer. */
    private record Timer1(int period, boolean running) {}

    private record Timer2(long nanos, boolean running) {}

    private record Timer3(long nanos, boolean running, int divider, Mode mode) {}

    private record Mode(boolean oneShot) {}

    private record Turbo(int boost) {}

    private static final SectionKind TIMER2 = SectionKind.of("timer")
            .then(
                    data -> data.put("nanos", data.take("period", Long.class) * 1000),
                    data -> data.put("period", data.take("nanos", Long.class) / 1000));

    private static final SectionKind TIMER3 =
            TIMER2.then(data -> data.put("divider", 1).put("mode", new SectionData().put("oneShot", false)), data -> {
                data.drop("divider", 1);
                SectionData mode = data.takeData("mode");
                mode.drop("oneShot", false);
            });

    private static final StateSchema FIRST = new StateSchema(List.of(SectionKind.of("timer")), Set.of());
    private static final StateSchema SECOND = new StateSchema(List.of(TIMER2), Set.of());
    private static final StateSchema THIRD =
            new StateSchema(List.of(TIMER3, SectionKind.of("turbo").onlyWith(FEATURE)), Set.of(FEATURE));

    /** A state of one timer, as an engine writes it for a reader. */
    private static byte[] write(StateSchema writer, Record timer, StateSchema reader) {
        return writer.write("test", Map.of("timer.0", timer), writer.formatFor(reader.format(), Set.of()));
    }

    private static <T extends Record> T read(StateSchema schema, byte[] state, Class<T> type) {
        StateSchema.Reader reader = schema.read(state, Set.of());
        T timer = reader.take("timer.0", type);
        reader.finish();
        return timer;
    }

    @Test
    void formatsSayTheVersions() {
        assertEquals(new StateFormat(Map.of("timer", 1), Set.of()), FIRST.format());
        assertEquals(new StateFormat(Map.of("timer", 3, "turbo", 1), Set.of(FEATURE)), THIRD.format());
        assertEquals(FIRST.format(), THIRD.formatFor(FIRST.format(), Set.of()));
        assertEquals(FIRST.format(), FIRST.formatFor(THIRD.format(), Set.of()));
        assertEquals(List.of(), THIRD.refusals(FIRST.format()));
    }

    @Test
    void olderStateIsUpgraded() {
        byte[] state = write(FIRST, new Timer1(250, true), SECOND);
        assertEquals(new Timer2(250_000, true), read(SECOND, state, Timer2.class));
        assertEquals(new Timer3(250_000, true, 1, new Mode(false)), read(THIRD, state, Timer3.class));
    }

    @Test
    void stateIsDowngradedForAnOlderReader() {
        Timer3 timer = new Timer3(250_000, true, 1, new Mode(false));
        assertEquals(new Timer2(250_000, true), read(SECOND, write(THIRD, timer, SECOND), Timer2.class));
        byte[] state = write(THIRD, timer, FIRST);
        assertEquals(new Timer1(250, true), read(FIRST, state, Timer1.class));
        assertEquals(timer, read(THIRD, state, Timer3.class), "and comes back");
        assertEquals(timer, read(THIRD, write(THIRD, timer, THIRD), Timer3.class), "unchanged where none is needed");
    }

    @Test
    void whatTheOlderVersionCannotHoldIsNamed() {
        assertRefusal(
                "state: section 'timer.0' cannot be written in version 2: divider: is 4, which the older version cannot hold",
                () -> write(THIRD, new Timer3(1, true, 4, new Mode(false)), SECOND));
        assertRefusal(
                "oneShot: is true, which the older version cannot hold",
                () -> write(THIRD, new Timer3(1, true, 1, new Mode(true)), FIRST));
    }

    /** An upgrade that fails, and one that does not give what the record has. */
    @Test
    void upgradesThatDoNotFitAreNamed() {
        byte[] state = write(FIRST, new Timer1(250, true), SECOND);
        StateSchema failing = new StateSchema(
                List.of(SectionKind.of("timer").then(data -> data.take("count", Long.class), NOTHING)), Set.of());
        assertRefusal("state: section 'timer.0': count: is missing", () -> read(failing, state, Timer2.class));
        StateSchema wrongType = new StateSchema(
                List.of(SectionKind.of("timer").then(data -> data.take("period", String.class), NOTHING)), Set.of());
        assertRefusal("section 'timer.0': period: is not", () -> read(wrongType, state, Timer2.class));
        StateSchema idle = new StateSchema(List.of(SectionKind.of("timer").then(NOTHING, NOTHING)), Set.of());
        assertRefusal(
                "state: section 'timer.0': period: is unknown to this engine", () -> read(idle, state, Timer2.class));
    }

    @Test
    void newerAndForgottenVersionsAreRefused() {
        Timer3 timer = new Timer3(1, true, 1, new Mode(false));
        byte[] newest = write(THIRD, timer, THIRD);
        assertRefusal(
                "state: section 'timer.0' has version 3, this engine takes 1 to 2",
                () -> read(SECOND, newest, Timer2.class));
        assertEquals(
                List.of("section 'timer': has version 3, this engine takes 1"),
                FIRST.refusals(new StateFormat(Map.of("timer", 3), Set.of())));
        StateSchema late = new StateSchema(List.of(TIMER3.since(2)), Set.of());
        assertEquals(
                List.of("section 'timer': has version 1, this engine takes 2 to 3"), late.refusals(FIRST.format()));
        assertRefusal(
                "state: section 'timer.0' has version 1, this engine takes 2 to 3",
                () -> read(late, write(FIRST, new Timer1(1, true), late), Timer3.class));
        assertRefusal(
                "section 'timer': the target takes version 1, this engine writes 2 to 3",
                () -> late.formatFor(FIRST.format(), Set.of()));
        assertEquals(timer, read(late, write(THIRD, timer, SECOND), Timer3.class));
    }

    /** A machine with a feature mentions it and its section, one without mentions neither. */
    @Test
    void featuresAreNamed() {
        StateFormat format = THIRD.formatFor(THIRD.format(), Set.of(FEATURE));
        assertEquals(THIRD.format(), format);
        assertEquals(
                Map.of("timer", 3), THIRD.formatFor(THIRD.format(), Set.of()).sections());
        assertRefusal(
                "section 'turbo': is unknown to the target; feature 'turbo': is unknown to the target",
                () -> THIRD.formatFor(FIRST.format(), Set.of(FEATURE)));
        assertEquals(
                List.of(
                        "section 'timer': has version 3, this engine takes 1",
                        "section 'turbo': is unknown to this engine",
                        "feature 'turbo': is unknown to this engine"),
                FIRST.refusals(format));
        assertEquals(
                List.of("section 'timer': is missing", "section 'turbo': is missing"),
                THIRD.refusals(new StateFormat(Map.of(), Set.of(FEATURE))));
        Map<String, Record> sections = new LinkedHashMap<>();
        sections.put("timer.0", new Timer3(1, true, 1, new Mode(false)));
        sections.put("turbo", new Turbo(3));
        byte[] state = THIRD.write("test", sections, format);
        assertEquals(new Turbo(3), THIRD.read(state, Set.of(FEATURE)).take("turbo", Turbo.class));
        assertRefusal("feature 'turbo': the machine does not have it", () -> THIRD.read(state, Set.of()));
        assertRefusal("feature 'turbo': is unknown to this engine", () -> FIRST.read(state, Set.of()));
        byte[] without = write(THIRD, sections.get("timer.0"), THIRD);
        assertRefusal("feature 'turbo': the state does not have it", () -> THIRD.read(without, Set.of(FEATURE)));
    }

    @Test
    void unknownSectionsAreRefused() {
        Map<String, Record> sections = new LinkedHashMap<>();
        sections.put("timer.0", new Timer1(1, true));
        sections.put("timer.1", new Timer1(2, true));
        byte[] state = FIRST.write("test", sections, FIRST.format());
        assertRefusal("state: unknown section 'timer.1'", () -> read(FIRST, state, Timer1.class));
        assertRefusal(
                "state: section 'timer.2' is missing",
                () -> FIRST.read(state, Set.of()).take("timer.2", Timer1.class));
    }

    private static void assertRefusal(String expected, Executable action) {
        String message = assertThrows(EngineException.class, action).getMessage();
        assertTrue(message.contains(expected) && message.indexOf('\n') < 0, message);
    }
}
