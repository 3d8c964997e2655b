package dev.multivisor.server;

import dev.multivisor.host.HandoverReport;
import java.util.List;
import java.util.Locale;

/**
 * What came of a handover. Times are in nanoseconds.
 *
 * @param from version of the engine that the machine was on
 * @param to version of the engine that it was to move to
 * @param outcome {@code moved}, {@code possible}, {@code refused} or {@code failed}
 * @param reasons why it is not there; empty when it is
 * @param rehearsedNanos how long the target rehearsed while the guest ran on
 * @param stoppedNanos how long the guest stood still
 * @param saveNanos how long saving took
 * @param restoreNanos how long restoring took
 * @param stateBytes size of the state
 */
public record MoveView(
        String from,
        String to,
        String outcome,
        List<String> reasons,
        long rehearsedNanos,
        long stoppedNanos,
        long saveNanos,
        long restoreNanos,
        long stateBytes) {
    static MoveView of(HandoverReport report, long rehearsedNanos) {
        return new MoveView(
                report.from(),
                report.to(),
                report.outcome().name().toLowerCase(Locale.ROOT),
                report.reasons(),
                rehearsedNanos,
                report.stopped(),
                report.save(),
                report.restore(),
                report.stateBytes());
    }

    static MoveView preflight(String from, String to, List<String> reasons) {
        return new MoveView(from, to, reasons.isEmpty() ? "possible" : "refused", reasons, 0, 0, 0, 0, 0);
    }

    /** Whether what was asked for has come true. */
    public boolean good() {
        return outcome.equals("moved") || outcome.equals("possible");
    }
}
