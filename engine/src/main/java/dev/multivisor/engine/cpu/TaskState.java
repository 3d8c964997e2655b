package dev.multivisor.engine.cpu;

/** What the present task-state segment says of stacks (Intel SDM vol. 3, 7.2, 7.6 and 7.7). */
final class TaskState {
    private TaskState() {}

    private static boolean wide(Cpu cpu) {
        return (cpu.segmentAccess[Cpu.TR] & 8) != 0;
    }

    /** ESP of an inner level from a 32-bit or 16-bit TSS. */
    static long stack(Cpu cpu, int level, int ext) {
        return wide(cpu) ? load(cpu, 4 + level * 8, 4, ext) : load(cpu, 2 + level * 4, 2, ext);
    }

    /** SS of an inner level from a 32-bit or 16-bit TSS. */
    static int stackSelector(Cpu cpu, int level, int ext) {
        return (int) (wide(cpu) ? load(cpu, 8 + level * 8, 2, ext) : load(cpu, 4 + level * 4, 2, ext));
    }

    /** RSP of an inner level from a 64-bit TSS. */
    static long stack64(Cpu cpu, int level, int ext) {
        return load(cpu, 4 + level * 8, 8, ext);
    }

    /** Interrupt stack 1 to 7 from a 64-bit TSS. */
    static long interruptStack(Cpu cpu, int number, int ext) {
        return load(cpu, 0x1c + number * 8, 8, ext);
    }

    private static long load(Cpu cpu, int offset, int size, int ext) {
        if (offset + size - 1 > (cpu.segmentLimit[Cpu.TR] & 0xffffffffL) || cpu.segmentAccess[Cpu.TR] == 0) {
            throw cpu.fault(CpuFault.TS, cpu.selector[Cpu.TR] & 0xfffc | ext);
        }
        return cpu.mmu.loadSystem(cpu.segmentBase[Cpu.TR] + offset, size);
    }
}
