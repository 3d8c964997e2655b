package dev.multivisor.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.multivisor.api.MachineSpec;
import dev.multivisor.host.BuiltinGuest;
import dev.multivisor.host.EngineCatalog;
import dev.multivisor.host.MachineHost;
import dev.multivisor.host.SavedMachine;
import dev.multivisor.host.StreamConsole;
import dev.multivisor.host.VirtualMachine;
import dev.multivisor.snapshots.Snapshot;
import dev.multivisor.snapshots.SnapshotRequest;
import dev.multivisor.snapshots.SnapshotStore;
import java.io.ByteArrayOutputStream;
import java.lang.ProcessBuilder.Redirect;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Snapshots as a user makes them, of Linux at work. */
class SnapshotCommandTest {
    /** Writes memory as fast as it can, and checks all of it; then looks what the kernel was told. */
    private static final String SCRIPT = """
            #!/bin/sh
            ./churn 24 @SECONDS@ || exit 3
            for n in 1 2 3 4 5; do
                dmesg | grep 'virtual machine fork' && break
                [ $n = 5 ] && echo no fork
                sleep 1
            done
            echo CHURN-GOOD
            exit 0
            """;

    /** Draws for each line that it reads, which is how often the kernel is to have been told that it is a copy. */
    private static final String DICE = """
            #!/bin/sh
            echo DICE-READY
            while read forks; do
                for n in 1 2 3 4 5 6 7 8 9 10; do
                    told=$(dmesg | grep -c 'crng reseeded due to virtual machine fork')
                    [ "$told" = "$forks" ] && break
                    sleep 1
                done
                printf "DREW after $told: "
                xxd -p -l 24 /dev/urandom
            done
            """;

    private static final Pattern DRAWN = Pattern.compile("DREW after ([0-9]+): ([0-9a-f]{48})\\s");

    /** How many snapshots are tried for one with which copies that are not told draw the same. */
    private static final int MOMENTS = 5;

    /** Of the guest's kernel and programs alone, four machines share more. */
    private static final long SHARED_KIB = 8 << 10;

    /** Where the newest engine has the generation ID. */
    private static final long GENERATION_ADDRESS = 0xff000;

    /** How long a guest may take to draw, in nanoseconds. */
    private static final long PATIENCE = 300_000_000_000L;

    @TempDir
    Path folder;

    private final List<Launcher.Running> runs = new ArrayList<>();

    @AfterEach
    void end() throws InterruptedException {
        for (Launcher.Running run : runs) {
            run.process().destroyForcibly().waitFor();
        }
    }

    private Map<String, String> environment() {
        return Map.of("XDG_RUNTIME_DIR", folder.toString(), "XDG_DATA_HOME", folder.toString());
    }

    private Launcher.Running start(String... arguments) throws Exception {
        Launcher.Running run = Launcher.start(
                folder, Redirect.from(Path.of("/dev/null").toFile()), environment(), Launcher.command(arguments));
        runs.add(run);
        return run;
    }

    private Launcher.Result multivisor(int status, String... arguments) throws Exception {
        Launcher.Result result = start(arguments).await();
        assertEquals(status, result.status(), () -> String.join(" ", arguments) + ": " + result);
        return result;
    }

    /** @param seconds how long it works: longer than the test takes to make its snapshots, on a busy host too */
    private Launcher.Running churn(String image, int seconds, String... more) throws Exception {
        Guests.require(image, folder);
        Path script =
                Files.writeString(folder.resolve("script.sh"), SCRIPT.replace("@SECONDS@", Integer.toString(seconds)));
        List<String> command = new ArrayList<>(List.of("run", "--name", "churn", "--image", image, "--memory", "256M"));
        command.addAll(List.of("--file", Guests.program("churn") + ":/root/churn", "--script", script.toString()));
        command.addAll(List.of(more));
        Launcher.Running run = start(command.toArray(String[]::new));
        run.awaitOutput("churn: round");
        return run;
    }

    /** While it writes memory as fast as it can, and of what was written since, and back to the first engine. */
    @Test
    void aGuestThatWritesAllTheTime() throws Exception {
        Launcher.Running run = churn("debian-12", 20);
        Launcher.Result live = multivisor(0, "snapshot", "create", "churn", "--name", "live", "--live");
        assertTrue(live.out().contains(", live\n"), live::toString);
        multivisor(0, "snapshot", "create", "churn", "--name", "more", "--parent", "live", "--live");
        multivisor(0, "pause", "churn");
        multivisor(0, "snapshot", "create", "churn", "--name", "still", "--stop");
        multivisor(0, "resume", "churn");
        Launcher.Result end = run.await();
        assertEquals(0, end.status(), end::toString);
        assertTrue(end.out().contains("CHURN-GOOD"), end::toString);

        String list = multivisor(0, "snapshot", "list", "--check").out();
        assertEquals(4, list.lines().count(), list);
        String oldest = multivisor(0, "engine", "list")
                .out()
                .lines()
                .skip(1)
                .findFirst()
                .orElseThrow()
                .split(" +")[0];
        goesOn("live");
        goesOn("more");
        goesOn("more", "--engine", oldest);
        goesOn("still", "--check");

        Launcher.Result parent = multivisor(2, "snapshot", "rm", "live");
        assertEquals("multivisor: snapshot live: is the parent of more; remove that first\n", parent.err());
        multivisor(0, "snapshot", "rm", "more", "live");
        assertEquals(2, multivisor(0, "snapshot", "list").out().lines().count());
    }

    private void goesOn(String snapshot, String... more) throws Exception {
        List<String> command = new ArrayList<>(List.of("snapshot", "restore", snapshot));
        command.addAll(List.of(more));
        // The script's 0 by debug-exit.
        Launcher.Result copy = multivisor(1, command.toArray(String[]::new));
        assertTrue(copy.out().contains(" rounds, 0 errors"), copy::toString);
        assertTrue(copy.out().contains("CHURN-GOOD"), copy::toString);
        assertFalse(copy.out().contains("clock went back"), copy::toString);
        assertEquals(1, copy.err().lines().count(), copy::toString);
        assertTrue(copy.err().contains("does not reseed its random numbers"), copy::toString);
    }

    /** Each copy knows that it is one, runs to its end, and shares with the others what it does not write. */
    @Test
    void clonesAreToldAndShareMemory() throws Exception {
        Launcher.Running run = churn("debian-13", 15, "--param", "vmgenid=on");
        multivisor(0, "snapshot", "create", "churn", "--name", "thirteen");
        Launcher.Result original = run.await();
        assertTrue(original.out().contains("no fork"), original::toString);

        Path logs = folder.resolve("logs");
        Launcher.Running clones =
                start("clone", "thirteen", "--count", "4", "--name", "web", "--logs", logs.toString());
        clones.awaitOutput("4 machines run, web-1 to web-4");
        awaitMachines(clones, 4);
        long shared = sharedKib(clones.process().pid(), "/thirteen/");
        assertTrue(shared > SHARED_KIB, "shared pages of the snapshot, in KiB: " + shared);
        System.out.println("4 clones share " + shared + " KiB");
        Launcher.Result result = clones.await();
        assertEquals(0, result.status(), result::toString);
        assertEquals("", result.err());
        for (int n = 1; n <= 4; n++) {
            String log = Files.readString(logs.resolve("web-" + n + ".log"));
            assertTrue(log.contains("crng reseeded due to virtual machine fork"), log);
            assertTrue(log.contains("CHURN-GOOD"), log);
        }
    }

    /** Without being told that they are copies, they would draw the same. */
    @Test
    void clonesDrawOtherRandomNumbers() throws Exception {
        Guests.require("debian-13", folder);
        Path script = Files.writeString(folder.resolve("dice.sh"), DICE);
        Launcher.Running run = start(
                "run",
                "--name",
                "dice",
                "--image",
                "debian-13",
                "--param",
                "vmgenid=on",
                "--script",
                script.toString());
        run.awaitOutput("DICE-READY");
        SnapshotStore store = new SnapshotStore(folder.resolve("multivisor/snapshots"));
        List<String> untold;
        String before;
        int moment = 0;
        // The kernel reseeds now and then of itself: a moment is needed with no reseeding soon after it.
        do {
            before = "moment-" + ++moment;
            multivisor(0, "snapshot", "create", "dice", "--name", before);
            untold = List.of(drawUntold(store.find(before)), drawUntold(store.find(before)));
        } while (differ(untold) && moment < MOMENTS);
        multivisor(0, "stop", "dice");
        assertFalse(differ(untold), "nothing but what they are told makes them differ");

        Path logs = folder.resolve("logs");
        Launcher.Running clones = start("clone", before, "--count", "2", "--name", "web", "--logs", logs.toString());
        awaitMachines(clones, 2);
        Set<String> drawn = new HashSet<>(untold);
        for (String name : List.of("web-1", "web-2")) {
            type("1\n", name);
            drawn.add(awaitDrawn(1, () -> Files.readString(logs.resolve(name + ".log"))));
            multivisor(0, "stop", name);
        }
        assertEquals(3, drawn.size(), drawn::toString);
        Launcher.Result result = clones.await();
        assertEquals("", result.err());
    }

    private static boolean differ(List<String> drawn) {
        return drawn.stream().distinct().count() > 1;
    }

    /** What a copy draws that has the original's generation ID. */
    private static String drawUntold(Snapshot snapshot) throws Exception {
        EngineCatalog engines = EngineCatalog.of(List.of(Path.of(System.getProperty("multivisor.engines"))));
        ByteArrayOutputStream output = new ByteArrayOutputStream();
        try (StreamConsole console = new StreamConsole(List.of(output));
                MachineHost host = new MachineHost(() -> engines)) {
            SavedMachine saved = snapshot.machine();
            VirtualMachine.Settings settings =
                    new VirtualMachine.Settings("untold", saved.memory(), saved.spec(), console, console);
            VirtualMachine machine = host.restore(engines.newest(), settings, saved, snapshot.memory());
            machine.start();
            console.feed("0\n".getBytes(StandardCharsets.US_ASCII), 0, 2);
            return awaitDrawn(0, () -> output.toString(StandardCharsets.UTF_8));
        }
    }

    private static String awaitDrawn(int forks, Callable<String> console) throws Exception {
        Matcher drawn = DRAWN.matcher("");
        for (long end = System.nanoTime() + PATIENCE;
                !drawn.reset(console.call()).find();
                Thread.sleep(50)) {
            assertTrue(System.nanoTime() < end, console.call());
        }
        assertEquals(Integer.toString(forks), drawn.group(1), "how often the guest was told");
        return drawn.group(2);
    }

    private void type(String text, String machine) throws Exception {
        Path in = Files.writeString(Files.createTempFile(folder, "typed", ""), text);
        Launcher.Running typed = Launcher.start(
                folder, Redirect.from(in.toFile()), environment(), Launcher.command("console", machine, "--force"));
        Launcher.Result result = typed.await();
        assertEquals(0, result.status(), result::toString);
    }

    private interface Action {
        void accept(SnapshotStore store, VirtualMachine machine) throws Exception;
    }

    /** Does something with a machine that has not begun, and the snapshots' folder. */
    private void created(String name, String parameters, Action action) throws Exception {
        EngineCatalog engines = EngineCatalog.of(List.of(Path.of(System.getProperty("multivisor.engines"))));
        MachineSpec spec = new MachineSpec(1, "x86-64-v2", Map.of("vmgenid", "on"));
        try (StreamConsole nowhere = new StreamConsole(List.of());
                MachineHost host = new MachineHost(() -> engines)) {
            VirtualMachine machine = host.create(
                    engines.newest(),
                    new VirtualMachine.Settings(name, BuiltinGuest.MEMORY, spec, nowhere, nowhere),
                    BuiltinGuest.boot(parameters));
            action.accept(new SnapshotStore(folder.resolve("multivisor/snapshots")), machine);
        }
    }

    /** A snapshot "small" of a guest that has not begun, and then takes its time. */
    private void small() throws Exception {
        created(
                "small",
                "seconds=600",
                (store, machine) -> store.create(machine, new SnapshotRequest("small", Optional.empty(), false)));
    }

    /** Whoever reads that they run can go on with "console" at once. */
    @Test
    void clonesThatAreSaidToRunCanBeReached() throws Exception {
        small();
        Launcher.Running clones = start("clone", "small", "--name", "web");
        clones.awaitOutput("2 machines run, web-1 to web-2: ");
        Path socket = folder.resolve("multivisor/web-" + clones.process().pid() + ".sock");
        try (SocketChannel control = SocketChannel.open(UnixDomainSocketAddress.of(socket))) {
            assertTrue(control.isConnected());
        }
    }

    /** One that is named is the machine's; "off" is refused, as for every machine that has one. */
    @Test
    void aGenerationCanBeNamed() throws Exception {
        small();
        String id = "01234567-89ab-cdef-0123-456789abcdef";
        String named = "vmgenid=" + id;
        bad("parameter 'vmgenid': cannot be turned off", "run", "--from", "small", "--param", "vmgenid=off");
        bad("parameter 'vmgenid': '1-2' is neither", "clone", "small", "--param", "vmgenid=1-2", "--timeout", "5s");
        bad("--param " + named + ": 2 machines need", "clone", "small", "--param", named, "--timeout", "5s");

        assertEquals(id, told("run", start("run", "--from", "small", "--name", "run", "--param", named)));
        assertEquals(id, told("web-1", start("clone", "small", "--count", "1", "--name", "web", "--param", named)));
        // What a machine was told is not what a copy of it is to be told.
        assertNotEquals(id, told("on", start("run", "--from", "run", "--name", "on", "--param", "vmgenid=on")));
    }

    /** The generation ID in a machine's memory, which is its parameter too. Leaves a snapshot of the machine's name. */
    private String told(String machine, Launcher.Running run) throws Exception {
        run.awaitOutput("\n");
        multivisor(0, "snapshot", "create", machine, "--name", machine);
        run.process().destroyForcibly().waitFor();
        Snapshot snapshot = new SnapshotStore(folder.resolve("multivisor/snapshots")).find(machine);
        ByteBuffer id = ByteBuffer.allocate(16).order(ByteOrder.LITTLE_ENDIAN);
        try (FileChannel memory =
                FileChannel.open(snapshot.memory().layers().getLast().file())) {
            memory.read(id, GENERATION_ADDRESS);
        }
        long high = (long) id.getInt(0) << 32 | (id.getShort(4) & 0xffffL) << 16 | id.getShort(6) & 0xffffL;
        String text = new UUID(high, id.order(ByteOrder.BIG_ENDIAN).getLong(8)).toString();
        assertEquals(snapshot.machine().spec().parameters().get("vmgenid"), text);
        return text;
    }

    /** Layers in so many pieces that three machines would need more mappings than a process can have. */
    @Test
    void clonesThatCannotShareSaySo() throws Exception {
        created("deep", "seconds=1", (store, machine) -> {
            Optional<String> parent = Optional.empty();
            for (int n = 0; n < 14; n++) {
                for (long address = 8 << 20; address < BuiltinGuest.MEMORY; address += 8192) {
                    machine.pages().write(address, new byte[] {(byte) (n + 1)});
                }
                store.create(machine, new SnapshotRequest("deep-" + n, parent, false));
                parent = Optional.of("deep-" + n);
            }
        });
        Launcher.Result all = multivisor(0, "clone", "deep-13", "--count", "3");
        assertEquals(
                "multivisor: snapshot deep-13: 2 of 3 machines copied some of its memory instead of sharing it: one process"
                        + " can have no more mappings; fewer machines at once, or a snapshot without a parent, share more\n",
                all.err());
        assertEquals("", multivisor(0, "clone", "deep-13", "--count", "1").err());
        assertEquals("", multivisor(0, "clone", "deep-0", "--count", "3").err());
    }

    private void awaitMachines(Launcher.Running clones, int count) throws Exception {
        while (multivisor(0, "ps")
                        .out()
                        .lines()
                        .filter(line -> line.startsWith("web-"))
                        .count()
                < count) {
            assertTrue(clones.process().isAlive(), clones::printed);
        }
    }

    /** What a process has mapped of a folder's files more than once, or others have too, and has not written (proc(5)). */
    private static long sharedKib(long pid, String folder) throws Exception {
        long sum = 0;
        boolean inside = false;
        for (String line : Files.readAllLines(Path.of("/proc/" + pid + "/smaps"))) {
            if (line.matches("[0-9a-f]+-[0-9a-f]+ .*")) {
                inside = line.contains(folder);
            } else if (inside && line.startsWith("Shared_Clean:")) {
                sum += Long.parseLong(line.split(" +")[1]);
            }
        }
        return sum;
    }

    @Test
    void wrongUse() throws Exception {
        bad("snapshot absent: there is none of this name", "run", "--from", "absent");
        bad("snapshot /absent: is no folder", "run", "--from", "/absent");
        bad("snapshot absent: there is none of this name", "clone", "absent");
        bad("snapshot absent: there is none of this name", "snapshot", "rm", "absent");
        bad("machine absent: there is none of this name", "snapshot", "create", "absent");
        bad("--memory: a machine from a snapshot has what it had", "run", "--from", "x", "--memory", "1G");
        bad("snapshot \"a b\": is not 1 to 64 letters", "run", "--from", "a b");
        bad("--count: 0 is not between", "clone", "x", "--count", "0");
        bad("a command is missing", "snapshot");
        bad("mutually exclusive", "snapshot", "create", "x", "--live", "--stop");
        Launcher.Result none = multivisor(0, "snapshot", "list");
        assertTrue(none.out().startsWith("There is no snapshot."), none::toString);
    }

    private void bad(String problem, String... arguments) throws Exception {
        Launcher.Result result = multivisor(2, arguments);
        assertEquals(1, result.err().lines().count(), result::toString);
        assertTrue(result.err().startsWith("multivisor: ") && result.err().contains(problem), result::toString);
    }
}
