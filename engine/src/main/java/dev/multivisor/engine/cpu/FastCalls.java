package dev.multivisor.engine.cpu;

import dev.multivisor.engine.isa.Instruction;

/** SYSCALL, SYSRET, SYSENTER and SYSEXIT as Intel has them (Intel SDM vol. 2): the tables are not looked at. */
final class FastCalls {
    /** The flags that SYSRET takes from R11: all but RF and VM. */
    private static final int RESTORED =
            Cpu.ARITHMETIC | Cpu.TF | Cpu.IF | Cpu.DF | Cpu.IOPL | Cpu.NT | Cpu.AC | Cpu.VIF | Cpu.VIP | Cpu.ID;

    private FastCalls() {}

    static void syscall(Cpu cpu, Instruction i) {
        requireEnabled(cpu);
        long flags = cpu.flags() & ~Cpu.RF;
        cpu.r[Cpu.RCX] = cpu.r[Cpu.RIP] + i.length;
        cpu.r[11] = flags;
        cpu.setFlags(flags & ~cpu.sfmask);
        int selector = (int) (cpu.star >>> 32) & 0xfffc;
        Segmentation.loadFlat(cpu, Cpu.CS, selector, 0, true, true);
        Segmentation.loadFlat(cpu, Cpu.SS, selector + 8, 0, false, false);
        cpu.cpl = 0;
        cpu.updateMode();
        cpu.r[Cpu.RIP] = cpu.lstar;
    }

    static void sysret(Cpu cpu, Instruction i) {
        requireEnabled(cpu);
        boolean wide = i.operandSize == 8;
        long target = cpu.r[Cpu.RCX];
        if (cpu.cpl != 0 || wide && !Descriptors.canonical(target)) {
            throw cpu.fault(CpuFault.GP);
        }
        boolean masked = (cpu.systemFlags & Cpu.IF) == 0;
        cpu.setFlags(cpu.r[11] & RESTORED);
        int selector = (int) (cpu.star >>> 48);
        Segmentation.loadFlat(cpu, Cpu.CS, (wide ? selector + 16 : selector) & 0xffff | 3, 3, true, wide);
        Segmentation.loadFlat(cpu, Cpu.SS, selector + 8 & 0xffff | 3, 3, false, false);
        cpu.cpl = 3;
        cpu.updateMode();
        cpu.r[Cpu.RIP] = wide ? target : target & 0xffffffffL;
        if (masked && (cpu.systemFlags & Cpu.IF) != 0) {
            cpu.interruptsEnabled();
        }
    }

    private static void requireEnabled(Cpu cpu) {
        if ((cpu.efer & Cpu.EFER_SCE) == 0 || cpu.codeSize != 64) {
            throw cpu.fault(CpuFault.UD);
        }
    }

    static void sysenter(Cpu cpu) {
        requireSelector(cpu);
        boolean wide = cpu.longMode();
        cpu.systemFlags &= ~(Cpu.VM | Cpu.IF | Cpu.RF);
        int selector = (int) cpu.sysenterCs & 0xfffc;
        Segmentation.loadFlat(cpu, Cpu.CS, selector, 0, true, wide);
        Segmentation.loadFlat(cpu, Cpu.SS, selector + 8 & 0xffff, 0, false, false);
        cpu.cpl = 0;
        cpu.updateMode();
        cpu.r[Cpu.RSP] = wide ? cpu.sysenterEsp : cpu.sysenterEsp & 0xffffffffL;
        cpu.r[Cpu.RIP] = wide ? cpu.sysenterEip : cpu.sysenterEip & 0xffffffffL;
    }

    static void sysexit(Cpu cpu, Instruction i) {
        requireSelector(cpu);
        boolean wide = i.operandSize == 8;
        long target = cpu.r[Cpu.RDX];
        long stack = cpu.r[Cpu.RCX];
        boolean canonical = Descriptors.canonical(target) && Descriptors.canonical(stack);
        if (cpu.cpl != 0 || wide && !canonical) {
            throw cpu.fault(CpuFault.GP);
        }
        int selector = ((int) cpu.sysenterCs & 0xfffc) + (wide ? 32 : 16);
        Segmentation.loadFlat(cpu, Cpu.CS, selector & 0xffff | 3, 3, true, wide);
        Segmentation.loadFlat(cpu, Cpu.SS, selector + 8 & 0xffff | 3, 3, false, false);
        cpu.cpl = 3;
        cpu.updateMode();
        cpu.r[Cpu.RSP] = wide ? stack : stack & 0xffffffffL;
        cpu.r[Cpu.RIP] = wide ? target : target & 0xffffffffL;
    }

    private static void requireSelector(Cpu cpu) {
        if (!cpu.protectedMode() || (cpu.sysenterCs & 0xfffc) == 0) {
            throw cpu.fault(CpuFault.GP);
        }
    }
}
