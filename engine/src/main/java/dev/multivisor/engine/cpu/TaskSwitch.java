package dev.multivisor.engine.cpu;

/**
 * Task switches (Intel SDM vol. 3, 7.2 to 7.4 and 7.6), outside IA-32e mode. Everything up to the point where the new
 * task begins is checked first and raises its fault in the old task; segments of the new one raise theirs in the new.
 */
final class TaskSwitch {
    private enum Kind {
        JUMP,
        /** CALL, interrupt or exception: the new task is nested in the old one. */
        NEST,
        RETURN
    }

    /** Segment registers in the order of a TSS. */
    private static final int[] SEGMENTS = {Cpu.ES, Cpu.CS, Cpu.SS, Cpu.DS, Cpu.FS, Cpu.GS};

    private TaskSwitch() {}

    /** Whether a system descriptor leads to a task: a TSS or a task gate, outside IA-32e mode. */
    static boolean reached(Cpu cpu, int type) {
        boolean state = (type & ~10) == Descriptors.TSS16; // 1, 3, 9, 11
        return !cpu.longMode() && (state || type == Descriptors.TASK_GATE);
    }

    /** The TSS selector that a selector of a TSS or task gate stands for. */
    static int target(Cpu cpu, int selector, long descriptor) {
        int type = Descriptors.systemType(Descriptors.access(descriptor));
        return type == Descriptors.TASK_GATE ? Descriptors.gateSelector(descriptor) : selector;
    }

    static void jump(Cpu cpu, int selector, long next) {
        perform(cpu, selector, Kind.JUMP, next, cpu.flags(), 0);
    }

    static void call(Cpu cpu, int selector, long next) {
        perform(cpu, selector, Kind.NEST, next, cpu.flags(), 0);
    }

    /** Through a task gate of the interrupt descriptor table. */
    static void interrupt(Cpu cpu, int selector, long next, int errorCode, int ext, long flags) {
        perform(cpu, selector, Kind.NEST, next, flags, ext);
        if (errorCode != Delivery.NO_CODE) {
            int size = (cpu.segmentAccess[Cpu.TR] & 8) != 0 ? 4 : 2;
            Frame frame = Frame.current(cpu, ext);
            frame.push(size, errorCode);
            frame.commit();
        }
    }

    /** IRET with NT set: back to the task of the link. */
    static void interruptReturn(Cpu cpu) {
        int link = (int) cpu.mmu.loadSystem(cpu.segmentBase[Cpu.TR], 2);
        long next = cpu.r[Cpu.RIP] + 1 & 0xffffffffL;
        perform(cpu, link, Kind.RETURN, next, cpu.flags() & ~Cpu.NT, 0);
    }

    private static void perform(Cpu cpu, int selector, Kind kind, long next, long flags, int ext) {
        int vector = kind == Kind.RETURN ? CpuFault.TS : CpuFault.GP;
        if ((selector & 4) != 0 || Descriptors.isNull(selector)) {
            throw cpu.fault(vector, selector & 0xfffc | ext);
        }
        long descriptor = Descriptors.read(cpu, selector, vector, ext);
        int access = Descriptors.access(descriptor);
        int type = Descriptors.systemType(access);
        boolean busy = kind == Kind.RETURN;
        if ((type & ~8) != (busy ? Descriptors.TSS16_BUSY : Descriptors.TSS16)) {
            throw cpu.fault(vector, selector & 0xfffc | ext);
        }
        if (!Descriptors.present(access)) {
            throw cpu.fault(CpuFault.NP, selector & 0xfffc | ext);
        }
        boolean wide = (type & 8) != 0;
        if ((Descriptors.limit(descriptor) & 0xffffffffL) < (wide ? 0x67 : 0x2b)) {
            throw cpu.fault(CpuFault.TS, selector & 0xfffc | ext);
        }
        long base = Descriptors.base(descriptor);
        int old = cpu.selector[Cpu.TR];
        int oldAccess = cpu.segmentAccess[Cpu.TR];
        Image image = Image.read(cpu, base, wide);
        cpu.mmu.storeSystem(Descriptors.address(cpu, selector, 8) + 5, 1, access | 2);
        cpu.torn = true;
        save(cpu, next, flags);
        if (kind == Kind.NEST) {
            cpu.mmu.storeSystem(base, 2, old);
        } else {
            Descriptors.setBusy(cpu, old, oldAccess, false);
        }
        Segmentation.set(cpu, Cpu.TR, selector, base, Descriptors.limit(descriptor), access | 2);
        cpu.cr0 |= Cpu.CR0_TS;
        cpu.dr[7] &= ~0x155L; // the local enable bits
        image.load(cpu, kind == Kind.NEST, ext);
        cpu.torn = false;
        if (image.trap) {
            throw Debug.taskTrap(cpu);
        }
    }

    /** Writes the registers to the old task's TSS. */
    private static void save(Cpu cpu, long next, long flags) {
        long base = cpu.segmentBase[Cpu.TR];
        boolean wide = (cpu.segmentAccess[Cpu.TR] & 8) != 0;
        int size = wide ? 4 : 2;
        long at = base + (wide ? 0x20 : 0xe);
        cpu.mmu.storeSystem(at, size, next);
        cpu.mmu.storeSystem(at + size, size, flags);
        for (int n = 0; n < 8; n++) {
            cpu.mmu.storeSystem(at + (2 + n) * size, size, cpu.r[n]);
        }
        for (int n = 0; n < (wide ? 6 : 4); n++) {
            cpu.mmu.storeSystem(at + (10 + n) * size, 2, cpu.selector[SEGMENTS[n]]);
        }
    }

    /** The dynamic and static fields of a TSS that a switch loads. */
    private static final class Image {
        private final boolean wide;
        private final long[] registers = new long[8];
        private final int[] selectors = new int[6];
        private long cr3;
        private long eip;
        private long flags;
        private int ldt;
        private boolean trap;

        private Image(boolean wide) {
            this.wide = wide;
        }

        static Image read(Cpu cpu, long base, boolean wide) {
            Image image = new Image(wide);
            int size = wide ? 4 : 2;
            long at = base + (wide ? 0x20 : 0xe);
            image.eip = cpu.mmu.loadSystem(at, size);
            image.flags = cpu.mmu.loadSystem(at + size, size);
            for (int n = 0; n < 8; n++) {
                image.registers[n] = cpu.mmu.loadSystem(at + (2 + n) * size, size);
            }
            for (int n = 0; n < (wide ? 6 : 4); n++) {
                image.selectors[n] = (int) cpu.mmu.loadSystem(at + (10 + n) * size, 2);
            }
            image.ldt = (int) cpu.mmu.loadSystem(base + (wide ? 0x60 : 0x2a), 2);
            if (wide) {
                image.cr3 = cpu.mmu.loadSystem(base + 0x1c, 4);
                image.trap = (cpu.mmu.loadSystem(base + 0x64, 2) & 1) != 0;
            }
            return image;
        }

        void load(Cpu cpu, boolean nested, int ext) {
            if (wide && (cpu.cr0 & Cpu.CR0_PG) != 0) {
                ControlRegisters.loadCr3(cpu, cr3);
            }
            cpu.r[Cpu.RIP] = eip;
            cpu.setFlags((wide ? flags : flags & ~Cpu.VM) | (nested ? Cpu.NT : 0));
            for (int n = 0; n < 8; n++) {
                cpu.r[n] = wide ? registers[n] : 0xffff0000L | registers[n];
            }
            for (int n = 0; n < 6; n++) {
                Segmentation.loadNull(cpu, SEGMENTS[n], selectors[n]);
            }
            Segmentation.loadNull(cpu, Cpu.LDTR, ldt);
            cpu.cpl = cpu.virtual8086() ? 3 : selectors[1] & 3;
            cpu.updateMode();
            Segmentation.loadLdt(cpu, ldt, CpuFault.TS);
            if (cpu.virtual8086()) {
                for (int n = 0; n < 6; n++) {
                    Segmentation.loadVirtual(cpu, SEGMENTS[n], selectors[n]);
                }
            } else {
                loadCode(cpu, selectors[1], ext);
                loadStack(cpu, selectors[2], ext);
                for (int segment = Cpu.DS; segment <= Cpu.GS; segment++) {
                    loadData(cpu, segment, selectors[segment], ext);
                }
                loadData(cpu, Cpu.ES, selectors[0], ext);
            }
            cpu.updateMode();
            FarInstructions.checkRealOffset(cpu, eip);
        }

        private static void loadCode(Cpu cpu, int selector, int ext) {
            if (Descriptors.isNull(selector)) {
                throw cpu.fault(CpuFault.TS, ext);
            }
            long descriptor = Descriptors.read(cpu, selector, CpuFault.TS, ext);
            int access = Descriptors.access(descriptor);
            int dpl = Descriptors.dpl(access);
            int level = selector & 3;
            if (!Descriptors.code(access) || (Descriptors.conformingCode(access) ? dpl > level : dpl != level)) {
                throw cpu.fault(CpuFault.TS, selector & 0xfffc | ext);
            }
            if (!Descriptors.present(access)) {
                throw cpu.fault(CpuFault.NP, selector & 0xfffc | ext);
            }
            access = Descriptors.setAccessed(cpu, selector, access);
            Segmentation.loadCode(cpu, selector, descriptor, access, level);
        }

        private static void loadStack(Cpu cpu, int selector, int ext) {
            long descriptor = Delivery.readStack(cpu, selector, cpu.cpl, ext);
            int access = Descriptors.setAccessed(cpu, selector, Descriptors.access(descriptor));
            Segmentation.set(cpu, Cpu.SS, selector, descriptor, access);
        }

        private static void loadData(Cpu cpu, int segment, int selector, int ext) {
            if (Descriptors.isNull(selector)) {
                return;
            }
            long descriptor = Descriptors.read(cpu, selector, CpuFault.TS, ext);
            int access = Descriptors.access(descriptor);
            if (!Descriptors.readable(access) || !Segmentation.privilegeAllows(cpu, selector, access)) {
                throw cpu.fault(CpuFault.TS, selector & 0xfffc | ext);
            }
            if (!Descriptors.present(access)) {
                throw cpu.fault(CpuFault.NP, selector & 0xfffc | ext);
            }
            access = Descriptors.setAccessed(cpu, selector, access);
            Segmentation.set(cpu, segment, selector, descriptor, access);
        }
    }
}
