package dev.multivisor.host;

/**
 * Tells a vCPU that executes nothing, although its thread could, from one whose thread waits for a processor of a busy
 * host. Times are in nanoseconds.
 */
final class Progress {
    /** How long a vCPU may execute nothing: in CPU time of its thread, or in time that the thread waits for something. */
    static final long STALL_NANOS = 1_000_000_000L;

    /** How long a vCPU may execute nothing in any case. */
    static final long LONGEST_NANOS = 10 * STALL_NANOS;

    /** What one look can tell at most: who looks may get no processor either. */
    private static final long MOST_A_LOOK = STALL_NANOS / 10;

    private long instructions = -1;
    private long cpuTime;
    private long lastLook;
    private long still;
    /** How long the thread was seen to wait for something. */
    private long blocked;

    /**
     * Looks at the vCPU, again and again.
     *
     * @param count instructions that it has executed
     * @param resting whether it need not execute any now
     * @param cpuNanos CPU time of its thread
     * @param runnable whether its thread runs or is ready to
     * @param now the host's time
     * @return whether it has stood still for too long
     */
    boolean stalled(long count, boolean resting, long cpuNanos, boolean runnable, long now) {
        long passed = Math.min(now - lastLook, MOST_A_LOOK);
        lastLook = now;
        if (count != instructions || resting) {
            instructions = count;
            cpuTime = cpuNanos;
            still = 0;
            blocked = 0;
            return false;
        }
        still += passed;
        blocked = runnable ? 0 : blocked + passed;
        return cpuNanos - cpuTime > STALL_NANOS || blocked > STALL_NANOS || still > LONGEST_NANOS;
    }
}
