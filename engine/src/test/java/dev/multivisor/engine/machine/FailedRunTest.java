package dev.multivisor.engine.machine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.multivisor.api.Console;
import dev.multivisor.api.EngineException;
import dev.multivisor.api.Exit;
import dev.multivisor.api.MachineSpec;
import dev.multivisor.api.Resources;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;

/** An engine that fails in a handler can still be left, unless something may be half done. */
class FailedRunTest {
    private static final MachineSpec SPEC = new MachineSpec(1, "x86-64-v2", Map.of("time", "instructions"));

    /** {@code mov $'A', %al; out %al, $0xe9; xor %ebx, %ebx; inc %ebx; mov $'B', %al; out %al, $0xe9; mov %bl, %al; out %al, $0xf4}. */
    private static final int[] CODE = {
        0xb0, 'A', 0xe6, 0xe9, 0x31, 0xdb, 0x43, 0xb0, 'B', 0xe6, 0xe9, 0x88, 0xd8, 0xe6, 0xf4
    };

    private static final Exit END = new Exit(Exit.Reason.DEBUG_EXIT, 3, "");

    /** A debug console whose device fails at a letter. */
    private record Trap(TestResources.Recorder console, char letter, Supplier<Throwable> failure) implements Console {
        @Override
        public void write(byte value) {
            if (value == letter) {
                throw FailedRunTest.<RuntimeException>unchecked(failure.get());
            }
            console.write(value);
        }

        @Override
        public int read() {
            return -1;
        }

        @Override
        public void onInput(Runnable listener) {}
    }

    @SuppressWarnings("unchecked") // throws what it is given
    private static <T extends Throwable> T unchecked(Throwable failure) throws T {
        throw (T) failure;
    }

    private static Resources failing(TestResources lent, char letter, Supplier<Throwable> failure) {
        Resources r = lent.resources;
        return new Resources(
                r.memory(), r.clock(), r.serial(), new Trap(lent.debug, letter, failure), r.disks(), r.networks());
    }

    @Test
    void theGuestGoesOnElsewhere() {
        for (char letter : new char[] {'A', 'B'}) {
            try (var lent = new TestResources(TinyKernel.MEMORY)) {
                Resources failing = failing(lent, letter, () -> new IllegalStateException("broken"));
                var machine = SoftMachine.create("test", SPEC, TinyKernel.boot(CODE), failing);
                assertThrows(IllegalStateException.class, machine.cpus().getFirst()::run);
                byte[] state = machine.save(SoftMachine.stateFormat());
                machine.close();
                var rescued = SoftMachine.restore("test", SPEC, state, lent.resources);
                assertEquals(END, rescued.cpus().getFirst().run());
                assertEquals("AB", lent.debug.text());
                assertEquals(8, rescued.cpus().getFirst().instructions(), "none lost or done twice");
            }
        }
    }

    /** What went wrong need not have been in the instruction. */
    @Test
    void errorsLeaveNoState() {
        for (Error error : List.of(new StackOverflowError(), new OutOfMemoryError("Java heap\nspace"))) {
            try (var lent = new TestResources(TinyKernel.MEMORY)) {
                var machine = SoftMachine.create("test", SPEC, TinyKernel.boot(CODE), failing(lent, 'B', () -> error));
                assertThrows(error.getClass(), machine.cpus().getFirst()::run);
                EngineException e = assertThrows(EngineException.class, () -> machine.save(SoftMachine.stateFormat()));
                assertTrue(
                        e.getMessage().startsWith("vCPU 0: failed in the middle of an instruction (java.lang.")
                                && e.getMessage().indexOf('\n') < 0,
                        e.getMessage());
                machine.close();
            }
        }
    }
}
