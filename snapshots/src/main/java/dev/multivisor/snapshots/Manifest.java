package dev.multivisor.snapshots;

import dev.multivisor.api.MachineSpec;
import dev.multivisor.api.StateFormat;
import dev.multivisor.host.Capture;
import dev.multivisor.host.SavedMachine;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;

/**
 * What is known about a snapshot without its large files.
 *
 * @param id a number of its own, in hexadecimal
 * @param parent what its memory lies over
 * @param created when it was made
 * @param machine name of the machine that it was made of
 * @param engine version of the engine that wrote the state
 * @param contract the contract that this engine was built against
 * @param spec what the machine was
 * @param format what the state consists of
 * @param memory bytes of guest memory
 * @param guestNanos guest time
 * @param live whether the guest ran on while its memory was written
 * @param stoppedNanos how long the guest stood still
 * @param state the file {@value Snapshot#STATE}
 * @param pages the file {@value Snapshot#PAGES}
 * @param storedPages how many pages the memory file stands for
 * @param memoryChecksum of the memory file, by {@link dev.multivisor.host.MemoryChecksum}
 */
public record Manifest(
        String id,
        Optional<Parent> parent,
        Instant created,
        String machine,
        String engine,
        int contract,
        MachineSpec spec,
        StateFormat format,
        long memory,
        long guestNanos,
        boolean live,
        long stoppedNanos,
        Content state,
        Content pages,
        long storedPages,
        long memoryChecksum) {

    /** Another snapshot, by its name at that time and its number. */
    public record Parent(String name, String id) {}

    /**
     * A small file that is always checked.
     *
     * @param bytes its length
     * @param checksum CRC-32C of it
     */
    public record Content(long bytes, long checksum) {}

    static Manifest of(
            String id,
            Optional<Parent> parent,
            String machine,
            Capture capture,
            boolean live,
            Content state,
            Content pages) {
        SavedMachine saved = capture.machine();
        return new Manifest(
                id,
                parent,
                Instant.now(),
                machine,
                saved.engine(),
                saved.contract(),
                saved.spec(),
                saved.format(),
                saved.memory(),
                saved.guestNanos(),
                live,
                capture.stopped(),
                state,
                pages,
                capture.pages().pages(),
                capture.checksum());
    }

    /** How many vCPUs the machine has. */
    public int cpus() {
        return spec.cpus();
    }

    /** What the machine's engine was told. */
    public Map<String, String> parameters() {
        return spec.parameters();
    }

    /** The machine, with its state. */
    SavedMachine saved(byte[] bytes) {
        return new SavedMachine(engine, contract, spec, format, bytes, memory, guestNanos);
    }
}
