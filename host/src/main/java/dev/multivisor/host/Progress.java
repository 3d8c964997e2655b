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

    private long instructions = -1;
    private long time;
    private long cpuTime;
    /** When the thread was last seen running, or ready to run. */
    private long runnableTime;

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
        if (count != instructions || resting) {
            instructions = count;
            time = now;
            cpuTime = cpuNanos;
            runnableTime = now;
            return false;
        }
        runnableTime = runnable ? now : runnableTime;
        return cpuNanos - cpuTime > STALL_NANOS || now - runnableTime > STALL_NANOS || now - time > LONGEST_NANOS;
    }
}
