package dev.multivisor.server;

import dev.multivisor.api.Boot;
import dev.multivisor.api.MachineSpec;
import dev.multivisor.host.EngineCatalog;
import dev.multivisor.host.EngineJar;
import dev.multivisor.host.MachineHost;
import dev.multivisor.host.StreamConsole;
import dev.multivisor.host.VirtualMachine;
import java.io.ByteArrayOutputStream;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** A machine called {@code vm} on a fake engine 1, behind a real socket; engines 2 and 9 are there to move to. */
final class ServedMachine implements AutoCloseable {
    private static List<EngineJar> engines;

    final RunFolder folder;
    final RunFolder.Socket socket;
    final MachineHost host;
    final VirtualMachine machine;
    final ByteArrayOutputStream printed = new ByteArrayOutputStream();
    final StreamConsole console = new StreamConsole(List.of(printed));
    final ControlServer server;
    final ControlClient client = new ControlClient();

    ServedMachine(Path work) throws Exception {
        folder = RunFolder.open(work.resolve("run"));
        socket = folder.reserve("vm");
        EngineCatalog catalog = new EngineCatalog(engines(), List.of("engine old.jar: is damaged"));
        host = new MachineHost(() -> catalog);
        VirtualMachine.Settings settings = new VirtualMachine.Settings(
                "vm", 16 << 20, new MachineSpec(1, "x86-64-v2", Map.of("colour", "red")), console, console);
        Boot boot = new Boot(new Boot.Image("none", MemorySegment.ofArray(new byte[1])), List.of(), "");
        machine = host.create(catalog.version("1"), settings, boot);
        machine.start();
        server = new ControlServer(host, name -> name.equals("vm") ? Optional.of(console) : Optional.empty(), socket);
        server.start();
    }

    private static synchronized List<EngineJar> engines() throws Exception {
        if (engines == null) {
            Path jars = Path.of(System.getProperty("user.dir"), "target", "fake-engines");
            engines = List.of(FakeEngine.build(jars, "1"), FakeEngine.build(jars, "2"), FakeEngine.build(jars, "9"));
        }
        return engines;
    }

    String printed() {
        return printed.toString(StandardCharsets.US_ASCII);
    }

    @Override
    public void close() {
        client.close();
        server.close();
        host.close();
        console.close();
    }
}
