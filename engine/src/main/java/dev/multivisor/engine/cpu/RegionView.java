package dev.multivisor.engine.cpu;

/**
 * Compiled code of a vCPU as it is shown.
 *
 * @param cpu the vCPU's number
 * @param start the linear address of its entry, in the address space in which it was last found
 * @param pages the guest-physical addresses of its pages, the entry's first
 * @param code what it executes
 * @param since when the vCPU took it over, in milliseconds since 1970
 * @param entered how often it was entered
 * @param instructions guest instructions executed in it
 */
public record RegionView(
        int cpu, long start, long[] pages, CompiledCode code, long since, long entered, long instructions) {}
