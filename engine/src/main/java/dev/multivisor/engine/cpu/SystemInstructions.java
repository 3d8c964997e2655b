package dev.multivisor.engine.cpu;

import dev.multivisor.engine.isa.Form;
import dev.multivisor.engine.isa.Instruction;
import dev.multivisor.engine.isa.Op;
import dev.multivisor.engine.isa.Operand;
import java.lang.invoke.VarHandle;
import java.util.EnumSet;
import java.util.Set;

/** System instructions (Intel SDM vol. 2; vol. 3, 2.8), ports, fences and random numbers. */
public final class SystemInstructions {
    /** What {@link #execute} takes. */
    public static final Set<Op> OPS = EnumSet.of(
            Op.CLI,
            Op.STI,
            Op.HLT,
            Op.LGDT,
            Op.LIDT,
            Op.LLDT,
            Op.LTR,
            Op.SGDT,
            Op.SIDT,
            Op.SLDT,
            Op.STR,
            Op.LMSW,
            Op.SMSW,
            Op.CLTS,
            Op.MOV_CR,
            Op.MOV_DR,
            Op.RDMSR,
            Op.WRMSR,
            Op.RDTSC,
            Op.RDTSCP,
            Op.RDPMC,
            Op.CPUID,
            Op.INVD,
            Op.WBINVD,
            Op.INVLPG,
            Op.INVPCID,
            Op.SWAPGS,
            Op.RDFSBASE,
            Op.RDGSBASE,
            Op.WRFSBASE,
            Op.WRGSBASE,
            Op.CLAC,
            Op.STAC,
            Op.RSM,
            Op.MONITOR,
            Op.MWAIT,
            Op.VMCALL,
            Op.VMMCALL,
            Op.RDRAND,
            Op.RDSEED,
            Op.XGETBV,
            Op.XSETBV,
            Op.LFENCE,
            Op.MFENCE,
            Op.SFENCE,
            Op.CLFLUSH,
            Op.PREFETCH,
            Op.IN,
            Op.OUT);

    /** What a hypercall answers that there is none of, and one from user mode: -ENOSYS and -EPERM of KVM. */
    private static final long KVM_ENOSYS = -1000, KVM_EPERM = -1;

    private SystemInstructions() {}

    /** Executes one; sets RIP if the form ends a block. */
    public static void execute(Cpu cpu, Instruction i) {
        switch (i.op) {
            case CLI -> clearInterrupts(cpu);
            case STI -> setInterrupts(cpu);
            case HLT -> halt(cpu);
            case MOV_CR -> moveControl(cpu, i);
            case MOV_DR -> moveDebug(cpu, i);
            case LMSW -> ControlRegisters.loadMachineStatus(cpu, SegmentInstructions.selector(cpu, i, i.a));
            case CLTS -> {
                cpu.cr0 &= ~Cpu.CR0_TS;
                cpu.updateMode();
            }
            case RDMSR -> setPair(cpu, Msrs.read(cpu, (int) cpu.r[Cpu.RCX]));
            case WRMSR -> {
                long value = cpu.r[Cpu.RDX] << 32 | cpu.r[Cpu.RAX] & 0xffffffffL;
                Msrs.write(cpu, (int) cpu.r[Cpu.RCX], value);
            }
            case RDTSC -> readTsc(cpu);
            case RDTSCP -> {
                readTsc(cpu);
                cpu.r[Cpu.RCX] = cpu.tscAux & 0xffffffffL;
            }
            case CPUID -> cpuid(cpu);
            case SWAPGS -> {
                long base = cpu.segmentBase[Cpu.GS];
                cpu.segmentBase[Cpu.GS] = cpu.kernelGsBase;
                cpu.kernelGsBase = base;
            }
            case CLAC -> setAc(cpu, false);
            case STAC -> setAc(cpu, true);
            case INVLPG -> cpu.mmu.flushPage(address(cpu, i));
            case IN -> in(cpu, i);
            case OUT -> out(cpu, i);
            case RDRAND, RDSEED -> random(cpu, i);
            case LFENCE, MFENCE, SFENCE -> VarHandle.fullFence();
            case CLFLUSH -> cpu.mmu.load8(Operands.linear(cpu, i, 1, false));
            case PREFETCH, INVD, WBINVD -> {}
            case VMCALL, VMMCALL -> cpu.r[Cpu.RAX] = result(cpu, cpu.cpl == 0 ? KVM_ENOSYS : KVM_EPERM);
            case RDPMC -> throw cpu.fault(CpuFault.GP);
            case INVPCID -> invalidate(cpu, i);
            case RSM, MONITOR, MWAIT, XGETBV, XSETBV -> throw cpu.fault(CpuFault.UD);
            default -> executeTable(cpu, i);
        }
        if (i.form.has(Form.Attribute.ENDS)) {
            cpu.advance(i);
        }
    }

    private static void executeTable(Cpu cpu, Instruction i) {
        switch (i.op) {
            case LGDT -> loadTable(cpu, i, false);
            case LIDT -> loadTable(cpu, i, true);
            case SGDT -> storeTable(cpu, i, cpu.gdtrBase, cpu.gdtrLimit);
            case SIDT -> storeTable(cpu, i, cpu.idtrBase, cpu.idtrLimit);
            case LLDT -> Segmentation.loadLdt(cpu, SegmentInstructions.selector(cpu, i, i.a), CpuFault.GP);
            case LTR -> Segmentation.loadTask(cpu, SegmentInstructions.selector(cpu, i, i.a));
            case SLDT -> storeHidden(cpu, i, cpu.selector[Cpu.LDTR]);
            case STR -> storeHidden(cpu, i, cpu.selector[Cpu.TR]);
            case SMSW -> storeHidden(cpu, i, cpu.cr0);
            case RDFSBASE -> readBase(cpu, i, Cpu.FS);
            case RDGSBASE -> readBase(cpu, i, Cpu.GS);
            case WRFSBASE -> writeBase(cpu, i, Cpu.FS);
            case WRGSBASE -> writeBase(cpu, i, Cpu.GS);
            default -> throw new IllegalArgumentException(i.op + " is no system instruction");
        }
    }

    private static int ioPrivilege(Cpu cpu) {
        return cpu.systemFlags >> 12 & 3;
    }

    /** Whether CLI and STI act on VIF: in virtual-8086 mode with CR4.VME, at level 3 with CR4.PVI. */
    private static boolean virtualInterrupts(Cpu cpu) {
        long bit = cpu.virtual8086() ? Cpu.CR4_VME : Cpu.CR4_PVI;
        return cpu.cpl == 3 && (cpu.cr4 & bit) != 0;
    }

    private static void clearInterrupts(Cpu cpu) {
        if (!cpu.protectedMode() || cpu.cpl <= ioPrivilege(cpu)) {
            cpu.systemFlags &= ~Cpu.IF;
        } else if (virtualInterrupts(cpu)) {
            cpu.systemFlags &= ~Cpu.VIF;
        } else {
            throw cpu.fault(CpuFault.GP);
        }
    }

    private static void setInterrupts(Cpu cpu) {
        if (!cpu.protectedMode() || cpu.cpl <= ioPrivilege(cpu)) {
            if ((cpu.systemFlags & Cpu.IF) == 0) {
                cpu.systemFlags |= Cpu.IF;
                cpu.interruptShadow = true;
                cpu.interruptsEnabled();
            }
        } else if (virtualInterrupts(cpu) && (cpu.systemFlags & Cpu.VIP) == 0) {
            cpu.systemFlags |= Cpu.VIF;
        } else {
            throw cpu.fault(CpuFault.GP);
        }
    }

    private static void halt(Cpu cpu) {
        requireSupervisor(cpu);
        cpu.halted = true;
        cpu.counters.halts++;
        cpu.interruptShadow = false;
        cpu.interrupt();
    }

    private static void moveControl(Cpu cpu, Instruction i) {
        requireSupervisor(cpu);
        if (i.a.kind() == Operand.Kind.CONTROL) {
            ControlRegisters.write(cpu, i.a.register(), cpu.r[i.b.register()] & registerMask(cpu));
        } else {
            cpu.r[i.a.register()] = ControlRegisters.read(cpu, i.b.register()) & registerMask(cpu);
        }
    }

    private static void moveDebug(Cpu cpu, Instruction i) {
        requireSupervisor(cpu);
        if (i.a.kind() == Operand.Kind.DEBUG) {
            Debug.write(cpu, i.a.register(), cpu.r[i.b.register()] & registerMask(cpu));
        } else {
            cpu.r[i.a.register()] = Debug.read(cpu, i.b.register()) & registerMask(cpu);
        }
    }

    private static long registerMask(Cpu cpu) {
        return cpu.codeSize == 64 ? -1 : 0xffffffffL;
    }

    private static void readTsc(Cpu cpu) {
        if ((cpu.cr4 & Cpu.CR4_TSD) != 0 && cpu.cpl != 0) {
            throw cpu.fault(CpuFault.GP);
        }
        setPair(cpu, cpu.platform.tsc(cpu));
    }

    private static void setPair(Cpu cpu, long value) {
        cpu.r[Cpu.RAX] = value & 0xffffffffL;
        cpu.r[Cpu.RDX] = value >>> 32;
    }

    private static void cpuid(Cpu cpu) {
        int[] result = new int[4];
        cpu.model.cpuid(cpu, (int) cpu.r[Cpu.RAX], (int) cpu.r[Cpu.RCX], result);
        cpu.r[Cpu.RAX] = result[0] & 0xffffffffL;
        cpu.r[Cpu.RBX] = result[1] & 0xffffffffL;
        cpu.r[Cpu.RCX] = result[2] & 0xffffffffL;
        cpu.r[Cpu.RDX] = result[3] & 0xffffffffL;
    }

    private static void setAc(Cpu cpu, boolean set) {
        if (cpu.cpl != 0) {
            throw cpu.fault(CpuFault.UD);
        }
        cpu.systemFlags = set ? cpu.systemFlags | Cpu.AC : cpu.systemFlags & ~Cpu.AC;
        cpu.updateMode();
    }

    /** The memory operand's linear address, without a check of its segment. */
    private static long address(Cpu cpu, Instruction i) {
        long offset = Operands.offset(cpu, i);
        if (cpu.codeSize == 64) {
            return i.segment == Cpu.FS || i.segment == Cpu.GS ? offset + cpu.segmentBase[i.segment] : offset;
        }
        return offset + (i.segment == Cpu.FLAT ? 0 : cpu.segmentBase[i.segment]) & 0xffffffffL;
    }

    private static void invalidate(Cpu cpu, Instruction i) {
        if (!CpuModel.PCID) {
            throw cpu.fault(CpuFault.UD);
        }
        long linear = Operands.linear(cpu, i, 16, false);
        long pcid = cpu.mmu.load64(linear);
        long address = cpu.mmu.load64(linear + 8);
        ControlRegisters.invalidate(cpu, cpu.r[i.a.register()] & registerMask(cpu), pcid, address);
    }

    private static int port(Cpu cpu, Operand operand, Instruction i) {
        return operand.kind() == Operand.Kind.IMMEDIATE ? (int) i.immediate & 0xff : (int) cpu.r[Cpu.RDX] & 0xffff;
    }

    private static void in(Cpu cpu, Instruction i) {
        int size = Math.min(i.a.size(), 4);
        int port = port(cpu, i.b, i);
        Ports.check(cpu, port, size);
        cpu.counters.portReads++;
        Operands.writeRegister(cpu, Cpu.RAX, size, cpu.platform.in(port, size) & Operands.mask(size));
    }

    private static void out(Cpu cpu, Instruction i) {
        int size = Math.min(i.b.size(), 4);
        int port = port(cpu, i.a, i);
        Ports.check(cpu, port, size);
        cpu.counters.portWrites++;
        cpu.platform.out(port, size, (int) (cpu.r[Cpu.RAX] & Operands.mask(size)));
    }

    private static void random(Cpu cpu, Instruction i) {
        Operands.write(cpu, i, i.a, cpu.platform.random(cpu));
        cpu.setArithmeticFlags(Cpu.CF);
    }

    private static long result(Cpu cpu, long value) {
        return cpu.codeSize == 64 ? value : value & 0xffffffffL;
    }

    /** LGDT and LIDT: with a 16-bit operand size the base has 24 bits. */
    private static void loadTable(Cpu cpu, Instruction i, boolean interrupts) {
        requireSupervisor(cpu);
        boolean wide = cpu.codeSize == 64;
        long linear = Operands.linear(cpu, i, wide ? 10 : 6, false);
        int limit = (int) cpu.mmu.load16(linear);
        long base = cpu.mmu.load(linear + 2, wide ? 8 : 4);
        if (!wide && i.operandSize == 2) {
            base &= 0xffffff;
        }
        if (!Descriptors.canonical(base)) {
            throw cpu.fault(CpuFault.GP);
        }
        if (interrupts) {
            cpu.idtrBase = base;
            cpu.idtrLimit = limit;
        } else {
            cpu.gdtrBase = base;
            cpu.gdtrLimit = limit;
        }
    }

    private static void storeTable(Cpu cpu, Instruction i, long base, int limit) {
        requireVisible(cpu);
        boolean wide = cpu.codeSize == 64;
        long linear = Operands.linear(cpu, i, wide ? 10 : 6, true);
        cpu.mmu.checkWrite(linear, wide ? 10 : 6);
        cpu.mmu.store16(linear, limit);
        cpu.mmu.store(linear + 2, wide ? 8 : 4, base);
    }

    private static void storeHidden(Cpu cpu, Instruction i, long value) {
        requireVisible(cpu);
        SegmentInstructions.storeSelector(cpu, i, value);
    }

    /** User-mode instruction prevention. */
    private static void requireVisible(Cpu cpu) {
        if ((cpu.cr4 & Cpu.CR4_UMIP) != 0 && cpu.cpl != 0) {
            throw cpu.fault(CpuFault.GP);
        }
    }

    private static void requireSupervisor(Cpu cpu) {
        if (cpu.cpl != 0) {
            throw cpu.fault(CpuFault.GP);
        }
    }

    private static void requireBases(Cpu cpu) {
        if ((cpu.cr4 & Cpu.CR4_FSGSBASE) == 0 || cpu.codeSize != 64) {
            throw cpu.fault(CpuFault.UD);
        }
    }

    private static void readBase(Cpu cpu, Instruction i, int segment) {
        requireBases(cpu);
        Operands.write(cpu, i, i.a, cpu.segmentBase[segment]);
    }

    private static void writeBase(Cpu cpu, Instruction i, int segment) {
        requireBases(cpu);
        long base = Operands.read(cpu, i, i.a);
        if (!Descriptors.canonical(base)) {
            throw cpu.fault(CpuFault.GP);
        }
        cpu.segmentBase[segment] = base;
    }
}
