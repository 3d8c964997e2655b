package dev.multivisor.images;

/** Told how far a pull has come. */
@FunctionalInterface
public interface Progress {
    /** For those who do not want to know. */
    Progress NONE = (step, done, total) -> {};

    /**
     * Called now and then, from the thread that pulls.
     *
     * @param step what is being done, such as {@code downloading busybox-static}
     * @param done bytes done in this step
     * @param total bytes of this step; 0 if unknown
     */
    void update(String step, long done, long total);
}
