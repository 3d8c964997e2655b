package dev.multivisor.host;

/**
 * What was captured of a machine; its memory is in the request's file.
 *
 * @param machine the machine as it was
 * @param pages the pages that the file stands for
 * @param checksum of these pages, by {@link MemoryChecksum}
 * @param stopped how long the guest stood still, in nanoseconds
 */
public record Capture(SavedMachine machine, PageRuns pages, long checksum, long stopped) {}
