package dev.multivisor.engine.cpu;

import java.util.Arrays;

/**
 * Model-specific registers (Intel SDM vol. 4): those that nothing but RDMSR and WRMSR looks at, and the access to all.
 * What is not listed is #GP(0), as software expects that probes for it.
 */
public final class Msrs {
    /** Variable-range MTRRs. */
    static final int VARIABLE_RANGES = 8;

    static final int TSC = 0x10,
            PLATFORM_ID = 0x17,
            APIC_BASE = 0x1b,
            EBL_CR_POWERON = 0x2a,
            FEATURE_CONTROL = 0x3a,
            TSC_ADJUST = 0x3b,
            BIOS_UPDT_TRIG = 0x79,
            BIOS_SIGN_ID = 0x8b,
            PLATFORM_INFO = 0xce,
            MTRRCAP = 0xfe,
            ARCH_CAPABILITIES = 0x10a,
            SYSENTER_CS = 0x174,
            SYSENTER_ESP = 0x175,
            SYSENTER_EIP = 0x176,
            MCG_CAP = 0x179,
            MCG_STATUS = 0x17a,
            PERF_STATUS = 0x198,
            MISC_ENABLE = 0x1a0,
            DEBUGCTL = 0x1d9,
            MTRR_PHYSBASE0 = 0x200,
            MTRR_FIX64K = 0x250,
            MTRR_FIX16K = 0x258,
            MTRR_FIX4K = 0x268,
            PAT = 0x277,
            MTRR_DEF_TYPE = 0x2ff,
            TSC_DEADLINE = 0x6e0,
            X2APIC = 0x800,
            EFER = 0xc0000080,
            STAR = 0xc0000081,
            LSTAR = 0xc0000082,
            CSTAR = 0xc0000083,
            SFMASK = 0xc0000084,
            FS_BASE = 0xc0000100,
            GS_BASE = 0xc0000101,
            KERNEL_GS_BASE = 0xc0000102,
            TSC_AUX = 0xc0000103;

    /** KVM's clock: the first registers, and the range of the present ones. */
    static final int KVM_WALL_CLOCK_OLD = 0x11, KVM_SYSTEM_TIME_OLD = 0x12, KVM = 0x4b564d00;

    /** PAT after reset (SDM vol. 3, 12.12.4). */
    static final long PAT_RESET = 0x0007040600070406L;

    /** Fast strings; no branch trace, no PEBS. */
    private static final long MISC_ENABLE_RESET = 1 | 1 << 11 | 1 << 12;

    /**
     * RDCL_NO, SKIP_L1DFL_VMENTRY, SSB_NO, MDS_NO, PSCHANGE_MC_NO, TAA_NO, SBDR_SSDP_NO, FBSDP_NO, PSDP_NO, BHI_NO,
     * PBRSB_NO, GDS_NO, RFDS_NO, ITS_NO: an emulated CPU does not speculate.
     */
    private static final long NOT_VULNERABLE = 1 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 8 | 1 << 13 | 1 << 14
            | 1 << 15 | 1 << 20 | 1 << 24 | 1 << 26 | 1 << 27 | 1L << 62;

    /** The revision of a microcode update that there is none of. */
    private static final long MICROCODE = 0x100L << 32;

    long tscAdjust;
    long miscEnable = MISC_ENABLE_RESET;
    long mcgStatus;

    /** Write-back memory everywhere, as firmware would leave it: Linux does without PAT when MTRRs are off. */
    long mtrrDefType = 1 << 11 | 6;

    /** FIX64K, FIX16K (2), FIX4K (8). */
    final long[] mtrrFixed = new long[11];

    /** Base and mask of each range in turn. */
    final long[] mtrrVariable = new long[2 * VARIABLE_RANGES];

    /** RDMSR. */
    public static long read(Cpu cpu, int index) {
        return switch (index) {
            case TSC -> cpu.platform.tsc(cpu);
            case TSC_AUX -> cpu.tscAux;
            case EFER -> cpu.efer;
            case STAR -> cpu.star;
            case LSTAR -> cpu.lstar;
            case CSTAR -> cpu.cstar;
            case SFMASK -> cpu.sfmask;
            case FS_BASE -> cpu.segmentBase[Cpu.FS];
            case GS_BASE -> cpu.segmentBase[Cpu.GS];
            case KERNEL_GS_BASE -> cpu.kernelGsBase;
            case SYSENTER_CS -> cpu.sysenterCs;
            case SYSENTER_ESP -> cpu.sysenterEsp;
            case SYSENTER_EIP -> cpu.sysenterEip;
            case PAT -> cpu.pat;
            case TSC_ADJUST -> cpu.msrs.tscAdjust;
            case MISC_ENABLE -> cpu.msrs.miscEnable;
            case MTRRCAP -> VARIABLE_RANGES | 1 << 8 | 1 << 10;
            case MTRR_DEF_TYPE -> cpu.msrs.mtrrDefType;
            case ARCH_CAPABILITIES -> NOT_VULNERABLE;
            case BIOS_SIGN_ID -> MICROCODE;
            case FEATURE_CONTROL -> 1;
            case MCG_STATUS -> cpu.msrs.mcgStatus;
            case PLATFORM_ID, EBL_CR_POWERON, PLATFORM_INFO, MCG_CAP, PERF_STATUS, DEBUGCTL -> 0;
            default -> readOther(cpu, index);
        };
    }

    private static long readOther(Cpu cpu, int index) {
        int variable = index - MTRR_PHYSBASE0;
        if (variable >= 0 && variable < 2 * VARIABLE_RANGES) {
            return cpu.msrs.mtrrVariable[variable];
        }
        int fixed = fixedRange(index);
        if (fixed >= 0) {
            return cpu.msrs.mtrrFixed[fixed];
        }
        if (external(index)) {
            return cpu.platform.readMsr(cpu, index);
        }
        throw cpu.fault(CpuFault.GP);
    }

    /** WRMSR. */
    public static void write(Cpu cpu, int index, long value) {
        switch (index) {
            case TSC -> {
                cpu.msrs.tscAdjust += value - cpu.platform.tsc(cpu);
                cpu.platform.setTsc(cpu, value);
            }
            case TSC_ADJUST -> {
                cpu.platform.setTsc(cpu, cpu.platform.tsc(cpu) + value - cpu.msrs.tscAdjust);
                cpu.msrs.tscAdjust = value;
            }
            case TSC_AUX -> {
                require(cpu, value >>> 32 == 0);
                cpu.tscAux = value;
            }
            case EFER -> writeEfer(cpu, value);
            case STAR -> cpu.star = value;
            case LSTAR -> cpu.lstar = canonical(cpu, value);
            case CSTAR -> cpu.cstar = canonical(cpu, value);
            case SFMASK -> cpu.sfmask = value & 0xffffffffL;
            case FS_BASE -> cpu.segmentBase[Cpu.FS] = canonical(cpu, value);
            case GS_BASE -> cpu.segmentBase[Cpu.GS] = canonical(cpu, value);
            case KERNEL_GS_BASE -> cpu.kernelGsBase = canonical(cpu, value);
            case SYSENTER_CS -> cpu.sysenterCs = value & 0xffffffffL;
            case SYSENTER_ESP -> cpu.sysenterEsp = canonical(cpu, value);
            case SYSENTER_EIP -> cpu.sysenterEip = canonical(cpu, value);
            case PAT -> {
                for (int n = 0; n < 8; n++) {
                    int type = (int) (value >>> 8 * n) & 0xff;
                    require(cpu, type < 8 && type != 2 && type != 3);
                }
                cpu.pat = value;
            }
            case MISC_ENABLE -> cpu.msrs.miscEnable = value;
            case MTRR_DEF_TYPE -> {
                require(cpu, (value & ~0xcffL) == 0 && memoryType((int) value & 0xff));
                cpu.msrs.mtrrDefType = value;
            }
            case MCG_STATUS -> {
                require(cpu, (value & ~7L) == 0);
                cpu.msrs.mcgStatus = value;
            }
            // Writing 0 before CPUID is how the microcode's revision is asked for; an update finds no taker.
            case BIOS_SIGN_ID, BIOS_UPDT_TRIG, DEBUGCTL -> {}
            default -> writeOther(cpu, index, value);
        }
    }

    private static void writeOther(Cpu cpu, int index, long value) {
        int variable = index - MTRR_PHYSBASE0;
        int fixed = fixedRange(index);
        if (variable >= 0 && variable < 2 * VARIABLE_RANGES) {
            long reserved = -1L << CpuModel.PHYSICAL_BITS;
            if ((variable & 1) == 0) {
                require(cpu, (value & (reserved | 0xf00)) == 0 && memoryType((int) value & 0xff));
            } else {
                require(cpu, (value & (reserved | 0x7ff)) == 0);
            }
            cpu.msrs.mtrrVariable[variable] = value;
        } else if (fixed >= 0) {
            for (int n = 0; n < 8; n++) {
                require(cpu, memoryType((int) (value >>> 8 * n) & 0xff));
            }
            cpu.msrs.mtrrFixed[fixed] = value;
        } else if (external(index)) {
            cpu.platform.writeMsr(cpu, index, value);
        } else {
            throw cpu.fault(CpuFault.GP);
        }
    }

    /** EFER (SDM vol. 3, 2.2.1). LMA follows from LME and CR0.PG and is not written. */
    private static void writeEfer(Cpu cpu, long value) {
        require(cpu, (value & ~(Cpu.EFER_SCE | Cpu.EFER_LME | Cpu.EFER_LMA | Cpu.EFER_NXE)) == 0);
        require(cpu, (cpu.cr0 & Cpu.CR0_PG) == 0 || ((value ^ cpu.efer) & Cpu.EFER_LME) == 0);
        cpu.efer = value & ~Cpu.EFER_LMA | cpu.efer & Cpu.EFER_LMA;
        cpu.updateMode();
    }

    private static boolean external(int index) {
        return index == APIC_BASE
                || index == TSC_DEADLINE
                || index == KVM_WALL_CLOCK_OLD
                || index == KVM_SYSTEM_TIME_OLD
                || (index & ~0xff) == X2APIC
                || (index & ~0xff) == KVM;
    }

    private static int fixedRange(int index) {
        if (index == MTRR_FIX64K) {
            return 0;
        }
        if (index == MTRR_FIX16K || index == MTRR_FIX16K + 1) {
            return 1 + index - MTRR_FIX16K;
        }
        return index >= MTRR_FIX4K && index < MTRR_FIX4K + 8 ? 3 + index - MTRR_FIX4K : -1;
    }

    /** UC, WC, WT, WP or WB. */
    private static boolean memoryType(int type) {
        return type == 0 || type == 1 || type >= 4 && type <= 6;
    }

    private static long canonical(Cpu cpu, long address) {
        require(cpu, Descriptors.canonical(address));
        return address;
    }

    private static void require(Cpu cpu, boolean condition) {
        if (!condition) {
            throw cpu.fault(CpuFault.GP);
        }
    }

    /** As after power-on. */
    void reset() {
        Msrs fresh = new Msrs();
        restore(fresh.save());
    }

    /**
     * The registers' values.
     *
     * @param mtrrFixed FIX64K, FIX16K (2), FIX4K (8)
     * @param mtrrVariable base and mask in turn
     */
    public record MsrState(
            long tscAdjust, long miscEnable, long mcgStatus, long mtrrDefType, long[] mtrrFixed, long[] mtrrVariable) {}

    MsrState save() {
        return new MsrState(tscAdjust, miscEnable, mcgStatus, mtrrDefType, mtrrFixed.clone(), mtrrVariable.clone());
    }

    /** The lengths were checked by {@link CpuState}. */
    void restore(MsrState state) {
        tscAdjust = state.tscAdjust();
        miscEnable = state.miscEnable();
        mcgStatus = state.mcgStatus();
        mtrrDefType = state.mtrrDefType();
        System.arraycopy(state.mtrrFixed(), 0, mtrrFixed, 0, mtrrFixed.length);
        System.arraycopy(state.mtrrVariable(), 0, mtrrVariable, 0, mtrrVariable.length);
    }

    @Override
    public String toString() {
        return "MTRRs " + Arrays.toString(mtrrVariable);
    }
}
