package dev.multivisor.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.multivisor.api.MachineSpec;
import dev.multivisor.host.BuiltinGuest;
import dev.multivisor.host.EngineCatalog;
import dev.multivisor.host.EngineJar;
import dev.multivisor.host.MachineEvent;
import dev.multivisor.host.MachineHost;
import dev.multivisor.host.MachineStatus;
import dev.multivisor.host.StreamConsole;
import dev.multivisor.host.VirtualMachine;
import dev.multivisor.server.ControlServer;
import dev.multivisor.server.RunFolder;
import java.lang.ProcessBuilder.Redirect;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Many machines of one host, moved by one command. */
@Timeout(600)
class UpgradeAllTest {
    private static final int MACHINES = 50;
    private static final String BAD = "99.0-faulty";

    @TempDir
    Path folder;

    private final Path engines = Path.of(System.getProperty("multivisor.engines"));
    private final List<VirtualMachine> machines = new ArrayList<>();
    private final Queue<MachineEvent> events = new ConcurrentLinkedQueue<>();
    private EngineJar oldest;
    private EngineJar newest;
    private MachineHost host;
    private ControlServer server;

    @BeforeEach
    void startMachines() throws Exception {
        EngineCatalog shipped = EngineCatalog.of(List.of(engines));
        oldest = shipped.engines().getFirst();
        newest = shipped.newest();
        FaultyEngine.of(newest.path(), BAD, FaultyEngine.Fault.RUN, folder);
        host = new MachineHost(() -> EngineCatalog.of(List.of(engines, folder)));
        StreamConsole nowhere = new StreamConsole(List.of());
        for (int n = 0; n < MACHINES; n++) {
            MachineSpec spec = new MachineSpec(1, "x86-64-v2", Map.of());
            VirtualMachine.Settings settings =
                    new VirtualMachine.Settings("guest-" + n, BuiltinGuest.MEMORY, spec, nowhere, nowhere);
            VirtualMachine machine = host.create(oldest, settings, BuiltinGuest.boot("hz=2 idle quiet"));
            machine.onEvent(events::add);
            machine.start();
            machines.add(machine);
        }
        // Fifty that start at once leave the processors to nobody else.
        while (!machines.stream().allMatch(UpgradeAllTest::idle)) {
            Thread.sleep(100);
        }
        Path run = Files.createDirectories(folder.resolve("multivisor"));
        long pid = ProcessHandle.current().pid();
        RunFolder.Socket socket = new RunFolder.Socket(run.resolve("fleet-" + pid + ".sock"), "fleet", pid);
        server = new ControlServer(host, name -> Optional.empty(), socket);
        server.start();
    }

    @AfterEach
    void stopMachines() {
        server.close();
        host.close();
    }

    @Test
    void aBadEngineIsFoundByTheCanariesAndNobodyStaysOnIt() throws Exception {
        Launcher.Result result = upgrade(
                "--to",
                BAD,
                "--canary",
                "2",
                "--soak",
                "3s",
                "--max-parallel",
                "4",
                "--no-rehearsal",
                "--deadline",
                "10s");
        assertEquals(1, result.status(), result::toString);
        assertTrue(result.out().contains("50 machines: 2 rolled back, 48 not moved"), result::toString);
        assertTrue(
                result.err().contains("it went back to engine " + oldest.version() + " by itself"), result::toString);
        assertAllRunOn(oldest);
        assertEquals(
                2, machines.stream().filter(m -> m.status().handovers() > 0).count(), "moves other than the canaries'");
    }

    @Test
    void aGoodEngineGetsThemAll() throws Exception {
        Launcher.Result result = upgrade(
                "--to", newest.version(), "--canary", "2", "--soak", "2s", "--max-parallel", "8", "--deadline", "10s");
        assertEquals(0, result.status(), result::toString);
        assertTrue(result.out().contains("50 machines: 50 moved"), result::toString);
        assertAllRunOn(newest);
    }

    @Test
    void aTargetThatRefusesOneIsLeftAloneByAll() throws Exception {
        Launcher.Result result = upgrade("--param", "no-such-setting=1");
        assertEquals(1, result.status(), result::toString);
        assertTrue(result.out().contains("50 machines: 50 refused"), result::toString);
        assertAllRunOn(oldest);
        assertTrue(machines.stream().allMatch(machine -> machine.status().handovers() == 0));
    }

    private Launcher.Result upgrade(String... options) throws Exception {
        List<String> arguments = new ArrayList<>(List.of("upgrade", "--all"));
        arguments.addAll(List.of(options));
        return Launcher.start(
                        folder,
                        Redirect.from(Path.of("/dev/null").toFile()),
                        Map.of("XDG_RUNTIME_DIR", folder.toString()),
                        Launcher.command(arguments.toArray(String[]::new)))
                .await();
    }

    private void assertAllRunOn(EngineJar engine) throws InterruptedException {
        List<Long> before = machines.stream().map(UpgradeAllTest::instructions).toList();
        Thread.sleep(1000);
        for (int n = 0; n < MACHINES; n++) {
            MachineStatus status = machines.get(n).status();
            assertEquals(MachineStatus.Phase.RUNNING, status.phase(), status::toString);
            assertEquals(engine.version(), status.engine(), () -> status + ": " + events(status.name()));
            assertTrue(instructions(machines.get(n)) > before.get(n), () -> "stands still: " + status);
        }
    }

    private List<MachineEvent> events(String machine) {
        return events.stream().filter(event -> event.machine().equals(machine)).toList();
    }

    /** Whether it has set itself up and waits for its timer. */
    private static boolean idle(VirtualMachine machine) {
        return machine.status().cpus().getFirst().waiting();
    }

    private static long instructions(VirtualMachine machine) {
        return machine.status().cpus().getFirst().instructions();
    }
}
