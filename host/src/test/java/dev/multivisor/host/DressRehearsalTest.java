package dev.multivisor.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.multivisor.api.MachineSpec;
import dev.multivisor.host.FakeEngine.Recipe;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A stand-in that runs is moved, or what keeps it from that is told in one line. */
@Timeout(60)
class DressRehearsalTest {
    private static final MachineSpec SPEC = new MachineSpec(2, "x86-64-v2", Map.of());

    @TempDir
    Path folder;

    @Test
    void movesThereAndBackUntilTheEnd() throws Exception {
        int moves = rehearse("1.0", "2.0", System.nanoTime() + 1_000_000_000);
        assertTrue(moves > 1, () -> moves + " moves");
    }

    @Test
    void movesOnceWhenThereIsNoTime() throws Exception {
        assertEquals(1, rehearse("1.0", "2.0", System.nanoTime()));
    }

    @Test
    void staysWhereNoWayLeadsBackFrom() throws Exception {
        assertEquals(1, rehearse("1.0", "2-format-refuses", System.nanoTime() + 1_000_000_000));
    }

    @ParameterizedTest
    @CsvSource({
        "1.0, 2-restore-refuses, restore: cannot be done",
        "1-save-refuses, 2.0, save: cannot be done",
        "1.0, 2-run-throws, engine 2-run-throws failed on vCPU 0: java.lang.IllegalStateException: boom"
    })
    void tellsWhatFails(String from, String to, String problem) {
        HostException e =
                assertThrows(HostException.class, () -> rehearse(from, to, System.nanoTime() + 5_000_000_000L));
        assertEquals("engine " + to + ": failed while rehearsing: " + problem, number(e.getMessage()));
    }

    /** Either vCPU may be the first to fail. */
    private static String number(String message) {
        return message.replace("vCPU 1", "vCPU 0");
    }

    /** A stand-in begins with the state of a machine that ran, and without it where its engine does not take that. */
    @ParameterizedTest
    @CsvSource({"1.0", "1-restore-refuses", "1-restore-throws"})
    void aStandInBeginsWithWhatItsEngineTakes(String from) throws Exception {
        LoadedEngine source = load(from);
        LoadedEngine target = load("2.0");
        try (StandIn standIn = new StandIn(source, SPEC, target, SPEC, Optional.of(new byte[] {1, 2, 3}), 0)) {
            standIn.there().close();
        }
    }

    private int rehearse(String from, String to, long end) throws IOException {
        return new DressRehearsal(load(from), SPEC, load(to), SPEC).run(end);
    }

    private LoadedEngine load(String version) throws IOException {
        return LoadedEngine.load(
                EngineJar.read(FakeEngine.build(folder, Recipe.good(version))), folder.resolve("cache"));
    }
}
