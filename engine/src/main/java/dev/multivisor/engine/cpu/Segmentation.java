package dev.multivisor.engine.cpu;

/** Loading of segment registers with the manual's checks (Intel SDM vol. 3, 5.5 to 5.8; vol. 2, MOV, LLDT, LTR). */
public final class Segmentation {
    /** What a data segment has in real mode, and in virtual-8086 mode. */
    static final int REAL_ACCESS = 0x93, VIRTUAL_ACCESS = 0xf3;

    private Segmentation() {}

    /** Loads ES, SS, DS, FS or GS as MOV, POP and LDS do. The interrupt shadow of SS is the caller's. */
    public static void load(Cpu cpu, int segment, int selector) {
        selector &= 0xffff;
        if (!cpu.protectedMode()) {
            loadReal(cpu, segment, selector);
        } else if (cpu.virtual8086()) {
            loadVirtual(cpu, segment, selector);
        } else if (segment == Cpu.SS) {
            loadStack(cpu, selector);
        } else {
            loadData(cpu, segment, selector);
        }
        if (segment == Cpu.SS) {
            cpu.updateMode();
        }
    }

    /** Real mode changes neither limit nor access rights: a limit of 4 GiB set in protected mode stays. */
    static void loadReal(Cpu cpu, int segment, int selector) {
        cpu.selector[segment] = selector;
        cpu.segmentBase[segment] = (long) selector << 4;
    }

    static void loadVirtual(Cpu cpu, int segment, int selector) {
        set(cpu, segment, selector, (long) selector << 4, 0xffff, VIRTUAL_ACCESS);
    }

    static void loadNull(Cpu cpu, int segment, int selector) {
        set(cpu, segment, selector, 0, 0, 0);
    }

    static void set(Cpu cpu, int segment, int selector, long base, int limit, int access) {
        cpu.selector[segment] = selector;
        cpu.segmentBase[segment] = base;
        cpu.segmentLimit[segment] = limit;
        cpu.segmentAccess[segment] = access;
    }

    static void set(Cpu cpu, int segment, int selector, long descriptor, int access) {
        set(cpu, segment, selector, Descriptors.base(descriptor), Descriptors.limit(descriptor), access);
    }

    private static void loadStack(Cpu cpu, int selector) {
        if (Descriptors.isNull(selector)) {
            if (cpu.codeSize != 64 || cpu.cpl == 3 || (selector & 3) != cpu.cpl) {
                throw cpu.fault(CpuFault.GP);
            }
            loadNull(cpu, Cpu.SS, selector);
            return;
        }
        long descriptor = Descriptors.read(cpu, selector, CpuFault.GP, 0);
        int access = Descriptors.access(descriptor);
        checkStack(cpu, selector, access, cpu.cpl, CpuFault.GP, 0);
        set(cpu, Cpu.SS, selector, descriptor, Descriptors.setAccessed(cpu, selector, access));
    }

    /** Checks a stack segment for a privilege level: RPL, type, DPL and presence. */
    static void checkStack(Cpu cpu, int selector, int access, int cpl, int vector, int ext) {
        boolean right = (selector & 3) == cpl && Descriptors.dpl(access) == cpl;
        if (!right || !Descriptors.writableData(access)) {
            throw cpu.fault(vector, selector & 0xfffc | ext);
        }
        if (!Descriptors.present(access)) {
            throw cpu.fault(CpuFault.SS, selector & 0xfffc | ext);
        }
    }

    private static void loadData(Cpu cpu, int segment, int selector) {
        if (Descriptors.isNull(selector)) {
            loadNull(cpu, segment, selector);
            return;
        }
        long descriptor = Descriptors.read(cpu, selector, CpuFault.GP, 0);
        int access = Descriptors.access(descriptor);
        if (!Descriptors.readable(access) || !privilegeAllows(cpu, selector, access)) {
            throw cpu.fault(CpuFault.GP, selector & 0xfffc);
        }
        if (!Descriptors.present(access)) {
            throw cpu.fault(CpuFault.NP, selector & 0xfffc);
        }
        set(cpu, segment, selector, descriptor, Descriptors.setAccessed(cpu, selector, access));
    }

    /** DPL is at least CPL and RPL, which conforming code does not ask for. */
    static boolean privilegeAllows(Cpu cpu, int selector, int access) {
        return Descriptors.conformingCode(access) || Math.max(cpu.cpl, selector & 3) <= Descriptors.dpl(access);
    }

    /** Loads CS with a descriptor that was checked, and changes the privilege level. */
    static void loadCode(Cpu cpu, int selector, long descriptor, int access, int cpl) {
        set(cpu, Cpu.CS, selector & 0xfffc | cpl, descriptor, access);
        cpu.cpl = cpl;
        cpu.updateMode();
    }

    /** LLDT. */
    static void loadLdt(Cpu cpu, int selector, int vector) {
        selector &= 0xffff;
        if (Descriptors.isNull(selector)) {
            loadNull(cpu, Cpu.LDTR, selector);
            return;
        }
        if ((selector & 4) != 0) {
            throw cpu.fault(vector, selector & 0xfffc);
        }
        long descriptor = Descriptors.read(cpu, selector, vector, 0);
        int access = Descriptors.access(descriptor);
        if (Descriptors.systemType(access) != Descriptors.LDT) {
            throw cpu.fault(vector, selector & 0xfffc);
        }
        if (!Descriptors.present(access)) {
            throw cpu.fault(vector == CpuFault.GP ? CpuFault.NP : vector, selector & 0xfffc);
        }
        long base = systemBase(cpu, selector, descriptor);
        set(cpu, Cpu.LDTR, selector, base, Descriptors.limit(descriptor), access);
    }

    /** LTR. */
    static void loadTask(Cpu cpu, int selector) {
        selector &= 0xffff;
        if (Descriptors.isNull(selector)) {
            throw cpu.fault(CpuFault.GP);
        }
        if ((selector & 4) != 0) {
            throw cpu.fault(CpuFault.GP, selector & 0xfffc);
        }
        long descriptor = Descriptors.read(cpu, selector, CpuFault.GP, 0);
        int access = Descriptors.access(descriptor);
        int type = Descriptors.systemType(access);
        if (type != Descriptors.TSS32 && (type != Descriptors.TSS16 || cpu.longMode())) {
            throw cpu.fault(CpuFault.GP, selector & 0xfffc);
        }
        if (!Descriptors.present(access)) {
            throw cpu.fault(CpuFault.NP, selector & 0xfffc);
        }
        long base = systemBase(cpu, selector, descriptor);
        Descriptors.setBusy(cpu, selector, access, true);
        set(cpu, Cpu.TR, selector, base, Descriptors.limit(descriptor), access | 2);
    }

    /** Base of an LDT or TSS, whose descriptor has 16 bytes in IA-32e mode. */
    private static long systemBase(Cpu cpu, int selector, long descriptor) {
        if (!cpu.longMode()) {
            return Descriptors.base(descriptor);
        }
        long high = Descriptors.readHigh(cpu, selector, CpuFault.GP, 0);
        long base = Descriptors.base(descriptor) | high << 32;
        if (!Descriptors.canonical(base) || (high >>> 40 & 0x1f) != 0) {
            throw cpu.fault(CpuFault.GP, selector & 0xfffc);
        }
        return base;
    }

    /** After a return to an outer level: data segments that it may not use become null (SDM vol. 3, 5.8.6). */
    static void dropInner(Cpu cpu) {
        for (int segment = Cpu.ES; segment <= Cpu.GS; segment++) {
            int access = cpu.segmentAccess[segment];
            if (segment != Cpu.CS
                    && segment != Cpu.SS
                    && access != 0
                    && !Descriptors.conformingCode(access)
                    && Descriptors.dpl(access) < cpu.cpl) {
                cpu.selector[segment] = 0;
                cpu.segmentAccess[segment] = 0;
            }
        }
    }

    /** A flat segment, as SYSCALL and SYSENTER load without looking at the tables. */
    static void loadFlat(Cpu cpu, int segment, int selector, int dpl, boolean code, boolean wide) {
        int size = wide ? Descriptors.L : Descriptors.DB;
        int type = code ? 0xb | size : 3 | Descriptors.DB;
        int access = Descriptors.PRESENT | Descriptors.S | dpl << 5 | Descriptors.G | type;
        set(cpu, segment, selector, 0, -1, access);
    }
}
