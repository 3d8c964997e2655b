package dev.multivisor.host;

/**
 * A thread that has little to do, but is to do that at once: when it is woken, it goes before threads that compute, such as
 * vCPUs. It takes short turns instead, so that whoever gives it more to do than it should have slows down nobody else. This
 * needs no privilege, but Linux 6.12; where the host knows no time slices it is a thread like others.
 */
public final class PromptThread {
    /** The shortest that Linux takes. */
    static final long SLICE_NANOS = 100_000;

    private PromptThread() {}

    /**
     * Makes the calling thread one, for as long as it lives. It has to be a platform thread.
     *
     * @return whether the host does as described
     */
    public static boolean begin() {
        return HostScheduler.slice(HostScheduler.thread(), SLICE_NANOS);
    }
}
