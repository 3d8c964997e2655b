package dev.multivisor.host;

/**
 * What came of a handover. Times are in nanoseconds.
 *
 * @param from version of the engine that the machine was on
 * @param to version of the engine that it was to move to
 * @param committed whether it is there now; else it goes on where it was
 * @param reason why it is not; empty when it is
 * @param stopped how long the guest stood still: from the first vCPU's leaving the source to the last one's entering
 *     the target
 * @param save how long saving took
 * @param restore how long restoring, with the target's comparison, took
 * @param stateBytes size of the state
 */
public record HandoverReport(
        String from,
        String to,
        boolean committed,
        String reason,
        long stopped,
        long save,
        long restore,
        int stateBytes) {}
