package dev.multivisor.engine.cpu;

/**
 * A call gate (Intel SDM vol. 3, 5.8.3 to 5.8.5), read and its target found.
 *
 * @param size of what is pushed: 2, 4 or 8 bytes
 * @param parameters of that size to copy to an inner stack
 * @param selector the code segment's
 * @param offset the entry point
 * @param code the code segment's descriptor
 */
record CallGate(int size, int parameters, int selector, long offset, long code) {
    /** Reads the gate; its DPL was checked. */
    static CallGate read(Cpu cpu, int gateSelector, long gate) {
        int access = Descriptors.access(gate);
        int type = Descriptors.systemType(access);
        boolean wide = cpu.longMode();
        if (type != Descriptors.CALL32 && (type != Descriptors.CALL16 || wide)) {
            throw cpu.fault(CpuFault.GP, gateSelector & 0xfffc);
        }
        FarInstructions.requirePresent(cpu, gateSelector, access);
        long offset = Descriptors.gateOffset(gate);
        if (wide) {
            long high = Descriptors.readHigh(cpu, gateSelector, CpuFault.GP, 0);
            if ((high >>> 40 & 0x1f) != 0) {
                throw cpu.fault(CpuFault.GP, gateSelector & 0xfffc);
            }
            offset |= high << 32;
        }
        int size = wide ? 8 : type == Descriptors.CALL32 ? 4 : 2;
        int selector = Descriptors.gateSelector(gate);
        if (Descriptors.isNull(selector)) {
            throw cpu.fault(CpuFault.GP);
        }
        long code = Descriptors.read(cpu, selector, CpuFault.GP, 0);
        int codeAccess = Descriptors.access(code);
        boolean fits = !wide || (codeAccess & (Descriptors.L | Descriptors.DB)) == Descriptors.L;
        if (!Descriptors.code(codeAccess) || Descriptors.dpl(codeAccess) > cpu.cpl || !fits) {
            throw cpu.fault(CpuFault.GP, selector & 0xfffc);
        }
        int parameters = wide ? 0 : (int) (gate >>> 32) & 31;
        return new CallGate(size, parameters, selector, size == 2 ? offset & 0xffff : offset, code);
    }

    int access() {
        return Descriptors.access(code);
    }

    /** CALL through the gate. */
    void call(Cpu cpu, long next) {
        int access = access();
        FarInstructions.requirePresent(cpu, selector, access);
        FarInstructions.checkOffset(cpu, code, offset);
        int level = Descriptors.dpl(access);
        if (Descriptors.conformingCode(access) || level == cpu.cpl) {
            Frame frame = size == 8 ? Frame.flat(cpu, cpu.r[Cpu.RSP], false, 0) : Frame.current(cpu, 0);
            pushReturn(cpu, frame, next);
            access = Descriptors.setAccessed(cpu, selector, access);
            frame.commit();
            enter(cpu, access, cpu.cpl);
        } else if (size == 8) {
            Frame frame = Frame.flat(cpu, TaskState.stack64(cpu, level, 0), true, 0);
            frame.push(8, cpu.selector[Cpu.SS]);
            frame.push(8, cpu.r[Cpu.RSP]);
            pushReturn(cpu, frame, next);
            access = Descriptors.setAccessed(cpu, selector, access);
            Segmentation.loadNull(cpu, Cpu.SS, level);
            frame.commit();
            enter(cpu, access, level);
        } else {
            inner(cpu, level, access, next);
        }
    }

    private void inner(Cpu cpu, int level, int access, long next) {
        long pointer = TaskState.stack(cpu, level, 0);
        int stackSelector = TaskState.stackSelector(cpu, level, 0);
        long stack = Delivery.readStack(cpu, stackSelector, level, 0);
        Frame outer = Frame.current(cpu, 0);
        Frame frame = Frame.inner(cpu, stack, pointer, stackSelector & 0xfffc);
        frame.push(size, cpu.selector[Cpu.SS]);
        frame.push(size, cpu.r[Cpu.RSP]);
        for (int n = parameters - 1; n >= 0; n--) {
            frame.push(size, outer.peek((long) n * size, size));
        }
        pushReturn(cpu, frame, next);
        int codeAccess = Descriptors.setAccessed(cpu, selector, access);
        int stackAccess = Descriptors.setAccessed(cpu, stackSelector, Descriptors.access(stack));
        Segmentation.set(cpu, Cpu.SS, stackSelector, stack, stackAccess);
        frame.commit();
        enter(cpu, codeAccess, level);
    }

    private void pushReturn(Cpu cpu, Frame frame, long next) {
        frame.push(size, cpu.selector[Cpu.CS]);
        frame.push(size, next);
    }

    private void enter(Cpu cpu, int access, int level) {
        Segmentation.loadCode(cpu, selector, code, access, level);
        cpu.r[Cpu.RIP] = offset;
    }
}
