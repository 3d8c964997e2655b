package dev.multivisor.engine.cpu;

import java.util.Map;

/**
 * What one vCPU has met since it was made or restored here. Plain fields that its own thread counts up, where an
 * instruction takes long anyway; other threads read them as they are.
 */
public final class Counters {
    /** Accesses to ports and to devices in memory, by instructions; of a string instruction, by elements. */
    public long portReads, portWrites, mmioReads, mmioWrites;

    /** External interrupts and NMIs, exceptions but page faults, and page faults, that were delivered. */
    public long interrupts, exceptions, pageFaults;

    /** HLT instructions. */
    public long halts;

    /** Walks of the page tables. */
    public long tlbMisses;

    /** Blocks of instructions that were decoded, and those that were dropped because their bytes were written. */
    public long blocksDecoded, codeInvalidations;

    /** Instructions executed by compiled code, and regions that were compiled or found compiled. */
    public long compiledInstructions, compiledRegions;

    /** Regions that a compiler was asked for, and those that it has answered for, with code or without. */
    public long compileRequests, compileAnswers;

    /** Adds all by name, but for {@link #compileAnswers}. */
    public void addTo(Map<String, Long> sums) {
        sums.merge("portReads", portReads, Long::sum);
        sums.merge("portWrites", portWrites, Long::sum);
        sums.merge("mmioReads", mmioReads, Long::sum);
        sums.merge("mmioWrites", mmioWrites, Long::sum);
        sums.merge("interrupts", interrupts, Long::sum);
        sums.merge("exceptions", exceptions, Long::sum);
        sums.merge("pageFaults", pageFaults, Long::sum);
        sums.merge("halts", halts, Long::sum);
        sums.merge("tlbMisses", tlbMisses, Long::sum);
        sums.merge("blocksDecoded", blocksDecoded, Long::sum);
        sums.merge("codeInvalidations", codeInvalidations, Long::sum);
        sums.merge("compiledInstructions", compiledInstructions, Long::sum);
        sums.merge("compiledRegions", compiledRegions, Long::sum);
        sums.merge("compileRequests", compileRequests, Long::sum);
    }
}
