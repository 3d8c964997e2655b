package dev.multivisor.engine.machine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.multivisor.api.EngineException;
import dev.multivisor.api.MachineSpec;
import dev.multivisor.api.StateFormat;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a machine says of its state before it moves, and what is checked when it has arrived. */
class EngineFormatTest {
    private static final MachineSpec SPEC = new MachineSpec(1, "x86-64-v2", Map.of());

    /** What this engine writes of a machine without features. */
    private static final StateFormat PLAIN = plain();

    private static StateFormat plain() {
        Map<String, Integer> sections = new HashMap<>(SoftMachine.stateFormat().sections());
        sections.remove("vmGeneration");
        return new StateFormat(sections, Set.of());
    }

    @TempDir
    Path folder;

    @Test
    void everyReasonIsGiven() {
        Map<String, Integer> sections = new HashMap<>(PLAIN.sections());
        assertEquals(List.of(), SoftMachine.refusals(SPEC, PLAIN));
        sections.put("virtioBlk", 1);
        sections.put("rtc", 7);
        sections.remove("pit");
        MachineSpec spec = new MachineSpec(0, "z80", Map.of("time", "tomorrow", "speed", "high"));
        assertEquals(
                List.of(
                        "cpus: 0, must be 1 to 255",
                        "cpu model 'z80': this engine has x86-64-v2",
                        "parameter 'speed': this engine has time, payload, sha, vmgenid, slice, compile",
                        "parameter 'time': 'tomorrow' is neither host nor instructions",
                        "section 'rtc': has version 7, this engine takes 1",
                        "section 'virtioBlk': is unknown to this engine",
                        "section 'pit': is missing",
                        "feature 'erms': is unknown to this engine"),
                SoftMachine.refusals(spec, new StateFormat(sections, Set.of("erms"))));
    }

    @Test
    void theMachineSpeaksForItsReader() throws IOException, InterruptedException {
        assumeTrue(SystemGuest.buildable(), "no binutils on this host");
        SystemGuest guest = SystemGuest.named("interrupts");
        try (var lent = new TestResources(SystemGuest.MEMORY);
                var machine = guest.create(guest.build(folder), Map.of(), lent.resources)) {
            assertEquals(PLAIN, machine.format(SoftMachine.stateFormat()));
            Map<String, Integer> later = new HashMap<>(PLAIN.sections());
            later.replaceAll((kind, version) -> version + 1);
            later.put("virtioNet", 1);
            assertEquals(PLAIN, machine.format(new StateFormat(later, Set.of("erms"))), "a newer reader");
            Map<String, Integer> less = new HashMap<>(PLAIN.sections());
            less.remove("rtc");
            less.remove("kvmClock");
            StateFormat reader = new StateFormat(less, Set.of());
            String expected = "section 'rtc': is unknown to the target; section 'kvmClock': is unknown to the target";
            assertEquals(
                    expected,
                    assertThrows(EngineException.class, () -> machine.format(reader))
                            .getMessage());
            assertEquals(
                    expected,
                    assertThrows(EngineException.class, () -> machine.save(reader))
                            .getMessage());
        }
    }

    /** State that this machine cannot hold as it was given is refused, not silently made something else. */
    @Test
    void whatIsRestoredIsCompared() throws IOException, InterruptedException {
        assumeTrue(SystemGuest.buildable(), "no binutils on this host");
        SystemGuest guest = SystemGuest.named("interrupts");
        try (var lent = new TestResources(SystemGuest.MEMORY);
                var machine = guest.create(guest.build(folder), Map.of(), lent.resources)) {
            byte[] state = machine.save(SoftMachine.stateFormat());
            BoardState given = BoardState.read(BoardState.SCHEMA.read(state, Set.of()), 1, false);
            BoardState again = BoardState.read(BoardState.SCHEMA.read(state, Set.of()), 1, false);
            again.requireSame(given);
            again.rtc().registers()[5] ^= 1;
            EngineException e = assertThrows(EngineException.class, () -> given.requireSame(again));
            assertEquals("state: section 'rtc': registers[5]: differs after it was restored", e.getMessage());
            again.rtc().registers()[5] ^= 1;
            again.cpus().getFirst().segments().limit()[2]++;
            e = assertThrows(EngineException.class, () -> given.requireSame(again));
            assertTrue(e.getMessage().contains("section 'cpu.0': segments.limit[2]"), e.getMessage());
            MachineSpec other = new MachineSpec(1, "x86-64-v2", Map.of("time", "instructions"));
            e = assertThrows(EngineException.class, () -> SoftMachine.restore("test", other, state, lent.resources));
            assertTrue(e.getMessage().startsWith("parameter 'time': "), e.getMessage());
        }
    }
}
