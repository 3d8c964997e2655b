package dev.multivisor.server;

import dev.multivisor.snapshots.Manifest;
import dev.multivisor.snapshots.Snapshot;
import java.util.Map;
import java.util.Optional;

/**
 * A snapshot as clients see it. Times are in nanoseconds.
 *
 * @param name its name
 * @param path its folder
 * @param parent the snapshot that it lies over
 * @param created when it was made
 * @param machine the machine that it was made of
 * @param engine version of the engine that wrote the state
 * @param contract the contract that this engine was built against
 * @param cpus how many vCPUs
 * @param parameters what the engine was told
 * @param memoryBytes guest memory
 * @param storedBytes what of it is in this snapshot's own files
 * @param guestNanos guest time
 * @param live whether the guest ran on while its memory was written
 * @param stoppedNanos how long the guest stood still
 */
public record SnapshotView(
        String name,
        String path,
        Optional<String> parent,
        String created,
        String machine,
        String engine,
        int contract,
        int cpus,
        Map<String, String> parameters,
        long memoryBytes,
        long storedBytes,
        long guestNanos,
        boolean live,
        long stoppedNanos) {
    /** A view of a snapshot. */
    public static SnapshotView of(Snapshot snapshot) {
        Manifest manifest = snapshot.manifest();
        return new SnapshotView(
                snapshot.name(),
                snapshot.folder().toString(),
                manifest.parent().map(Manifest.Parent::name),
                manifest.created().toString(),
                manifest.machine(),
                manifest.engine(),
                manifest.contract(),
                manifest.cpus(),
                manifest.parameters(),
                manifest.memory(),
                snapshot.stored(),
                manifest.guestNanos(),
                manifest.live(),
                manifest.stoppedNanos());
    }
}
