package dev.multivisor.host;

import java.util.List;

/**
 * What came of a handover. Times are in nanoseconds.
 *
 * @param from version of the engine that the machine was on
 * @param to version of the engine that it was to move to
 * @param outcome whether it is there now; else it goes on where it was
 * @param reasons why it is not; empty when it is
 * @param stopped how long the guest stood still: from the first vCPU's leaving the source to the last one's entering
 *     the target
 * @param save how long saving took
 * @param restore how long restoring, with the target's comparison, took
 * @param stateBytes size of the state
 */
public record HandoverReport(
        String from,
        String to,
        Outcome outcome,
        List<String> reasons,
        long stopped,
        long save,
        long restore,
        int stateBytes) {
    public HandoverReport {
        reasons = List.copyOf(reasons);
    }

    /** How a handover can end. */
    public enum Outcome {
        /** The machine is on the target. */
        MOVED,
        /** The target could take it: all that was asked was whether. */
        POSSIBLE,
        /** The target, or the source on its behalf, said beforehand that it cannot be. Nothing was touched. */
        REFUSED,
        /** Something failed on the way; the machine runs on at the source. */
        FAILED
    }

    /** A report of a handover that did not begin. */
    static HandoverReport notBegun(String from, String to, Outcome outcome, List<String> reasons) {
        return new HandoverReport(from, to, outcome, reasons, 0, 0, 0, 0);
    }

    /** Whether the machine is on the target now. */
    public boolean committed() {
        return outcome == Outcome.MOVED;
    }

    /** The reasons in one line; empty when there is none. */
    public String reason() {
        return String.join("; ", reasons);
    }
}
