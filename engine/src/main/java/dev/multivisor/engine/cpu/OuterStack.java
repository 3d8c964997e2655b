package dev.multivisor.engine.cpu;

/**
 * The stack segment of an outer level, or of any level for IRET in 64-bit mode, checked and not yet loaded (Intel SDM
 * vol. 2, IRET and RET).
 */
record OuterStack(int selector, long descriptor, int access) {
    /**
     * Reads it.
     *
     * @param level privilege level returned to
     * @param code access rights of the code segment returned to
     * @param wide executed in 64-bit mode, so that SS may be null below level 3 for 64-bit code
     */
    static OuterStack read(Cpu cpu, int selector, int level, int code, boolean wide) {
        if (Descriptors.isNull(selector)) {
            if (!wide || (code & Descriptors.L) == 0 || level == 3 || (selector & 3) != level) {
                throw cpu.fault(CpuFault.GP);
            }
            return new OuterStack(selector, 0, 0);
        }
        long descriptor = Descriptors.read(cpu, selector, CpuFault.GP, 0);
        int access = Descriptors.access(descriptor);
        Segmentation.checkStack(cpu, selector, access, level, CpuFault.GP, 0);
        return new OuterStack(selector, descriptor, Descriptors.setAccessed(cpu, selector, access));
    }

    void load(Cpu cpu) {
        if (access == 0) {
            Segmentation.loadNull(cpu, Cpu.SS, selector);
        } else {
            Segmentation.set(cpu, Cpu.SS, selector, descriptor, access);
        }
    }
}
