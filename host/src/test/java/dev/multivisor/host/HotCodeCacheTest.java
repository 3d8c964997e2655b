package dev.multivisor.host;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import dev.multivisor.api.Boot;
import dev.multivisor.host.FakeEngine.Recipe;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class HotCodeCacheTest {
    private static final Boot KERNEL = boot(1), OTHER = boot(2);

    @TempDir
    Path folder;

    private Path kept;
    private HotCodeCache cache;

    @BeforeEach
    void open() {
        kept = folder.resolve("hot-code");
        cache = new HotCodeCache(kept);
    }

    @Test
    void whatOneMachineSaidTheNextOneWithTheSameKernelIsTold() throws Exception {
        LoadedEngine engine = load("1.0");
        run(engine, KERNEL, "hot", true);
        assertEquals("", run(load("1.1"), OTHER, "hot", false));
        assertEquals("1.0 0", run(load("1.2"), KERNEL, "hot", false));
        assertEquals(1, files().size());
    }

    @Test
    void anEngineThatTellsNothingLeavesWhatThereIs() throws Exception {
        run(load("1.0"), KERNEL, "hot", true);
        byte[] before = Files.readAllBytes(files().getFirst());
        run(load("1.1"), KERNEL, "idle", true);
        assertArrayEquals(before, Files.readAllBytes(files().getFirst()));
    }

    @Test
    void anEngineThatFailsAtItMakesTheMachineAllTheSame() throws Exception {
        run(load("1.0"), KERNEL, "hot", true);
        assertEquals("", run(load("2-prepare-throws"), KERNEL, "hot", false));
        assertEquals("", run(load("2-prepare-refuses"), KERNEL, "hot", false));
        run(load("1-tell-throws"), OTHER, "hot", true);
        assertEquals(1, files().size());
    }

    @Test
    void whatNobodyHasUsedForLongIsRemoved() throws Exception {
        run(load("1.0"), KERNEL, "hot", true);
        Path old = files().getFirst();
        Files.setLastModifiedTime(old, FileTime.from(Instant.now().minus(Duration.ofDays(31))));
        run(load("1.1"), OTHER, "hot", true);
        assertFalse(Files.exists(old));
        assertEquals(1, files().size());
    }

    /** What the engine was told before it made the machine. */
    private String run(LoadedEngine engine, Boot boot, String mode, boolean keep) throws Exception {
        HotCodeCache.Entry entry = cache.of(boot);
        VirtualMachine.Settings settings = VirtualMachineTest.settings(1, Map.of("mode", mode));
        try (VirtualMachine machine =
                VirtualMachine.create(engine, settings, boot, memory -> entry.ready(engine, settings.spec(), memory))) {
            if (keep) {
                entry.keep(machine.home().machine());
            }
            return machine.home().machine().explain(OptionalLong.empty()).orElseThrow();
        }
    }

    private List<Path> files() throws Exception {
        try (Stream<Path> all = Files.list(kept)) {
            return all.toList();
        }
    }

    private LoadedEngine load(String version) throws Exception {
        Path jar = FakeEngine.build(folder, Recipe.good(version));
        return LoadedEngine.load(EngineJar.read(jar), folder.resolve("cache"));
    }

    private static Boot boot(int content) {
        byte[] kernel = new byte[3 << 20];
        kernel[kernel.length - 1] = (byte) content;
        return new Boot(new Boot.Image("kernel", MemorySegment.ofArray(kernel)), List.of(), "");
    }
}
