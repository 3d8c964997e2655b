package dev.multivisor.engine.machine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.multivisor.api.Exit;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/** Guests in assembly that test system behaviour from inside. */
class SystemGuestTest {
    @TempDir
    Path folder;

    @TestFactory
    Stream<DynamicTest> guests() throws IOException {
        assumeTrue(SystemGuest.buildable(), "no binutils on this host");
        return SystemGuest.all().stream().map(guest -> DynamicTest.dynamicTest(guest.name(), () -> run(guest)));
    }

    private void run(SystemGuest guest) throws IOException, InterruptedException {
        Path kernel = guest.build(folder);
        try (var lent = new TestResources(SystemGuest.MEMORY);
                var machine = guest.create(kernel, Map.of(), lent.resources)) {
            Exit exit = MachineRunner.run(machine, Duration.ofSeconds(60));
            assertEquals(guest.expected(), exit.reason(), () -> exit + ": " + lent.debug.text());
            if (exit.reason() == Exit.Reason.DEBUG_EXIT) {
                assertEquals(1, exit.status(), lent.debug::text);
            }
        }
    }
}
