package dev.multivisor.engine.machine;

import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.multivisor.api.Exit;
import dev.multivisor.api.VirtualCpu;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;
import tools.jackson.dataformat.cbor.CBORMapper;

/**
 * Whatever a guest executes, with whatever in its registers, in each mode: it gets what the manual says or anything else, but
 * the engine never fails. {@code -Dmultivisor.test.programs=N} sets how many, {@code -Dmultivisor.test.seed=N} which.
 */
class RandomCodeTest {
    private static final Map<String, String> COUNTED = Map.of("time", "instructions");
    private static final int PROGRAMS = Integer.getInteger("multivisor.test.programs", 600);
    private static final long SEED = Long.getLong("multivisor.test.seed", 1);
    private static final CBORMapper MAPPER = CBORMapper.builder().build();
    private static final int CODE = 48;
    private static final int RUN = 150;

    @TempDir
    Path folder;

    private final ScheduledExecutorService kicks = Executors.newSingleThreadScheduledExecutor();
    private volatile VirtualCpu running;

    @AfterEach
    void stop() {
        kicks.shutdownNow();
    }

    /** Ends repetitions that would take hours. */
    private void kick() {
        VirtualCpu cpu = running;
        if (cpu != null) {
            cpu.kick();
        }
    }

    /** Guests that are in 64-bit, 32-bit with and without paging, compatibility, virtual-8086 and real mode at some instruction. */
    @ParameterizedTest
    @CsvSource({"paging, 3500", "privilege, 3700", "paging32, 1150", "segments, 1000", "vm86, 1010", "realmode, 850"})
    void theEngineStands(String name, long point) throws IOException, InterruptedException {
        assumeTrue(SystemGuest.buildable(), "no binutils on this host");
        SystemGuest guest = SystemGuest.named(name);
        Path kernel = guest.build(folder);
        try (var lent = new TestResources(SystemGuest.MEMORY);
                var machine = guest.create(kernel, COUNTED, lent.resources)) {
            ((Vcpu) machine.cpus().getFirst()).runFor(point);
            byte[] state = machine.save(SoftMachine.stateFormat());
            byte[] low = lent.memory.asSlice(0, 2 << 20).toArray(ValueLayout.JAVA_BYTE);
            ObjectNode tree = (ObjectNode) MAPPER.readTree(Arrays.copyOfRange(state, 20, state.length));
            SplittableRandom random = new SplittableRandom(SEED);
            kicks.scheduleAtFixedRate(this::kick, 1, 1, TimeUnit.SECONDS);
            for (int n = 0; n < PROGRAMS; n++) {
                MemorySegment.copy(low, 0, lent.memory, ValueLayout.JAVA_BYTE, 0, low.length);
                run(guest, lent, tree, random, name + ", seed " + SEED + ", program " + n);
            }
        }
    }

    private void run(SystemGuest guest, TestResources lent, ObjectNode tree, SplittableRandom random, String what) {
        ObjectNode cpu = (ObjectNode) tree.at("/sections/cpu.0/data");
        ArrayNode registers = (ArrayNode) cpu.at("/general/registers");
        for (int r = 0; r < 16; r++) {
            if (r != 4) {
                registers.set(r, MAPPER.getNodeFactory().numberNode(value(random)));
            }
        }
        long rip = cpu.at("/general/rip").asLong() + cpu.at("/segments/base/1").asLong();
        byte[] code = code(random);
        MemorySegment.copy(code, 0, lent.memory, ValueLayout.JAVA_BYTE, rip, code.length);
        byte[] state = StateContainerTest.framed(MAPPER.writeValueAsBytes(tree));
        String program = what + ": " + HexFormat.of().formatHex(code);
        try (var machine = SoftMachine.restore("test", guest.spec(COUNTED), state, lent.resources)) {
            running = machine.cpus().getFirst();
            Exit exit = ((Vcpu) machine.cpus().getFirst()).runFor(RUN);
            assertNotEquals(Exit.Reason.FAILED, exit.reason(), program);
            machine.save(SoftMachine.stateFormat());
        } catch (RuntimeException | Error e) {
            fail(program, e);
        }
    }

    private static long value(SplittableRandom random) {
        return switch (random.nextInt(6)) {
            case 0 -> random.nextInt(256);
            case 1 -> random.nextInt(1 << 22);
            case 2 -> 0x100000 + random.nextInt(0x20000);
            case 3 -> 0xfee00000L + random.nextInt(0x1000);
            case 4 -> (1L << random.nextInt(64)) - random.nextInt(3);
            default -> random.nextLong();
        };
    }

    /** Random bytes, more of them prefixes and two-byte opcodes than chance would give. */
    private static byte[] code(SplittableRandom random) {
        byte[] code = new byte[CODE];
        random.nextBytes(code);
        for (int n = 0; n < CODE - 3; n += 1 + random.nextInt(6)) {
            switch (random.nextInt(8)) {
                case 0 -> code[n] = 0x0f;
                case 1 -> code[n] = 0x66;
                case 2 -> code[n] = (byte) (0x40 + random.nextInt(16));
                case 3 -> code[n] = (byte) (0xf2 + random.nextInt(2));
                case 4 -> {
                    code[n] = 0x0f;
                    code[n + 1] = random.nextBoolean() ? 0x01 : (byte) (0x20 + random.nextInt(4));
                }
                case 5 -> code[n] = (byte) (0x8c + random.nextInt(4));
                case 6 -> {
                    code[n] = 0x66;
                    code[n + 1] = 0x0f;
                }
                default -> code[n] = (byte) (0xd8 + random.nextInt(8));
            }
        }
        return code;
    }
}
