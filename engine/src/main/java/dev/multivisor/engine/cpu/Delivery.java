package dev.multivisor.engine.cpu;

/**
 * The way through one gate of the interrupt descriptor table, or the interrupt vector table in real mode (Intel SDM
 * vol. 3, 6.10 to 6.14, 20.1.4 and 20.3). Everything that may fault comes before the first change of a register; words
 * already pushed then lie below the stack pointer.
 */
final class Delivery {
    /** No error code is pushed. Every real one has fewer bits. */
    static final int NO_CODE = -1;

    private static final int CLEARED = Cpu.TF | Cpu.NT | Cpu.RF | Cpu.VM;

    private Delivery() {}

    /**
     * Enters a handler.
     *
     * @param software INT n, INT3 or INTO: the gate's DPL counts
     * @param errorCode to push, or {@link #NO_CODE}
     * @param ext the EXT bit of error codes of faults met here
     * @param next return address
     * @param resume set RF in the flags pushed
     */
    static void enter(Cpu cpu, int vector, boolean software, int errorCode, int ext, long next, boolean resume) {
        long flags = cpu.flags() | (resume ? Cpu.RF : 0);
        if (!cpu.protectedMode()) {
            real(cpu, vector, cpu.idtrBase, flags & ~Cpu.RF, next);
        } else if (cpu.longMode()) {
            wide(cpu, vector, software, errorCode, ext, next, flags);
        } else {
            legacy(cpu, vector, software, errorCode, ext, next, flags);
        }
    }

    /** Real mode: four bytes of vector and no more than three words pushed. */
    static void real(Cpu cpu, int vector, long table, long flags, long next) {
        if (vector * 4 + 3 > cpu.idtrLimit) {
            throw cpu.fault(CpuFault.GP);
        }
        long entry = cpu.mmu.loadSystem(table + vector * 4, 4);
        Frame frame = Frame.current(cpu, 0);
        frame.push(2, flags);
        frame.push(2, cpu.selector[Cpu.CS]);
        frame.push(2, next);
        frame.commit();
        cpu.systemFlags &= ~(Cpu.IF | Cpu.TF | Cpu.AC | Cpu.RF);
        Segmentation.loadReal(cpu, Cpu.CS, (int) (entry >>> 16) & 0xffff);
        cpu.updateMode();
        cpu.r[Cpu.RIP] = entry & 0xffff;
    }

    private static int gateError(int vector, int ext) {
        return vector * 8 + 2 + ext;
    }

    private static void legacy(Cpu cpu, int vector, boolean software, int errorCode, int ext, long next, long flags) {
        if (software
                && cpu.virtual8086()
                && vector != CpuFault.BP
                && vector != CpuFault.OF
                && VirtualMode.interrupt(cpu, vector, next)) {
            return;
        }
        int error = gateError(vector, ext);
        if (vector * 8 + 7 > cpu.idtrLimit) {
            throw cpu.fault(CpuFault.GP, error);
        }
        long gate = cpu.mmu.loadSystem(cpu.idtrBase + vector * 8, 8);
        int access = Descriptors.access(gate);
        int type = Descriptors.systemType(access);
        boolean passable = type == Descriptors.TASK_GATE || (type & ~9) == Descriptors.INTERRUPT16; // 6, 7, 14, 15
        if (!passable || software && Descriptors.dpl(access) < cpu.cpl) {
            throw cpu.fault(CpuFault.GP, error);
        }
        if (!Descriptors.present(access)) {
            throw cpu.fault(CpuFault.NP, error);
        }
        if (type == Descriptors.TASK_GATE) {
            TaskSwitch.interrupt(cpu, Descriptors.gateSelector(gate), next, errorCode, ext, flags);
            return;
        }
        int size = type >= 8 ? 4 : 2;
        long offset = Descriptors.gateOffset(gate) & Operands.mask(size);
        int selector = Descriptors.gateSelector(gate);
        long descriptor = readCode(cpu, selector, ext);
        int code = Descriptors.access(descriptor);
        checkOffset(cpu, offset, descriptor, ext);
        boolean virtual = cpu.virtual8086();
        int cpl = Descriptors.conformingCode(code) ? cpu.cpl : Descriptors.dpl(code);
        if (virtual && cpl != 0) {
            throw cpu.fault(CpuFault.GP, selector & 0xfffc | ext);
        }
        Frame frame;
        int stackSelector = 0;
        long stack = 0;
        boolean inner = cpl < cpu.cpl;
        if (inner) {
            long pointer = TaskState.stack(cpu, cpl, ext);
            stackSelector = TaskState.stackSelector(cpu, cpl, ext);
            stack = readStack(cpu, stackSelector, cpl, ext);
            frame = Frame.inner(cpu, stack, pointer, stackSelector & 0xfffc | ext);
            if (virtual) {
                frame.push(size, cpu.selector[Cpu.GS]);
                frame.push(size, cpu.selector[Cpu.FS]);
                frame.push(size, cpu.selector[Cpu.DS]);
                frame.push(size, cpu.selector[Cpu.ES]);
            }
            frame.push(size, cpu.selector[Cpu.SS]);
            frame.push(size, cpu.r[Cpu.RSP]);
        } else {
            frame = Frame.current(cpu, ext);
        }
        pushReturn(cpu, frame, size, flags, next, errorCode);
        code = Descriptors.setAccessed(cpu, selector, code);
        if (inner) {
            int stackAccess = Descriptors.setAccessed(cpu, stackSelector, Descriptors.access(stack));
            Segmentation.set(cpu, Cpu.SS, stackSelector, stack, stackAccess);
            if (virtual) {
                Segmentation.loadNull(cpu, Cpu.GS, 0);
                Segmentation.loadNull(cpu, Cpu.FS, 0);
                Segmentation.loadNull(cpu, Cpu.DS, 0);
                Segmentation.loadNull(cpu, Cpu.ES, 0);
            }
        }
        frame.commit();
        finish(cpu, selector, descriptor, code, cpl, offset, (type & 1) == 0);
    }

    /** IA-32e mode: 16-byte gates, a flat stack that may come from the interrupt stack table. */
    private static void wide(Cpu cpu, int vector, boolean software, int errorCode, int ext, long next, long flags) {
        int error = gateError(vector, ext);
        if (vector * 16 + 15 > cpu.idtrLimit) {
            throw cpu.fault(CpuFault.GP, error);
        }
        long gate = cpu.mmu.loadSystem(cpu.idtrBase + vector * 16, 8);
        long high = cpu.mmu.loadSystem(cpu.idtrBase + vector * 16 + 8, 8);
        int access = Descriptors.access(gate);
        int type = Descriptors.systemType(access);
        boolean passable = type == Descriptors.INTERRUPT32 || type == Descriptors.TRAP32;
        if (!passable || (high >>> 40 & 0x1f) != 0 || software && Descriptors.dpl(access) < cpu.cpl) {
            throw cpu.fault(CpuFault.GP, error);
        }
        if (!Descriptors.present(access)) {
            throw cpu.fault(CpuFault.NP, error);
        }
        long offset = Descriptors.gateOffset(gate) | high << 32;
        int selector = Descriptors.gateSelector(gate);
        long descriptor = readCode(cpu, selector, ext);
        int code = Descriptors.access(descriptor);
        if ((code & (Descriptors.L | Descriptors.DB)) != Descriptors.L) {
            throw cpu.fault(CpuFault.GP, selector & 0xfffc | ext);
        }
        if (!Descriptors.canonical(offset)) {
            throw cpu.fault(CpuFault.GP, ext);
        }
        int cpl = Descriptors.conformingCode(code) ? cpu.cpl : Descriptors.dpl(code);
        boolean inner = cpl < cpu.cpl;
        int table = (int) (gate >>> 32) & 7;
        long pointer = table != 0
                ? TaskState.interruptStack(cpu, table, ext)
                : inner ? TaskState.stack64(cpu, cpl, ext) : cpu.r[Cpu.RSP];
        Frame frame = Frame.flat(cpu, pointer & ~15L, inner, ext);
        frame.push(8, cpu.selector[Cpu.SS]);
        frame.push(8, cpu.r[Cpu.RSP]);
        pushReturn(cpu, frame, 8, flags, next, errorCode);
        code = Descriptors.setAccessed(cpu, selector, code);
        if (inner) {
            Segmentation.loadNull(cpu, Cpu.SS, cpl);
        }
        frame.commit();
        finish(cpu, selector, descriptor, code, cpl, offset, type == Descriptors.INTERRUPT32);
    }

    private static void pushReturn(Cpu cpu, Frame frame, int size, long flags, long next, int errorCode) {
        frame.push(size, flags);
        frame.push(size, cpu.selector[Cpu.CS]);
        frame.push(size, next);
        if (errorCode != NO_CODE) {
            frame.push(size, errorCode);
        }
    }

    private static void finish(
            Cpu cpu, int selector, long descriptor, int code, int cpl, long offset, boolean interruptGate) {
        cpu.systemFlags &= ~(CLEARED | (interruptGate ? Cpu.IF : 0));
        Segmentation.loadCode(cpu, selector, descriptor, code, cpl);
        cpu.r[Cpu.RIP] = offset;
    }

    private static long readCode(Cpu cpu, int selector, int ext) {
        if (Descriptors.isNull(selector)) {
            throw cpu.fault(CpuFault.GP, ext);
        }
        long descriptor = Descriptors.read(cpu, selector, CpuFault.GP, ext);
        int access = Descriptors.access(descriptor);
        if (!Descriptors.code(access) || Descriptors.dpl(access) > cpu.cpl) {
            throw cpu.fault(CpuFault.GP, selector & 0xfffc | ext);
        }
        if (!Descriptors.present(access)) {
            throw cpu.fault(CpuFault.NP, selector & 0xfffc | ext);
        }
        return descriptor;
    }

    /** Reads and checks the stack segment that a TSS names. */
    static long readStack(Cpu cpu, int selector, int cpl, int ext) {
        if (Descriptors.isNull(selector)) {
            throw cpu.fault(CpuFault.TS, ext);
        }
        long descriptor = Descriptors.read(cpu, selector, CpuFault.TS, ext);
        Segmentation.checkStack(cpu, selector, Descriptors.access(descriptor), cpl, CpuFault.TS, ext);
        return descriptor;
    }

    private static void checkOffset(Cpu cpu, long offset, long descriptor, int ext) {
        if (offset > (Descriptors.limit(descriptor) & 0xffffffffL)) {
            throw cpu.fault(CpuFault.GP, ext);
        }
    }
}
