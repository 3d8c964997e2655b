package dev.multivisor.server;

import dev.multivisor.host.HostException;
import dev.multivisor.host.VirtualMachine;
import dev.multivisor.snapshots.SnapshotRequest;
import dev.multivisor.snapshots.SnapshotStore;
import java.util.Optional;

/**
 * What a snapshot is to be.
 *
 * @param name what to call it; absent for the machine's name with a number
 * @param parent the snapshot that it is to lie over
 * @param live whether the guest is to run on while its memory is written; absent for whether its engine can
 */
public record SnapshotAsked(Optional<String> name, Optional<String> parent, Optional<Boolean> live) {
    SnapshotRequest checked(VirtualMachine machine, SnapshotStore store) {
        try {
            if (name.isPresent()) {
                SnapshotStore.checkName(name.get());
            }
            parent.ifPresent(store::find);
        } catch (HostException e) {
            throw new ControlException(ControlException.BAD_REQUEST, e.getMessage());
        }
        return new SnapshotRequest(name.orElse(""), parent, live.orElseGet(machine::capturesLive));
    }
}
