package dev.multivisor.engine.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.multivisor.engine.cpu.sse.SomeNumbers;
import dev.multivisor.engine.jit.RegionCompiler;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Packed floating-point instructions in compiled code leave the registers, MXCSR and memory that the interpreter leaves. */
class PackedFloatsTest {
    private static final int ROUNDS = 4000;

    private final Random random = new Random(17);
    private final SomeNumbers numbers = new SomeNumbers(random);

    @ParameterizedTest
    @ValueSource(
            strings = {
                "cmppd $%d,",
                "minpd",
                "maxpd",
                "cvtdq2pd",
                "cvtpd2dq",
                "cvttpd2dq",
                "cvtpd2ps",
                "haddpd",
                "hsubpd",
                "addsubpd"
            })
    void doubles(String instruction) {
        compare(instruction, false);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "cmpps $%d,",
                "minps",
                "maxps",
                "cvtdq2ps",
                "cvtps2dq",
                "cvttps2dq",
                "cvtps2pd",
                "haddps",
                "hsubps",
                "addsubps"
            })
    void singles(String instruction) {
        compare(instruction, true);
    }

    /** With a register, the same register, and memory. */
    private void compare(String instruction, boolean singles) {
        for (int n = 0; n < 8; n++) {
            String name = instruction.formatted(n);
            byte[] program = TestCpu.assemble(
                    name + " %xmm1, %xmm0\n" + name + " %xmm2, %xmm2\n" + name + " (%rbx), %xmm3\nhlt");
            run(name, program, singles);
            if (name.equals(instruction)) {
                return;
            }
        }
    }

    private void run(String name, byte[] program, boolean singles) {
        TestCpu interpreted = guest(CodeCompiler.NONE, program);
        TestCpu compiled = guest(RegionCompiler.immediate(0), program);
        for (int n = 0; n < ROUNDS; n++) {
            int mxcsr = random.nextBoolean() ? 0x1f80 | random.nextInt(2) << 5 : random.nextInt(1 << 16);
            // Else one element of many would nearly always be one for the interpreter.
            boolean ordinary = random.nextBoolean();
            long[] values =
                    random.longs(10).map(any -> value(singles, ordinary)).toArray();
            String what = name + " of " + HexFormat.of().toHexDigits(mxcsr) + " " + Arrays.toString(values);
            assertEquals(run(interpreted, mxcsr, values), run(compiled, mxcsr, values), what);
        }
        long done = compiled.cpu.counters.compiledInstructions;
        assertTrue(done > ROUNDS / 4, () -> name + ": " + done + " in compiled code");
    }

    private long value(boolean singles, boolean ordinary) {
        if (ordinary) {
            int number = random.nextInt(1000) - 500;
            return singles
                    ? (long) Float.floatToRawIntBits(number) << 32
                            | Float.floatToRawIntBits(number * 0.25f) & 0xffffffffL
                    : Double.doubleToRawLongBits(number * 0.5);
        }
        return singles ? (long) numbers.someSingle() << 32 | numbers.someSingle() & 0xffffffffL : numbers.someDouble();
    }

    private static TestCpu guest(CodeCompiler compiler, byte[] program) {
        TestCpu guest = new TestCpu(compiler).program(program);
        guest.cpu.cr4 |= Cpu.CR4_OSXMMEXCPT;
        guest.cpu.r[Cpu.RBX] = TestCpu.DATA;
        return guest;
    }

    private static String run(TestCpu guest, int mxcsr, long[] values) {
        Cpu cpu = guest.cpu;
        System.arraycopy(values, 0, cpu.xmm, 0, 8);
        guest.memory.store(TestCpu.DATA, 8, values[8]);
        guest.memory.store(TestCpu.DATA + 8, 8, values[9]);
        cpu.mxcsr = mxcsr;
        cpu.r[Cpu.RIP] = TestCpu.CODE;
        cpu.r[Cpu.RSP] = TestCpu.STACK;
        guest.run();
        return Arrays.toString(Arrays.copyOf(cpu.xmm, 8)) + " MXCSR " + Integer.toHexString(cpu.mxcsr) + " vector "
                + guest.vector() + " RIP " + Long.toHexString(cpu.r[Cpu.RIP]);
    }
}
