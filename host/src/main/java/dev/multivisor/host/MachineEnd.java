package dev.multivisor.host;

import dev.multivisor.api.Exit;
import java.time.Duration;

/**
 * How a machine's run ended.
 *
 * @param exit the first exit that concerned the whole machine; {@link Exit.Reason#KICKED} if the host stopped it
 * @param cpu the number of the vCPU that it came from, or -1 for the host
 * @param time how long the machine ran, by its own clock
 * @param trace where the engine failed, for its developers; empty unless it threw
 */
public record MachineEnd(Exit exit, int cpu, Duration time, String trace) {}
