package dev.multivisor.engine.cpu;

import java.util.function.LongSupplier;

/**
 * Whether a region's compiled code is worth executing. HotSpot first runs it more slowly than the interpreter would the
 * guest's instructions, compiles it well only after it has seen what it does, and may take it back at a way that it had not
 * seen. So new code is executed for a while, and from then on for a moment from time to time until it is quick; code in use
 * is timed once in a while. Times are per guest instruction.
 */
final class Trial {
    /** Instructions that HotSpot gets to see, and that are timed at once. */
    private static final int TRAINING = 200_000, PROBE = 3_000;

    /** Calls after which HotSpot compiles a method well: with loops in it, and without. */
    private static final int LOOPING_CALLS = 900, CALLS = 6_000;

    /** Fewer calls than this in training are those of a method with loops. */
    private static final int LOOPING = 300;

    /** How long the entry is interpreted between two probes, in nanoseconds: at first, and at most. */
    private static final long SHORTEST = 10_000_000, LONGEST = 500_000_000;

    /** How often it is executed then, at least and at most. */
    private static final int FEWEST = 100, MOST = 500_000;

    /** Entries between two looks at code in use, and calls that such a look takes at most: to read the clock takes time too. */
    private static final int LOOK = 4095, LOOKED = 32;

    /** Nanoseconds an instruction that are quick by themselves: the interpreter takes longer. */
    private static final double QUICK = 6;

    /** Nanoseconds of a call that are: the interpreter's loop is entered for a block that is not executed here, and left. */
    private static final double QUICK_CALL = 60;

    /** How many times as long as when it passed it may take, and how often in a row more: the host may stop the vCPU once. */
    private static final double SLOWER = 4;

    private static final int STRIKES = 3;

    private volatile boolean passed;
    private boolean timing = true;
    private double best;
    private int strikes;

    /** Of what is being timed. */
    private int wanted = TRAINING;

    private long done, nanos;
    private int calls;

    /** Calls for HotSpot that are still to be made. */
    private int owed;

    private long pause = SHORTEST;

    /** Nanoseconds. */
    private final LongSupplier clock;

    /** Since when the executions of the entry are counted, and the instructions that were executed until then. */
    private long since, instructionsBefore;

    private int executions;

    Trial() {
        this(System::nanoTime);
    }

    Trial(LongSupplier clock) {
        this.clock = clock;
        since = clock.getAsLong();
    }

    /** Whether it was found to be worth executing. From any thread. */
    boolean passed() {
        return passed;
    }

    /** Whether the next call is to be timed. */
    boolean timed(long entered) {
        if (passed && (entered & LOOK) == 0) {
            timing = true;
        }
        return timing;
    }

    /** How many instructions of so many it may be given. */
    long budget(long left) {
        return passed ? left : Math.min(left, wanted - done);
    }

    /**
     * It was called.
     *
     * @param time nanoseconds
     * @return for how many executions of its entry the interpreter is to do it, or 0
     */
    int ran(Cpu cpu, CompiledCode code, long instructions, long time) {
        if (owed > 0) {
            return train(cpu, code);
        }
        done += instructions;
        nanos += time;
        calls++;
        executions++;
        if (done < wanted && !(passed && calls == LOOKED)) {
            return 0;
        }
        double each = Math.max(0, nanos - QUICK_CALL * calls) / done;
        boolean training = wanted == TRAINING;
        boolean quick = each < QUICK || !passed && !training && each < 0.9 * interpreted(cpu);
        int made = calls;
        done = 0;
        nanos = 0;
        calls = 0;
        wanted = PROBE;
        if (passed) {
            strikes = each > Math.max(QUICK, SLOWER * best) ? strikes + 1 : 0;
            timing = strikes != 0;
            if (strikes == STRIKES) {
                // HotSpot has taken it back.
                passed = false;
                wanted = TRAINING;
                strikes = 0;
                pause = SHORTEST;
                since = clock.getAsLong();
                executions = 0;
            }
            return 0;
        }
        if (quick) {
            passed = true;
            timing = false;
            best = each;
            return 0;
        }
        if (training) {
            // The fewest, for what is executed in few of a method's calls is compiled as if it did not matter.
            owed = made < LOOPING ? LOOPING_CALLS : CALLS;
            return train(cpu, code);
        }
        pause = Math.min(2 * pause, LONGEST);
        return pause(cpu);
    }

    /** Makes the calls that are owed, some milliseconds of them: what wants the vCPU's attention goes before the rest. */
    private int train(Cpu cpu, CompiledCode code) {
        do {
            code.run(cpu, 0, 0);
        } while (--owed > 0 && !cpu.attention());
        return owed > 0 ? 0 : pause(cpu);
    }

    /** How many executions of the entry are as long as a pause, if they come as they did. */
    private int pause(Cpu cpu) {
        long now = clock.getAsLong();
        double rate = (double) executions / Math.max(1, now - since);
        executions = (int) Math.clamp(rate * pause, FEWEST, MOST);
        since = now;
        instructionsBefore = cpu.instructions;
        return executions;
    }

    /** What an instruction took since the pause began, without those that were timed now. */
    private double interpreted(Cpu cpu) {
        return (double) (clock.getAsLong() - since - nanos) / Math.max(1, cpu.instructions - instructionsBefore - done);
    }
}
