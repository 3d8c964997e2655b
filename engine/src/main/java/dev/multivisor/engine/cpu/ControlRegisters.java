package dev.multivisor.engine.cpu;

/**
 * MOV to and from control registers, LMSW and CLTS (Intel SDM vol. 3, 2.5; vol. 2, MOV—Control Registers). The TLB is
 * flushed by {@link Cpu#updateMode} when a bit changed that it depends on.
 */
final class ControlRegisters {
    private static final long CR0_DEFINED = Cpu.CR0_PE
            | Cpu.CR0_MP
            | Cpu.CR0_EM
            | Cpu.CR0_TS
            | Cpu.CR0_ET
            | Cpu.CR0_NE
            | Cpu.CR0_WP
            | Cpu.CR0_AM
            | Cpu.CR0_NW
            | Cpu.CR0_CD
            | Cpu.CR0_PG;

    private static final long CR4_DEFINED = Cpu.CR4_VME
            | Cpu.CR4_PVI
            | Cpu.CR4_TSD
            | Cpu.CR4_DE
            | Cpu.CR4_PSE
            | Cpu.CR4_PAE
            | Cpu.CR4_MCE
            | Cpu.CR4_PGE
            | Cpu.CR4_PCE
            | Cpu.CR4_OSFXSR
            | Cpu.CR4_OSXMMEXCPT
            | Cpu.CR4_UMIP
            | Cpu.CR4_FSGSBASE
            | (CpuModel.PCID ? Cpu.CR4_PCIDE : 0)
            | Cpu.CR4_SMEP
            | Cpu.CR4_SMAP;

    /** Bits of CR4 whose change loads the PAE page-directory-pointer table again (SDM vol. 3, 4.4.1). */
    private static final long CR4_RELOAD = Cpu.CR4_PSE | Cpu.CR4_PAE | Cpu.CR4_PGE | Cpu.CR4_SMEP;

    private ControlRegisters() {}

    static long read(Cpu cpu, int number) {
        return switch (number) {
            case 0 -> cpu.cr0;
            case 2 -> cpu.cr2;
            case 3 -> cpu.cr3;
            case 4 -> cpu.cr4;
            case 8 -> cpu.platform.taskPriority(cpu);
            default -> throw cpu.fault(CpuFault.UD);
        };
    }

    static void write(Cpu cpu, int number, long value) {
        switch (number) {
            case 0 -> writeCr0(cpu, value);
            case 2 -> cpu.cr2 = value;
            case 3 -> writeCr3(cpu, value);
            case 4 -> writeCr4(cpu, value);
            case 8 -> {
                require(cpu, (value & ~15L) == 0);
                cpu.platform.setTaskPriority(cpu, (int) value);
            }
            default -> throw cpu.fault(CpuFault.UD);
        }
    }

    static void writeCr0(Cpu cpu, long value) {
        require(cpu, value >>> 32 == 0);
        value = value & CR0_DEFINED | Cpu.CR0_ET;
        long changed = value ^ cpu.cr0;
        boolean paging = (value & Cpu.CR0_PG) != 0;
        require(cpu, !paging || (value & Cpu.CR0_PE) != 0);
        require(cpu, (value & Cpu.CR0_NW) == 0 || (value & Cpu.CR0_CD) != 0);
        long efer = cpu.efer;
        if ((changed & Cpu.CR0_PG) != 0) {
            if (!paging) {
                require(cpu, cpu.codeSize != 64 && (cpu.cr4 & Cpu.CR4_PCIDE) == 0);
                efer &= ~Cpu.EFER_LMA;
            } else if ((efer & Cpu.EFER_LME) != 0) {
                boolean task16 = (cpu.segmentAccess[Cpu.TR] & 0x1f) == Descriptors.TSS16_BUSY;
                boolean code64 = (cpu.segmentAccess[Cpu.CS] & Descriptors.L) != 0;
                require(cpu, (cpu.cr4 & Cpu.CR4_PAE) != 0 && !code64 && !task16);
                efer |= Cpu.EFER_LMA;
            }
        }
        if (paging
                && (cpu.cr4 & Cpu.CR4_PAE) != 0
                && (efer & Cpu.EFER_LMA) == 0
                && (changed & (Cpu.CR0_PG | Cpu.CR0_CD | Cpu.CR0_NW)) != 0) {
            cpu.mmu.loadPdptrs(cpu, cpu.cr3);
        }
        cpu.cr0 = value;
        cpu.efer = efer;
        if ((value & Cpu.CR0_PE) == 0) {
            cpu.cpl = 0;
        }
        cpu.updateMode();
    }

    private static void writeCr3(Cpu cpu, long value) {
        if (cpu.longMode()) {
            boolean keep = value < 0 && (cpu.cr4 & Cpu.CR4_PCIDE) != 0;
            if (keep) {
                value &= Long.MAX_VALUE;
            }
            require(cpu, value >>> CpuModel.PHYSICAL_BITS == 0);
            cpu.cr3 = value;
            cpu.mmu.cr3Loaded(cpu, keep);
        } else {
            loadCr3(cpu, value & 0xffffffffL);
        }
    }

    /** Outside IA-32e mode; with PAE paging the page-directory-pointer table is read. */
    static void loadCr3(Cpu cpu, long value) {
        if ((cpu.cr0 & Cpu.CR0_PG) != 0 && (cpu.cr4 & Cpu.CR4_PAE) != 0) {
            cpu.mmu.loadPdptrs(cpu, value);
        }
        cpu.cr3 = value;
        cpu.mmu.cr3Loaded(cpu, false);
    }

    private static void writeCr4(Cpu cpu, long value) {
        require(cpu, (value & ~CR4_DEFINED) == 0);
        long changed = value ^ cpu.cr4;
        if (cpu.longMode()) {
            require(cpu, (value & Cpu.CR4_PAE) != 0);
        }
        if ((changed & value & Cpu.CR4_PCIDE) != 0) {
            require(cpu, cpu.longMode() && (cpu.cr3 & 0xfff) == 0);
        }
        boolean reload = (value & Cpu.CR4_PAE) != 0 && (changed & CR4_RELOAD) != 0;
        if (reload && (cpu.cr0 & Cpu.CR0_PG) != 0 && !cpu.longMode()) {
            cpu.mmu.loadPdptrs(cpu, cpu.cr3);
        }
        cpu.cr4 = value;
        cpu.updateMode();
    }

    /** INVPCID (SDM vol. 2). Forgetting more than asked for is allowed, and done. */
    static void invalidate(Cpu cpu, long type, long pcid, long address) {
        boolean contexts = (cpu.cr4 & Cpu.CR4_PCIDE) != 0;
        require(cpu, Long.compareUnsigned(type, 3) <= 0 && pcid >>> 12 == 0);
        require(cpu, type > 1 || contexts || pcid == 0);
        switch ((int) type) {
            case 0 -> {
                require(cpu, Descriptors.canonical(address));
                cpu.mmu.flushPage(address);
            }
            case 2 -> cpu.mmu.flushAll();
            default -> cpu.mmu.flushNonGlobal();
        }
    }

    /** LMSW: PE can be set but not cleared (SDM vol. 2, LMSW). */
    static void loadMachineStatus(Cpu cpu, int value) {
        long changed = Cpu.CR0_MP | Cpu.CR0_EM | Cpu.CR0_TS | Cpu.CR0_PE;
        writeCr0(cpu, cpu.cr0 & ~(changed & ~Cpu.CR0_PE) | value & changed);
    }

    /** Whether CR0 can have this value. */
    static boolean validCr0(long value) {
        boolean paging = (value & Cpu.CR0_PG) == 0 || (value & Cpu.CR0_PE) != 0;
        boolean cache = (value & Cpu.CR0_NW) == 0 || (value & Cpu.CR0_CD) != 0;
        return (value & ~CR0_DEFINED) == 0 && paging && cache;
    }

    /** Whether CR4 can have this value. */
    static boolean validCr4(long value) {
        return (value & ~CR4_DEFINED) == 0;
    }

    private static void require(Cpu cpu, boolean condition) {
        if (!condition) {
            throw cpu.fault(CpuFault.GP);
        }
    }
}
