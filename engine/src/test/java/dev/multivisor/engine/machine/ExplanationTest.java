package dev.multivisor.engine.machine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.multivisor.api.EngineException;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ExplanationTest {
    @TempDir
    Path folder;

    @Test
    void compiledCodeIsListedAndShown() throws Exception {
        assumeTrue(SystemGuest.buildable(), "no binutils on this host");
        SystemGuest guest = SystemGuest.named("smc");
        Map<String, String> parameters = Map.of("time", "instructions", "compile", "some");
        try (var lent = new TestResources(SystemGuest.MEMORY);
                var machine = guest.create(guest.build(folder), parameters, lent.resources)) {
            assertEquals(Optional.empty(), machine.explain(OptionalLong.empty()));
            assertEquals(guest.expected(), machine.cpus().getFirst().run().reason());
            String list = machine.explain(OptionalLong.empty()).orElseThrow();
            String address = list.lines().skip(2).findFirst().orElseThrow().split(" ")[0];
            String shown = machine.explain(OptionalLong.of(Long.parseUnsignedLong(address.substring(2), 16)))
                    .orElseThrow();
            for (String part : new String[] {
                "Region at " + address,
                "\n  entered     ",
                "\n  executed    ",
                "\n" + address + "  ",
                "lload ",
                "ireturn"
            }) {
                assertTrue(shown.contains(part), () -> part + " is not in\n" + shown);
            }
            assertEquals(Optional.empty(), machine.explain(OptionalLong.of(0x123456789000L)));
        }
    }

    @Test
    void withoutACompilerThereIsNothingToExplain() {
        try (var lent = new TestResources(TinyKernel.MEMORY)) {
            var spec = new dev.multivisor.api.MachineSpec(1, "x86-64-v2", Map.of("compile", "off"));
            var machine = SoftMachine.create("test", spec, TinyKernel.boot(0xeb, 0xfe), lent.resources);
            EngineException none = assertThrows(EngineException.class, () -> machine.explain(OptionalLong.empty()));
            assertTrue(none.getMessage().contains("'compile' is off"), none.getMessage());
        }
    }
}
