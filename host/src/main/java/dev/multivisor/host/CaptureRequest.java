package dev.multivisor.host;

import java.nio.channels.FileChannel;
import java.util.Optional;

/**
 * How a machine is to be captured.
 *
 * @param id what this capture is to be known by
 * @param target the file for its memory: open for writing, and empty but as large as the memory
 * @param parent memory that was captured before, so that only what differs from it is written
 * @param live whether the guest runs on while its memory is written
 */
public record CaptureRequest(String id, FileChannel target, Optional<Parent> parent, boolean live) {
    /**
     * An earlier capture.
     *
     * @param id what it is known by: if it is this machine's last one, only pages written since are looked at
     */
    public record Parent(String id, MemoryImage memory) {}
}
