package dev.multivisor.dist;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.multivisor.dist.Program.Result;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Adds engines to the built program and takes them away, as a user does. */
class EngineInstallTest {
    @TempDir
    Path folder;

    private Program program;

    @BeforeEach
    void setUp() {
        program = new Program(folder);
    }

    @Test
    void anEngineIsInstalledUsedAndRemoved() throws Exception {
        Path jar = EngineVariant.of(folder, "0.9.0");
        assertEquals("", row("0.9.0").toString());
        Result installed = engine("install", jar.toString()).assertGood();
        assertEquals(
                "engine 0.9.0: installed as " + program.engines().resolve("multivisor-engine-0.9.0.jar") + "\n",
                installed.out());
        assertEquals(-1, Files.mismatch(jar, program.engines().resolve("multivisor-engine-0.9.0.jar")));
        assertEquals("installed", row("0.9.0").path("build").asString());

        Path kernel = Files.write(folder.resolve("kernel"), TinyKernel.of(TinyKernel.DEBUG_EXIT));
        Result run = program.multivisor(
                "", List.of("run", "--kernel", kernel.toString(), "--memory", "16M", "--engine", "0.9.0"));
        assertEquals(11, run.status(), run.err());

        assertTrue(engine("install", jar.toString()).assertGood().out().contains("is here already"));
        assertTrue(engine("install", "0.9.0").assertGood().out().contains("is here already"));
        engine("remove", "0.9.0").assertGood();
        assertEquals(List.of(), installed());
        engine("remove", "0.9.0").assertBad("there is no version 0.9.0 here");
    }

    @Test
    void aVersionStandsForOneContent() throws Exception {
        engine("install", EngineVariant.of(folder, "0.9.0").toString()).assertGood();
        Path first = program.engines().resolve("multivisor-engine-0.9.0.jar");
        byte[] before = Files.readAllBytes(first);
        Path other = EngineVariant.add(EngineVariant.of(folder, "0.9.0"), "more.txt", "more");
        engine("install", other.toString())
                .assertBad(other.toString(), "another engine 0.9.0, " + first, "engine remove 0.9.0");
        assertTrue(Arrays.equals(before, Files.readAllBytes(first)));
        assertEquals(List.of("multivisor-engine-0.9.0.jar"), installed());

        Path ours = EngineVariant.original();
        assertTrue(engine("install", ours.toString()).assertGood().out().contains("is here already"));
        Path changed = Files.copy(ours, folder.resolve("changed.jar"));
        engine("install", EngineVariant.add(changed, "more.txt", "more").toString())
                .assertBad("there is another engine", "a version of its own");
        assertEquals(List.of("multivisor-engine-0.9.0.jar"), installed());
    }

    @Test
    void anEngineThatAMachineNeedsStays() throws Exception {
        engine("install", EngineVariant.of(folder, "0.9.0").toString()).assertGood();
        Path kernel = Files.write(folder.resolve("kernel"), TinyKernel.of(TinyKernel.SPIN));
        Process run = program.start(List.of(
                "run", "--kernel", kernel.toString(), "--memory", "16M", "--engine", "0.9.0", "--name", "busy"));
        try {
            awaitMachines("0.9.0", "[\"busy\"]", run);
            engine("remove", "0.9.0").assertBad("engine 0.9.0: is needed by VM busy; stop or upgrade");
            engine("install", EngineVariant.of(folder, "0.9.5").toString()).assertGood();
            program.multivisor("", List.of("upgrade", "busy", "--to", "0.9.5")).assertGood();
            awaitMachines("0.9.5", "[\"busy\"]", run);
            engine("remove", "0.9.0").assertBad("engine 0.9.0: is needed by VM busy (to roll back to)");
            program.multivisor("", List.of("stop", "busy")).assertGood();
            awaitMachines("0.9.5", "[]", run);
        } finally {
            run.destroyForcibly().waitFor();
        }
        engine("remove", "0.9.0").assertGood();
        engine("remove", "0.9.5").assertGood();
        assertEquals(List.of(), installed());
    }

    private void awaitMachines(String version, String machines, Process run) throws Exception {
        long end = System.nanoTime() + 180_000_000_000L;
        String seen;
        do {
            seen = row(version).path("vms").toString();
        } while (!seen.equals(machines) && System.nanoTime() < end);
        assertEquals(machines, seen, () -> "the machine's process lives: " + run.isAlive());
    }

    @Test
    void whatIsNoEngineIsRefusedAndLeavesNothing() throws Exception {
        Path good = EngineVariant.of(folder, "0.9.0");
        byte[] bytes = Files.readAllBytes(good);
        byte[] flipped = bytes.clone();
        for (int n = bytes.length / 2; n < bytes.length / 2 + 64; n++) {
            flipped[n] ^= 0x5a;
        }
        Map<Path, String> bad = Map.of(
                folder.resolve("absent.jar"),
                "there is no such file",
                Files.writeString(folder.resolve("text.jar"), "no JAR"),
                "is no JAR, or a damaged one",
                Files.write(folder.resolve("cut.jar"), Arrays.copyOf(bytes, bytes.length / 2)),
                "is no JAR, or a damaged one",
                Files.write(folder.resolve("flipped.jar"), flipped),
                "cannot be unpacked",
                Path.of(System.getProperty("multivisor.home"), "lib").resolve(library("multivisor-host")),
                "is no engine",
                EngineVariant.manifest(EngineVariant.of(folder, "0.9.1"), Map.of("Multivisor-Engine", "1/../../x")),
                "1/../../x",
                EngineVariant.manifest(EngineVariant.of(folder, "0.9.2"), Map.of("Multivisor-Contract", "99")),
                "was built for contract 99",
                EngineVariant.manifest(EngineVariant.of(folder, "0.9.3"), Map.of("Multivisor-Engine", "0.9.4")),
                "calls itself version 0.9.3");
        for (Map.Entry<Path, String> entry : bad.entrySet()) {
            engine("install", entry.getKey().toString()).assertBad("engine " + entry.getKey() + ":", entry.getValue());
        }
        assertEquals(List.of(), installed());
    }

    @Test
    void whatCameWithTheInstallationStays() throws Exception {
        JsonNode ours = list().get(list().size() - 1);
        String version = ours.path("version").asString();
        engine("remove", version).assertBad("engine " + version + ": belongs to this installation");
        assertTrue(Files.exists(Path.of(ours.path("path").asString())));
        engine("install", "77.7").assertBad("77.7 is no released engine; engines/releases.txt names");
    }

    @Test
    void theListNamesBuildAndState() throws Exception {
        boolean working = false;
        for (JsonNode engine : list()) {
            String commit = engine.path("commit").asString();
            boolean released = engine.path("build").asString().equals("released");
            assertTrue(commit.matches(released ? "[0-9a-f]{40}" : ""), engine.toString());
            assertEquals(1, engine.path("contract").asInt());
            assertTrue(engine.path("sections").path("localApic").asInt() >= 1, engine.toString());
            assertFalse(engine.path("parameters").isEmpty());
            working |= engine.path("build").asString().equals("working tree");
        }
        assertTrue(working, "the working tree's engine");
        Result text = engine("list").assertGood();
        assertEquals("", text.err());
        assertTrue(
                text.out()
                        .lines()
                        .findFirst()
                        .orElseThrow()
                        .matches("VERSION +BUILD +CONTRACT +STATE +PARAMETERS +VMS"),
                text.out());
        assertTrue(text.out().lines().allMatch(line -> line.length() <= 120), text.out());
        Result shown = engine("show").assertGood();
        assertTrue(shown.out().contains("localApic") && shown.out().contains("PARAMETER"), shown.out());
        assertNotEquals(0, list().size());
    }

    private Result engine(String... arguments) throws Exception {
        return program.multivisor(
                "", Stream.concat(Stream.of("engine"), Stream.of(arguments)).toList());
    }

    private JsonNode list() throws Exception {
        return JsonMapper.shared()
                .readTree(engine("list", "--format", "json").assertGood().out());
    }

    /** An engine's row in the list; nothing if it is not in there. */
    private JsonNode row(String version) throws Exception {
        for (JsonNode engine : list()) {
            if (engine.path("version").asString().equals(version)) {
                return engine;
            }
        }
        return JsonMapper.shared().missingNode();
    }

    private List<String> installed() throws IOException {
        if (!Files.isDirectory(program.engines())) {
            return List.of();
        }
        try (Stream<Path> files = Files.list(program.engines())) {
            return files.map(file -> file.getFileName().toString())
                    .filter(name -> !name.equals("lock"))
                    .sorted()
                    .toList();
        }
    }

    private static String library(String start) throws IOException {
        try (Stream<Path> files = Files.list(Path.of(System.getProperty("multivisor.home"), "lib"))) {
            return files.map(file -> file.getFileName().toString())
                    .filter(name -> name.startsWith(start))
                    .findFirst()
                    .orElseThrow();
        }
    }
}
