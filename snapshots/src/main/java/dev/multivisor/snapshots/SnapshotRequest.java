package dev.multivisor.snapshots;

import java.util.Optional;

/**
 * How a snapshot is to be made.
 *
 * @param name what to call it; empty for the machine's name with a number
 * @param parent name of the snapshot that its memory is to lie over, so that only what has changed since is written
 * @param live whether the guest is to run on while its memory is written
 */
public record SnapshotRequest(String name, Optional<String> parent, boolean live) {}
