package dev.multivisor.it;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.condition.DisabledIfSystemProperty;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Boots again and again, for what goes wrong once in a while: {@code mvn verify -Dboots=50}. */
@DisabledIfSystemProperty(named = "it.boots", matches = "0", disabledReason = "a long run: -Dboots=50")
class LongBootTest {
    @TempDir
    Path folder;

    @ParameterizedTest
    @CsvSource({"debian-12, 1", "debian-12, 2", "debian-13, 1", "debian-13, 2"})
    void boots(String image, int cpus) throws Exception {
        Guests.require(image, folder);
        String check = Guests.program("selfcheck").toString();
        Path script = Files.writeString(folder.resolve("script"), "./selfcheck\nexit 3\n");
        for (int boot = 1; boot <= Integer.getInteger("it.boots"); boot++) {
            int number = boot;
            Launcher.Result result = Launcher.run(
                    folder,
                    "run",
                    "--image",
                    image,
                    "--cpus",
                    Integer.toString(cpus),
                    "--file",
                    check + ":/root/selfcheck",
                    "--script",
                    script.toString(),
                    "--timeout",
                    "5m");
            assertEquals(3, result.status(), () -> "boot " + number + ": " + result);
            assertEquals("", result.err());
        }
    }
}
