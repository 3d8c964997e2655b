package dev.multivisor.engine.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.multivisor.engine.jit.RegionCompiler;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Random;
import org.junit.jupiter.api.Test;

/**
 * Random programs, compiled and interpreted, stopped at the same instructions: everything must be the same. {@code
 * -Dmultivisor.test.programs} sets how many, {@code -Dmultivisor.test.seed} which.
 */
class CompiledProgramsTest {
    private static final int PROGRAMS = Integer.getInteger("multivisor.test.programs", 300);
    private static final long SEED = Long.getLong("multivisor.test.seed", 1);
    private static final int STOPS = 6, BRANCHES = 200;
    private static final long MISSING = 0x800000;

    @Test
    void compiledProgramsDoWhatInterpretedOnesDo() {
        long compiled = 0;
        for (int n = 0; n < PROGRAMS; n++) {
            long seed = SEED * 1_000_003 + n;
            compiled += compare(seed, n % 2 == 0 ? 0 : 3);
        }
        assertTrue(compiled > PROGRAMS * 100L, "instructions in compiled code: " + compiled);
    }

    private static long compare(long seed, int threshold) {
        byte[] program = RandomProgram.of(seed);
        TestCpu interpreted = guest(program, CodeCompiler.NONE, seed);
        TestCpu compiled = guest(program, RegionCompiler.immediate(threshold), seed);
        Random random = new Random(seed);
        for (int stop = 0; stop < STOPS && !interpreted.cpu.halted; stop++) {
            long instructions = 1 + random.nextInt(1500);
            run(interpreted, instructions);
            run(compiled, instructions);
            assertEquals(
                    state(interpreted),
                    state(compiled),
                    () -> "seed " + seed + ", threshold " + threshold + ": "
                            + HexFormat.of().formatHex(program));
        }
        return compiled.cpu.counters.compiledInstructions;
    }

    private static TestCpu guest(byte[] program, CodeCompiler compiler, long seed) {
        TestCpu guest = new TestCpu(compiler).program(program);
        guest.present(MISSING, false);
        Random random = new Random(~seed);
        for (int n = 0; n < 16; n++) {
            if (n != Cpu.RSP) {
                guest.cpu.r[n] = random.nextLong();
            }
        }
        for (int n = 0; n < 8; n++) {
            guest.cpu.xmm[n] = Double.doubleToRawLongBits(random.nextInt(1000) * 0.37);
        }
        guest.cpu.r[Cpu.RBX] = TestCpu.DATA;
        guest.cpu.r[14] = MISSING;
        guest.cpu.r[15] = BRANCHES;
        return guest;
    }

    /** Runs so many instructions, or until it halts. */
    private static void run(TestCpu guest, long instructions) {
        long end = guest.cpu.instructions + instructions;
        while (guest.cpu.instructions < end && !guest.cpu.halted) {
            guest.cpu.clearAttention();
            guest.interpreter.runExactly(end - guest.cpu.instructions);
        }
    }

    private static String state(TestCpu guest) {
        Cpu cpu = guest.cpu;
        StringBuilder state = new StringBuilder();
        for (int n = 0; n < 16; n++) {
            state.append("r")
                    .append(n)
                    .append('=')
                    .append(Long.toHexString(cpu.r[n]))
                    .append(' ');
        }
        long memory = 0;
        for (int n = 0; n < 256; n++) {
            memory = memory * 31 + guest.memory.load(TestCpu.DATA + n, 1);
        }
        return state + "rip=" + Long.toHexString(cpu.r[Cpu.RIP]) + " flags=" + Long.toHexString(cpu.flags())
                + " instructions=" + cpu.instructions + " halted=" + cpu.halted + " cr2=" + Long.toHexString(cpu.cr2)
                + " mxcsr=" + Integer.toHexString(cpu.mxcsr) + " memory=" + Long.toHexString(memory) + " xmm="
                + Arrays.toString(Arrays.copyOf(cpu.xmm, 32));
    }
}
