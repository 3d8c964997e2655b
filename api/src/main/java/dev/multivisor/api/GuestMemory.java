package dev.multivisor.api;

import java.lang.foreign.MemorySegment;
import java.util.List;

/** A guest's memory: one host segment, populated on first touch, seen by the guest in one or more regions. */
public interface GuestMemory {
    /** All of it. Shared by every vCPU thread, zero at creation, alive until the machine is closed. */
    MemorySegment bytes();

    /** Where the guest sees it, by ascending guest address, without overlap. */
    List<Region> regions();

    /**
     * A run of guest-physical addresses backed by memory.
     *
     * @param guestAddress where the guest sees it; a multiple of 4096
     * @param offset where it begins in {@link #bytes()}; a multiple of 4096
     * @param size in bytes; a positive multiple of 4096
     */
    record Region(long guestAddress, long offset, long size) {}
}
