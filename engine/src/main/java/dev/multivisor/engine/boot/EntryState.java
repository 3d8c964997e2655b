package dev.multivisor.engine.boot;

import dev.multivisor.engine.cpu.Cpu;
import java.util.Arrays;

/**
 * The boot processor's state when a kernel is entered; what is not named here is as after a reset.
 *
 * @param longMode whether it is entered in 64-bit mode with paging on, else in 32-bit protected mode with paging off
 * @param cr3 the identity page tables in 64-bit mode
 * @param gdt where the global descriptor table is
 */
public record EntryState(boolean longMode, long rip, long rsp, long rax, long rbx, long rsi, long cr3, long gdt) {
    /** Selectors, as Linux' boot protocol has them (__BOOT_CS, __BOOT_DS, __BOOT_TSS). */
    private static final int CODE = 0x10, DATA = 0x18, TSS = 0x20;

    /** Access rights as {@link Cpu#segmentAccess} has them. */
    private static final int CODE_64 = 0xa09b, CODE_32 = 0xc09b, DATA_32 = 0xc093, TSS_32 = 0x008b;

    private static final int TSS_LIMIT = 0x67;

    /** The table's size in bytes: two unused entries, code, data, and a task state segment. */
    static final int GDT_SIZE = 5 * 8;

    /** Puts the table where {@link #gdt} will point to. */
    static void writeGdt(GuestWriter memory, long address, boolean longMode) {
        memory.put64(address + CODE, descriptor(longMode ? CODE_64 : CODE_32, 0xfffff));
        memory.put64(address + DATA, descriptor(DATA_32, 0xfffff));
        memory.put64(address + TSS, descriptor(TSS_32, TSS_LIMIT));
    }

    /** A segment descriptor with base 0 (SDM vol. 3, 3.4.5). */
    private static long descriptor(int access, int limit) {
        return (long) (access & 0xf0ff) << 40 | (long) (limit >>> 16) << 48 | limit & 0xffff;
    }

    /** Puts a vCPU into this state. */
    public void applyTo(Cpu cpu) {
        Arrays.fill(cpu.r, 0);
        cpu.r[Cpu.RAX] = rax;
        cpu.r[Cpu.RBX] = rbx;
        cpu.r[Cpu.RSI] = rsi;
        cpu.r[Cpu.RSP] = rsp;
        cpu.r[Cpu.RIP] = rip;
        cpu.setFlags(2);
        for (int segment = Cpu.ES; segment <= Cpu.GS; segment++) {
            segment(cpu, segment, DATA, DATA_32, -1);
        }
        segment(cpu, Cpu.CS, CODE, longMode ? CODE_64 : CODE_32, -1);
        segment(cpu, Cpu.TR, TSS, TSS_32, TSS_LIMIT);
        segment(cpu, Cpu.LDTR, 0, 0, 0);
        cpu.gdtrBase = gdt;
        cpu.gdtrLimit = GDT_SIZE - 1;
        cpu.idtrBase = 0;
        cpu.idtrLimit = 0;
        cpu.cr0 = Cpu.CR0_PE | Cpu.CR0_ET | Cpu.CR0_NE | (longMode ? Cpu.CR0_PG | Cpu.CR0_WP : 0);
        cpu.cr3 = cr3;
        cpu.cr4 = longMode ? Cpu.CR4_PAE : 0;
        cpu.efer = longMode ? Cpu.EFER_LME | Cpu.EFER_LMA : 0;
        cpu.cpl = 0;
        cpu.updateMode();
    }

    private static void segment(Cpu cpu, int segment, int selector, int access, int limit) {
        cpu.selector[segment] = selector;
        cpu.segmentBase[segment] = 0;
        cpu.segmentLimit[segment] = limit;
        cpu.segmentAccess[segment] = access;
    }
}
