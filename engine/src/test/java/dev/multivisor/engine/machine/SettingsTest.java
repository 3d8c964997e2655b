package dev.multivisor.engine.machine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.multivisor.api.EngineException;
import dev.multivisor.api.EngineParameter;
import dev.multivisor.api.MachineSpec;
import dev.multivisor.api.StateFormat;
import dev.multivisor.engine.cpu.CodeCompiler;
import dev.multivisor.engine.jit.RegionCompiler;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SettingsTest {
    private static final Map<String, Integer> SECTIONS =
            SoftMachine.stateFormat().sections();
    private static final StateFormat PLAIN = new StateFormat(SECTIONS, Set.of());
    private static final StateFormat WITH_SHA = new StateFormat(SECTIONS, Set.of("sha"));

    private static MachineSpec spec(String... parameters) {
        Map<String, String> values = new TreeMap<>();
        for (int n = 0; n < parameters.length; n += 2) {
            values.put(parameters[n], parameters[n + 1]);
        }
        return new MachineSpec(2, "x86-64-v2", values);
    }

    @Test
    void whatIsNotSaidIsStandard() {
        assertEquals(
                new Settings(2, false, true, false, 10_000, RegionCompiler.shared(), Optional.empty()),
                Settings.of(spec()));
        Map<String, String> standards = new TreeMap<>();
        for (EngineParameter parameter : SoftMachine.parameters()) {
            standards.put(parameter.name(), parameter.standard());
        }
        assertEquals(Settings.of(spec()), Settings.of(new MachineSpec(2, "x86-64-v2", standards)));
        assertEquals(
                new Settings(2, true, false, true, 1000, CodeCompiler.NONE, Optional.empty()),
                Settings.of(spec(
                        "time", "instructions", "payload", "guest", "sha", "on", "slice", "1000", "compile", "off")));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "999", "10000001", "-5000", "+5000", "5e3", "many", "99999999999999999999", "0x2000"})
    void slicesAreNumbersWithinBounds(String slice) {
        assertEquals(
                "parameter 'slice': '" + slice + "' is no number from 1000 to 10000000",
                assertThrows(EngineException.class, () -> Settings.of(spec("slice", slice)))
                        .getMessage());
    }

    /** The guest's CPU stays as it was when it was started; what it cannot see may change. */
    @Test
    void whatTheGuestSeesStays() {
        assertEquals(List.of(), SoftMachine.refusals(spec("slice", "5000"), PLAIN));
        assertEquals(List.of(), SoftMachine.refusals(spec("sha", "off"), PLAIN));
        assertEquals(List.of(), SoftMachine.refusals(spec("sha", "on"), WITH_SHA));
        List<String> on = SoftMachine.refusals(spec("sha", "on"), PLAIN);
        assertEquals(1, on.size());
        assertTrue(on.getFirst().startsWith("parameter 'sha': cannot be turned on: "), on.getFirst());
        List<String> off = SoftMachine.refusals(spec(), WITH_SHA);
        assertEquals(1, off.size());
        assertTrue(off.getFirst().startsWith("parameter 'sha': cannot be turned off: "), off.getFirst());
    }

    @Test
    void aGenerationIsChosenOrNamed() {
        String id = "01234567-89ab-cdef-0123-456789abcdef";
        assertEquals(Optional.empty(), Settings.of(spec("vmgenid", "off")).generation());
        assertEquals(
                Optional.of(Optional.empty()),
                Settings.of(spec("vmgenid", "on")).generation());
        assertEquals(
                Optional.of(Optional.of(UUID.fromString(id))),
                Settings.of(spec("vmgenid", id)).generation());
        for (String bad : List.of("", "ON", "yes", id.toUpperCase(java.util.Locale.ROOT), id + "0", "1-2-3-4-5")) {
            String message = assertThrows(EngineException.class, () -> Settings.of(spec("vmgenid", bad)))
                    .getMessage();
            assertTrue(message.startsWith("parameter 'vmgenid': '" + bad + "' is neither off nor on nor"), message);
        }
        StateFormat with = new StateFormat(SECTIONS, Set.of("vmgenid"));
        assertEquals(List.of(), SoftMachine.refusals(spec("vmgenid", id), with));
        assertEquals(1, SoftMachine.refusals(spec("vmgenid", id), PLAIN).size());
        assertEquals(1, SoftMachine.refusals(spec(), with).size());
        StateFormat first = new StateFormat(Map.of("pciBus", 1), Set.of());
        StateSchema schema = new StateSchema(
                List.of(PciBusSection.KIND, SectionKind.of("vmGeneration").onlyWith("vmgenid")), Set.of("vmgenid"));
        assertEquals(
                Set.of("pciBus"), schema.formatFor(first, Set.of()).sections().keySet(), "without, none is written");
        String message = assertThrows(EngineException.class, () -> schema.formatFor(first, Set.of("vmgenid")))
                .getMessage();
        assertEquals(
                "section 'vmGeneration': is unknown to the target; feature 'vmgenid': is unknown to the target",
                message);
    }

    @Test
    void aMachineWithShaTravelsAsOne() {
        StateFormat first = new StateFormat(Map.of("pciBus", 1), Set.of());
        assertEquals(
                "feature 'sha': is unknown to the target",
                assertThrows(
                                EngineException.class,
                                () -> BoardState.SCHEMA.formatFor(
                                        new StateFormat(SECTIONS, Set.of()),
                                        Settings.of(spec("sha", "on")).features()))
                        .getMessage());
        assertEquals(Set.of(), Settings.of(spec()).features());
        assertEquals(List.of(), BoardState.SCHEMA.refusals(WITH_SHA));
        assertEquals(
                1,
                new StateSchema(List.of(PciBusSection.KIND), Set.of("sha"))
                        .formatFor(first, Set.of())
                        .sections()
                        .get("pciBus"));
    }
}
