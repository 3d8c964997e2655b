package dev.multivisor.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.multivisor.host.EngineCatalog;
import dev.multivisor.host.EngineJar;
import dev.multivisor.host.EnginePool;
import dev.multivisor.host.HandoverReport;
import dev.multivisor.host.HostException;
import dev.multivisor.host.UpgradeRequest;
import dev.multivisor.host.VirtualMachine;
import dev.multivisor.shadow.ShadowTable;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The shadow of a page table equals the guest's, which two processors change at random, wherever the guest is. */
@Timeout(300)
class ShadowTest {
    private static final long ROOT = 0x200000, ROUNDS = 0x1ff000;
    private static final int LEVELS = 3;
    private static final int LOOKS = Integer.getInteger("it.looks", 150);
    private static final int MOST_LOOKS = 20 * LOOKS;
    private static final UpgradeRequest PLAIN =
            new UpgradeRequest(Map.of(), Duration.ofSeconds(5), Duration.ZERO, Duration.ZERO);
    private static final EngineCatalog ENGINES =
            EngineCatalog.of(List.of(Path.of(System.getProperty("multivisor.engines"))));

    @TempDir
    Path folder;

    private final EnginePool pool = new EnginePool();
    private EnginePool.Lease one;
    private EnginePool.Lease other;

    @BeforeEach
    void load() throws Exception {
        Path copy = Files.copy(ENGINES.newest().path(), folder.resolve("engine.jar"));
        one = pool.lease(ENGINES.newest());
        other = pool.lease(EngineJar.read(copy));
    }

    @AfterEach
    void unload() {
        one.close();
        other.close();
    }

    @Test
    void theShadowEqualsTheGuestsTable() throws Exception {
        try (VirtualMachine machine = Storm.machine(one.engine(), 2, Guests.gtt())) {
            machine.start();
            // It begins in the middle of things.
            while (rounds(machine, 1) < 1000) {
                Thread.sleep(1);
            }
            Random random = new Random(1);
            long most = 0;
            long tables = 0;
            int moves = 0;
            try (ShadowTable shadow = ShadowTable.of(machine.pages(), ROOT, LEVELS)) {
                // The guest's tables grow and shrink by chance: until large ones were seen too.
                for (int n = 0; n < LOOKS || n < MOST_LOOKS && !(tables > 16 && most > 20); n++) {
                    Thread.sleep(0, random.nextInt(1_000_000));
                    Thread.sleep(random.nextInt(10));
                    if (n % 3 == 2) {
                        HandoverReport report =
                                machine.upgrade(moves++ % 2 == 0 ? other.engine() : one.engine(), PLAIN);
                        assertTrue(report.committed(), report::toString);
                    }
                    machine.pause();
                    Map<Long, Long> walked = new TreeMap<>();
                    Set<List<Long>> reached = new HashSet<>();
                    walk(machine, ROOT, LEVELS, 0, walked, reached);
                    Map<Long, Long> mappings = shadow.mappings();
                    assertEquals(walked, mappings, "look " + n + " after " + shadow.changes() + " changes");
                    assertEquals(reached.size(), shadow.tables(), "tables that the device can reach, look " + n);
                    for (Map.Entry<Long, Long> entry : mappings.entrySet()) {
                        assertEquals(Optional.of(entry.getValue()), shadow.translate(entry.getKey()));
                    }
                    most = Math.max(most, mappings.size());
                    tables = Math.max(tables, shadow.tables());
                    machine.resume();
                }
                long changes = shadow.changes();
                System.out.println(moves + " moves, " + changes + " entries changed, up to "
                        + tables + " tables and " + most + " pages; rounds " + rounds(machine, 0) + ", "
                        + rounds(machine, 1));
                assertTrue(changes > 10L * LOOKS, "changes: " + changes);
                assertTrue(tables > 16 && most > 20, tables + " tables, " + most + " pages");
            }
        }
    }

    private static long rounds(VirtualMachine machine, int cpu) {
        byte[] bytes = new byte[4];
        machine.pages().read(ROUNDS + 8L * cpu, bytes);
        return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getInt() & 0xffffffffL;
    }

    /** What the device would find if it looked at the guest's own table, and the tables that it would look at. */
    private static void walk(
            VirtualMachine machine, long table, int level, long page, Map<Long, Long> all, Set<List<Long>> tables) {
        byte[] bytes = new byte[4096];
        try {
            machine.pages().read(table, bytes);
        } catch (HostException e) {
            return;
        }
        tables.add(List.of(table, (long) level));
        ByteBuffer entries = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        for (int n = 0; n < ShadowTable.ENTRIES; n++) {
            long entry = entries.getLong(n * 8);
            long address = entry & 0x000f_ffff_ffff_f000L;
            if ((entry & 1) != 0) {
                if (level == 1) {
                    all.put(page << 9 | n, address);
                } else {
                    walk(machine, address, level - 1, page << 9 | n, all, tables);
                }
            }
        }
    }

    @Test
    void whatWasInAMachineIsGoneWithIt() throws Exception {
        VirtualMachine machine = Storm.machine(one.engine(), 1, Guests.gtt());
        machine.pages().write(ROOT, new byte[] {1, 0, 0x21});
        machine.pages().write(ROOT + 0x10000, new byte[] {1, 0, 0x22});
        machine.pages().write(ROOT + 0x20000, new byte[] {1, 0, 0x23});
        ShadowTable shadow = ShadowTable.of(machine.pages(), ROOT, LEVELS);
        assertEquals(Map.of(0L, 0x230000L), shadow.mappings());
        assertEquals(LEVELS, shadow.tables());
        machine.close();
        assertEquals(Map.of(), shadow.mappings());
        assertEquals(Optional.empty(), shadow.translate(0));
        assertEquals(0, shadow.tables());
        shadow.close();
    }

    @Test
    void whatCannotBeShadowedIsNamed() throws Exception {
        try (VirtualMachine machine = Storm.machine(one.engine(), 1, Guests.gtt())) {
            assertEquals(
                    "page table at 0x40000000: there is no memory",
                    assertThrows(HostException.class, () -> ShadowTable.of(machine.pages(), 1 << 30, 3))
                            .getMessage());
            for (int levels : new int[] {0, 5}) {
                assertThrows(IllegalArgumentException.class, () -> ShadowTable.of(machine.pages(), ROOT, levels));
            }
            assertThrows(IllegalArgumentException.class, () -> ShadowTable.of(machine.pages(), ROOT + 8, 3));
        }
    }
}
