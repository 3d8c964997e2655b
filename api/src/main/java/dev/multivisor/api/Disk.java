package dev.multivisor.api;

import java.lang.foreign.MemorySegment;

/** A block device's content. Owned, and locked against other users, by the base. Thread-safe. */
public interface Disk {
    /** How large it is, in bytes; a multiple of 512. */
    long size();

    /** Whether {@link #write} is refused. */
    boolean readOnly();

    /**
     * Fills the segment from an offset in bytes.
     *
     * @throws java.io.UncheckedIOException if the host cannot read it
     */
    void read(long offset, MemorySegment target);

    /**
     * Writes the segment at an offset in bytes.
     *
     * @throws java.io.UncheckedIOException if the host cannot write it
     */
    void write(long offset, MemorySegment source);

    /**
     * Returns once everything written before is on stable storage.
     *
     * @throws java.io.UncheckedIOException if the host cannot promise it
     */
    void flush();
}
