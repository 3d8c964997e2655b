package dev.multivisor.host;

import java.time.Duration;
import java.util.Map;

/**
 * How a machine is to move to another engine.
 *
 * @param parameters settings of the engine that change; an empty value takes a setting away
 * @param deadline how long the guest may stand still; missing it gives the move up
 * @param rehearsal how long the target may rehearse while the guest runs on, and then a copy of the guest work there;
 *     zero for not at all
 * @param probation for how long afterwards a failure of the new engine takes the machine back
 */
public record UpgradeRequest(
        Map<String, String> parameters, Duration deadline, Duration rehearsal, Duration probation) {
    /** What holds when nothing else is asked for. */
    public static final UpgradeRequest STANDARD =
            new UpgradeRequest(Map.of(), Duration.ofMillis(100), Duration.ofSeconds(10), Duration.ofSeconds(10));

    public UpgradeRequest {
        parameters = Map.copyOf(parameters);
    }
}
