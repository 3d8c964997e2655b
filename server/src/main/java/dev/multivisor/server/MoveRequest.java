package dev.multivisor.server;

import dev.multivisor.host.UpgradeRequest;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;

/**
 * How a machine is to move to another engine. What is absent is as in {@link UpgradeRequest#STANDARD}.
 *
 * @param to version of the engine, or {@code newest}
 * @param parameters settings of the engine that change; an empty value takes a setting away
 * @param deadlineMillis how long the guest may stand still
 * @param rehearsalMillis how long the target may rehearse, and then a copy of the guest work there; 0 for not at all
 * @param probationMillis for how long a failure of the new engine takes the machine back; 0 for not at all
 * @param dryRun whether to ask only
 */
public record MoveRequest(
        Optional<String> to,
        Optional<Map<String, String>> parameters,
        Optional<Long> deadlineMillis,
        Optional<Long> rehearsalMillis,
        Optional<Long> probationMillis,
        Optional<Boolean> dryRun) {
    /** Means the newest engine that the machine's host knows. */
    public static final String NEWEST = "newest";

    private static final long LONGEST_MILLIS = Duration.ofHours(1).toMillis();

    UpgradeRequest checked() {
        UpgradeRequest standard = UpgradeRequest.STANDARD;
        return new UpgradeRequest(
                parameters.orElse(Map.of()),
                time("deadlineMillis", deadlineMillis, standard.deadline(), 1),
                time("rehearsalMillis", rehearsalMillis, standard.rehearsal(), 0),
                time("probationMillis", probationMillis, standard.probation(), 0));
    }

    static Duration time(String field, Optional<Long> millis, Duration standard, long least) {
        long value = millis.orElse(standard.toMillis());
        if (value < least || value > LONGEST_MILLIS) {
            throw new ControlException(
                    ControlException.BAD_REQUEST,
                    field + ": " + value + " is not between " + least + " and " + LONGEST_MILLIS);
        }
        return Duration.ofMillis(value);
    }
}
