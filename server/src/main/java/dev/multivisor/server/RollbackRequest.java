package dev.multivisor.server;

import java.util.Optional;

/**
 * How a machine is to go back to the engine that it came from.
 *
 * @param deadlineMillis how long the guest may stand still
 */
public record RollbackRequest(Optional<Long> deadlineMillis) {}
