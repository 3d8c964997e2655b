package dev.multivisor.engine.mmu;

/**
 * What one vCPU's memory management holds beside the control registers. Translations are not part of it: a restored
 * vCPU starts without any.
 *
 * @param pdptrs the four PAE page-directory-pointer-table registers
 * @param pendingDebug bits of DR6 for data breakpoints that were met and have not been delivered
 */
public record MmuState(long[] pdptrs, int pendingDebug) {}
