package dev.multivisor.engine.cpu;

/** IRET, IRETD and IRETQ (Intel SDM vol. 2, IRET). */
final class InterruptReturn {
    private static final int ALWAYS = Cpu.ARITHMETIC | Cpu.TF | Cpu.DF | Cpu.NT;

    private InterruptReturn() {}

    static void execute(Cpu cpu, int size) {
        boolean masked = (cpu.systemFlags & Cpu.IF) == 0;
        if (!cpu.protectedMode()) {
            real(cpu, size);
        } else if (cpu.virtual8086()) {
            virtual(cpu, size);
        } else if ((cpu.systemFlags & Cpu.NT) != 0) {
            if (cpu.longMode()) {
                throw cpu.fault(CpuFault.GP);
            }
            TaskSwitch.interruptReturn(cpu);
        } else {
            protect(cpu, size);
        }
        cpu.nmiBlocked = false;
        if (masked && (cpu.systemFlags & Cpu.IF) != 0) {
            cpu.interruptsEnabled();
        }
    }

    private static void real(Cpu cpu, int size) {
        Frame frame = Frame.current(cpu, 0);
        long offset = frame.pop(size);
        int selector = (int) frame.pop(size) & 0xffff;
        long flags = frame.pop(size);
        FarInstructions.checkRealOffset(cpu, offset);
        frame.commit();
        Segmentation.loadReal(cpu, Cpu.CS, selector);
        int changed = ALWAYS | Cpu.IF | Cpu.IOPL | (size == 2 ? 0 : Cpu.RF | Cpu.AC | Cpu.ID);
        setFlags(cpu, flags, changed);
        cpu.updateMode();
        cpu.r[Cpu.RIP] = offset;
    }

    /** In virtual-8086 mode (SDM vol. 3, 20.2.7), with VIF in the place of IF when CR4.VME is set. */
    private static void virtual(Cpu cpu, int size) {
        int level = cpu.systemFlags >> 12 & 3;
        boolean extended = (cpu.cr4 & Cpu.CR4_VME) != 0 && size == 2;
        if (level < 3 && !extended) {
            throw cpu.fault(CpuFault.GP);
        }
        Frame frame = Frame.current(cpu, 0);
        long offset = frame.pop(size);
        int selector = (int) frame.pop(size) & 0xffff;
        long flags = frame.pop(size);
        FarInstructions.checkRealOffset(cpu, offset);
        int changed = ALWAYS | (size == 2 ? 0 : Cpu.RF | Cpu.AC | Cpu.ID);
        if (level == 3) {
            changed |= Cpu.IF;
        } else {
            boolean pending = (cpu.systemFlags & Cpu.VIP) != 0;
            if ((flags & Cpu.TF) != 0 || pending && (flags & Cpu.IF) != 0) {
                throw cpu.fault(CpuFault.GP);
            }
            changed |= Cpu.VIF;
            flags = flags & ~Cpu.VIF | ((flags & Cpu.IF) != 0 ? Cpu.VIF : 0);
        }
        frame.commit();
        Segmentation.loadVirtual(cpu, Cpu.CS, selector);
        setFlags(cpu, flags, changed);
        cpu.updateMode();
        cpu.r[Cpu.RIP] = offset;
    }

    private static void protect(Cpu cpu, int size) {
        Frame frame = Frame.current(cpu, 0);
        boolean wide = cpu.codeSize == 64;
        long offset = frame.pop(size);
        int selector = (int) frame.pop(size) & 0xffff;
        long flags = frame.pop(size);
        if ((flags & Cpu.VM) != 0 && size == 4 && cpu.cpl == 0 && !cpu.longMode()) {
            toVirtual(cpu, frame, offset, selector, flags);
            return;
        }
        long descriptor = FarInstructions.readReturn(cpu, selector);
        int access = Descriptors.access(descriptor);
        int level = selector & 3;
        int changed = changed(cpu, size);
        if (!wide && level == cpu.cpl) {
            FarInstructions.checkOffset(cpu, descriptor, offset);
            access = Descriptors.setAccessed(cpu, selector, access);
            frame.commit();
            setFlags(cpu, flags, changed);
            Segmentation.loadCode(cpu, selector, descriptor, access, level);
            cpu.r[Cpu.RIP] = offset;
            return;
        }
        long pointer = frame.pop(size);
        int stackSelector = (int) frame.pop(size) & 0xffff;
        OuterStack stack = OuterStack.read(cpu, stackSelector, level, access, wide);
        FarInstructions.checkOffset(cpu, descriptor, offset);
        access = Descriptors.setAccessed(cpu, selector, access);
        boolean outer = level > cpu.cpl;
        stack.load(cpu);
        setFlags(cpu, flags, changed);
        Segmentation.loadCode(cpu, selector, descriptor, access, level);
        cpu.r[Cpu.RIP] = offset;
        Frame.setPointer(cpu, pointer);
        if (outer) {
            Segmentation.dropInner(cpu);
        }
    }

    /** The flags that the present level may change. */
    private static int changed(Cpu cpu, int size) {
        int changed = ALWAYS;
        if (size != 2) {
            changed |= Cpu.RF | Cpu.AC | Cpu.ID;
        }
        if (cpu.cpl <= (cpu.systemFlags >> 12 & 3)) {
            changed |= Cpu.IF;
        }
        if (cpu.cpl == 0) {
            changed |= Cpu.IOPL | (size == 2 ? 0 : Cpu.VIF | Cpu.VIP);
        }
        return changed;
    }

    private static void toVirtual(Cpu cpu, Frame frame, long offset, int selector, long flags) {
        long pointer = frame.pop(4);
        int stack = (int) frame.pop(4) & 0xffff;
        int es = (int) frame.pop(4) & 0xffff;
        int ds = (int) frame.pop(4) & 0xffff;
        int fs = (int) frame.pop(4) & 0xffff;
        int gs = (int) frame.pop(4) & 0xffff;
        if (offset > 0xffff) {
            throw cpu.fault(CpuFault.GP);
        }
        cpu.setFlags(flags);
        Segmentation.loadVirtual(cpu, Cpu.ES, es);
        Segmentation.loadVirtual(cpu, Cpu.DS, ds);
        Segmentation.loadVirtual(cpu, Cpu.FS, fs);
        Segmentation.loadVirtual(cpu, Cpu.GS, gs);
        Segmentation.loadVirtual(cpu, Cpu.SS, stack);
        Segmentation.loadVirtual(cpu, Cpu.CS, selector);
        cpu.cpl = 3;
        cpu.updateMode();
        cpu.r[Cpu.RIP] = offset & 0xffff;
        cpu.r[Cpu.RSP] = pointer;
    }

    private static void setFlags(Cpu cpu, long flags, int changed) {
        cpu.setFlags(cpu.flags() & ~(long) changed | flags & changed);
    }
}
