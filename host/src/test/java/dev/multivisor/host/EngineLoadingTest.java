package dev.multivisor.host;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.multivisor.api.Engine;
import dev.multivisor.api.EngineInfo;
import dev.multivisor.host.FakeEngine.Recipe;
import java.io.IOException;
import java.lang.ref.WeakReference;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EngineLoadingTest {
    @TempDir
    Path folder;

    @Test
    void loadsTwoVersionsSideBySide() throws Exception {
        LoadedEngine one = load(Recipe.good("1.0"));
        LoadedEngine two = load(Recipe.good("2.0"));
        assertEquals("1.0", one.info().version());
        assertEquals("2.0", two.info().version());
        assertNotEquals(
                one.engine().getClass().getClassLoader(),
                two.engine().getClass().getClassLoader());
    }

    @Test
    void isCollectedAfterItsLastMachine() throws Exception {
        LoadedEngine engine = load(Recipe.good("1.0"));
        VirtualMachine machine =
                VirtualMachine.create(engine, VirtualMachineTest.settings(2, Map.of()), VirtualMachineTest.boot());
        WeakReference<ClassLoader> loader =
                new WeakReference<>(engine.engine().getClass().getClassLoader());
        machine.start();
        engine.close();
        assertThrows(HostException.class, engine::retain);
        collect();
        assertNotNull(loader.get());
        machine.close();
        assertTrue(machine.threadsGone(java.time.Duration.ofSeconds(10)));
        machine = null;
        for (int n = 0; n < 50 && loader.get() != null; n++) {
            collect();
        }
        assertEquals(null, loader.get());
    }

    @Test
    void namesWhatIsWrongWithAJar() throws Exception {
        Path absent = folder.resolve("absent.jar");
        assertProblem(absent, "there is no such file");
        Path text = Files.writeString(folder.resolve("text.jar"), "no JAR at all");
        assertProblem(text, "is no JAR, or a damaged one");
        Path plain = Files.write(folder.resolve("plain.jar"), FakeEngine.plainJar());
        assertProblem(plain, "is no engine");
        assertProblem(build(new Recipe("1.0", "2", "1.0", true, true)), "was built for contract 2");
        assertProblem(build(new Recipe("1.0", "x", "1.0", true, true)), "\"x\" is no number");
        assertProblem(build(new Recipe("one", "1", "one", true, true)), "\"one\" is no version");
        assertProblem(build(new Recipe("1.0", "1", "3.0", true, true)), "calls itself version 3.0");
        assertProblem(build(new Recipe("1.0", "1", "1.0", false, true)), "provides no service");
        assertProblem(build(new Recipe("1.0", "1", "1.0", true, false)), "Module library not found");
    }

    @Test
    void refusesAJarThatIsCutOrCorrupt() throws Exception {
        byte[] good = Files.readAllBytes(build(Recipe.good("1.0")));
        for (int size = 0; size < good.length; size += 97) {
            Path cut = Files.write(folder.resolve("cut.jar"), java.util.Arrays.copyOf(good, size));
            assertProblem(cut, "");
        }
        byte[] corrupt = good.clone();
        for (int n = 0; n < 40; n++) {
            corrupt[good.length / 3 + n] ^= 0x55;
        }
        assertProblem(Files.write(folder.resolve("corrupt.jar"), corrupt), "");
    }

    @Test
    void cataloguesFoldersAndChoosesTheNewest() throws Exception {
        Path engines = Files.createDirectories(folder.resolve("engines"));
        for (String version : List.of("0.9", "0.10", "0.10-beta")) {
            Files.copy(build(Recipe.good(version)), engines.resolve(version + ".jar"));
        }
        Files.writeString(engines.resolve("bad.jar"), "");
        EngineCatalog catalog = EngineCatalog.of(List.of(engines, folder.resolve("absent")));
        assertEquals(
                List.of("0.9", "0.10-beta", "0.10"),
                catalog.engines().stream().map(EngineJar::version).toList());
        assertEquals(1, catalog.problems().size());
        assertEquals("0.10", catalog.newest().version());
        assertEquals("0.9", catalog.version("0.9").version());
        String message =
                assertThrows(HostException.class, () -> catalog.version("7")).getMessage();
        assertTrue(message.contains("there is 0.9, 0.10-beta, 0.10"), message);
        assertThrows(HostException.class, () -> EngineCatalog.of(List.of()).newest());
    }

    @Test
    void remembersWhatAnEngineSaidOfItself() throws Exception {
        Path cache = folder.resolve("cache");
        EngineJar jar = EngineJar.read(build(Recipe.good("1.0")));
        EngineInfo told;
        try (LoadedEngine engine = LoadedEngine.load(jar, cache)) {
            told = engine.info();
        }
        assertEquals(told, jar.info(cache));
        assertEquals(told, jar.info(cache), "from the note");
        Path note;
        try (Stream<Path> files = Files.list(cache)) {
            note = files.filter(file -> file.getFileName().toString().startsWith("info-"))
                    .findFirst()
                    .orElseThrow();
        }
        byte[] good = Files.readAllBytes(note);
        for (int size = 0; size < good.length; size++) {
            Files.write(note, java.util.Arrays.copyOf(good, size));
            assertEquals(told, jar.info(cache), "cut to " + size);
        }
        assertArrayEquals(good, Files.readAllBytes(note));
        Files.write(jar.path(), Files.readAllBytes(build(Recipe.good("2.0"))));
        assertEquals("2.0", EngineJar.read(jar.path()).info(cache).version(), "another content");
    }

    private LoadedEngine load(Recipe recipe) throws IOException {
        return LoadedEngine.load(EngineJar.read(build(recipe)), folder.resolve("cache"));
    }

    private Path build(Recipe recipe) throws IOException {
        return FakeEngine.build(folder, recipe);
    }

    private void assertProblem(Path jar, String problem) {
        HostException e = assertThrows(
                HostException.class, () -> LoadedEngine.load(EngineJar.read(jar), folder.resolve("cache")));
        assertTrue(e.getMessage().contains(problem), e.getMessage());
        assertTrue(e.getMessage().startsWith("engine " + jar), e.getMessage());
        assertEquals(1, e.getMessage().lines().count(), e.getMessage());
    }

    private static void collect() throws InterruptedException {
        System.gc();
        Thread.sleep(20);
    }

    @Test
    void contractVersionIsTheOneInTheManifests() {
        assertEquals(1, Engine.CONTRACT);
    }
}
