package dev.multivisor.engine.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.multivisor.engine.isa.Instruction;
import org.junit.jupiter.api.Test;

/** When compiled code is executed, by how long it takes. */
class TrialTest {
    private static final int MANY = 1_000_000;

    /** Compiled code that counts its calls. */
    private static final class Calls extends CompiledCode {
        private int calls;

        Calls() {
            super(new Instruction[0], 0, 0);
        }

        @Override
        public int run(Cpu cpu, long start, int budget) {
            assertEquals(0, budget);
            calls++;
            return LEFT;
        }
    }

    private final Cpu cpu = new TestCpu().cpu;
    private final Calls code = new Calls();
    private long now = 1_000_000;
    private final Trial trial = new Trial(() -> now);

    /** Has the interpreter execute the entry, with nine instructions more, so many times. */
    private void interpret(int times, long nanosEach) {
        now += times * nanosEach;
        cpu.instructions += 10L * times;
    }

    /** Lets it take a time for each instruction until it decides; how long it is not to be executed then. */
    private int decide(double nanos) {
        while (true) {
            assertTrue(trial.timed(1));
            long budget = trial.budget(20_000);
            now += (long) (budget * nanos);
            cpu.instructions += budget;
            int pause = trial.ran(cpu, code, budget, (long) (budget * nanos));
            if (pause != 0 || !trial.timed(1)) {
                return pause;
            }
        }
    }

    @Test
    void quickCodeIsExecuted() {
        assertEquals(0, decide(3));
        assertEquals(MANY, trial.budget(MANY));
        assertEquals(0, code.calls);
    }

    @Test
    void slowCodeIsLeftToTheInterpreterEverLonger() {
        int pause = decide(1000);
        assertTrue(code.calls > 0, "HotSpot is not asked to compile it");
        int calls = code.calls;
        while (pause < 500_000) {
            interpret(pause, 20);
            int next = decide(2000);
            assertTrue(next > pause, pause + ", then " + next);
            pause = next;
        }
        interpret(pause, 20);
        assertEquals(500_000, decide(2000));
        assertEquals(calls, code.calls);
    }

    /** HotSpot has compiled it meanwhile, however seldom it is executed. */
    @Test
    void whatIsSeldomExecutedIsTriedAgainAsSoon() {
        int pause = decide(1000);
        for (int n = 0; n < 20; n++) {
            assertTrue(pause * 60_000L < 600_000_000, pause + " executions");
            interpret(pause, 60_000);
            pause = decide(20_000);
        }
        assertTrue(pause * 60_000L > 400_000_000, pause + " executions");
    }

    /** An interrupt, or a handover, must not wait for all the calls that HotSpot is to see. */
    @Test
    void whatWantsAttentionGoesBeforeTraining() {
        cpu.attention = 1;
        while (code.calls == 0) {
            long budget = trial.budget(20_000);
            assertEquals(0, trial.ran(cpu, code, budget, budget * 1000));
        }
        assertEquals(1, code.calls);
        cpu.attention = 0;
        assertTrue(trial.ran(cpu, code, 1, 1000) > 0);
        assertTrue(code.calls > 100, code.calls + " calls");
    }

    @Test
    void codeThatBecameQuickIsExecuted() {
        decide(1000);
        assertEquals(0, decide(3));
        assertFalse(trial.timed(1));
    }

    @Test
    void codeThatIsQuickerThanTheInterpreterIsExecuted() {
        decide(1000);
        interpret(1000, 200);
        assertEquals(0, decide(15), "the interpreter takes 20 ns an instruction");
        assertFalse(trial.timed(1));
    }

    @Test
    void codeInUseIsTimedOnceInAWhileAndTriedAgainWhenItIsSlow() {
        decide(3);
        assertTrue(trial.timed(4096));
        trial.ran(cpu, code, MANY, 3L * MANY);
        assertFalse(trial.timed(4097));
        assertTrue(trial.timed(8192));
        // Once may be the host's doing.
        trial.ran(cpu, code, MANY, 100L * MANY);
        trial.ran(cpu, code, MANY, 3L * MANY);
        assertFalse(trial.timed(8193));
        assertTrue(trial.timed(12_288));
        for (int n = 0; n < 3; n++) {
            assertEquals(MANY, trial.budget(MANY));
            trial.ran(cpu, code, MANY, 100L * MANY);
        }
        assertTrue(trial.budget(MANY) < MANY, "it is still in use");
        assertTrue(decide(1000) > 0);
    }
}
