package dev.multivisor.engine.cpu;

import dev.multivisor.engine.isa.Instruction;
import dev.multivisor.engine.isa.Op;
import dev.multivisor.engine.isa.Operand;
import java.util.EnumSet;
import java.util.Set;

/** Transfers to another code segment: far JMP, CALL and RET, INT, IRET, and the fast system calls. */
public final class FarInstructions {
    /** What {@link #execute} takes. */
    public static final Set<Op> OPS = EnumSet.of(
            Op.JMP_FAR,
            Op.CALL_FAR,
            Op.RET_FAR,
            Op.INT,
            Op.INT3,
            Op.INT1,
            Op.INTO,
            Op.IRET,
            Op.SYSCALL,
            Op.SYSRET,
            Op.SYSENTER,
            Op.SYSEXIT);

    private FarInstructions() {}

    /** Executes one. All set RIP themselves. */
    public static void execute(Cpu cpu, Instruction i) {
        switch (i.op) {
            case JMP_FAR -> jump(cpu, i);
            case CALL_FAR -> call(cpu, i);
            case RET_FAR -> ret(cpu, i);
            case INT -> Exceptions.software(cpu, (int) i.immediate & 0xff, next(cpu, i));
            case INT3 -> Exceptions.software(cpu, CpuFault.BP, next(cpu, i));
            case INT1 -> Exceptions.int1(cpu, next(cpu, i));
            case INTO -> {
                if (cpu.of()) {
                    Exceptions.software(cpu, CpuFault.OF, next(cpu, i));
                } else {
                    cpu.advance(i);
                }
            }
            case IRET -> InterruptReturn.execute(cpu, i.operandSize);
            case SYSCALL -> FastCalls.syscall(cpu, i);
            case SYSRET -> FastCalls.sysret(cpu, i);
            case SYSENTER -> FastCalls.sysenter(cpu);
            case SYSEXIT -> FastCalls.sysexit(cpu, i);
            default -> throw new IllegalArgumentException(i.op + " is no far transfer");
        }
    }

    /** Offset of the next instruction. */
    static long next(Cpu cpu, Instruction i) {
        long next = cpu.r[Cpu.RIP] + i.length;
        return cpu.codeSize == 64 ? next : next & (cpu.codeSize == 32 ? 0xffffffffL : 0xffff);
    }

    private static void jump(Cpu cpu, Instruction i) {
        long offset = targetOffset(cpu, i);
        int selector = targetSelector(cpu, i);
        if (!cpu.protectedMode() || cpu.virtual8086()) {
            jumpReal(cpu, selector, offset);
            return;
        }
        long descriptor = readTarget(cpu, selector);
        int access = Descriptors.access(descriptor);
        if (Descriptors.system(access)) {
            jumpSystem(cpu, i, selector, descriptor);
            return;
        }
        checkDirect(cpu, selector, access);
        checkOffset(cpu, descriptor, offset);
        access = Descriptors.setAccessed(cpu, selector, access);
        Segmentation.loadCode(cpu, selector, descriptor, access, cpu.cpl);
        cpu.r[Cpu.RIP] = offset;
    }

    private static void jumpSystem(Cpu cpu, Instruction i, int selector, long descriptor) {
        int access = Descriptors.access(descriptor);
        int type = Descriptors.systemType(access);
        if (Math.max(cpu.cpl, selector & 3) > Descriptors.dpl(access)) {
            throw cpu.fault(CpuFault.GP, selector & 0xfffc);
        }
        if (TaskSwitch.reached(cpu, type)) {
            requirePresent(cpu, selector, access);
            TaskSwitch.jump(cpu, TaskSwitch.target(cpu, selector, descriptor), next(cpu, i));
            return;
        }
        CallGate gate = CallGate.read(cpu, selector, descriptor);
        int code = gate.access();
        boolean conforming = Descriptors.conformingCode(code);
        if (conforming ? Descriptors.dpl(code) > cpu.cpl : Descriptors.dpl(code) != cpu.cpl) {
            throw cpu.fault(CpuFault.GP, gate.selector() & 0xfffc);
        }
        requirePresent(cpu, gate.selector(), code);
        checkOffset(cpu, gate.code(), gate.offset());
        code = Descriptors.setAccessed(cpu, gate.selector(), code);
        Segmentation.loadCode(cpu, gate.selector(), gate.code(), code, cpu.cpl);
        cpu.r[Cpu.RIP] = gate.offset();
    }

    private static void call(Cpu cpu, Instruction i) {
        long offset = targetOffset(cpu, i);
        int selector = targetSelector(cpu, i);
        int size = i.operandSize;
        if (!cpu.protectedMode() || cpu.virtual8086()) {
            checkRealOffset(cpu, offset);
            pushReturn(cpu, size, next(cpu, i)).commit();
            jumpReal(cpu, selector, offset);
            return;
        }
        long descriptor = readTarget(cpu, selector);
        int access = Descriptors.access(descriptor);
        if (Descriptors.system(access)) {
            callSystem(cpu, i, selector, descriptor);
            return;
        }
        checkDirect(cpu, selector, access);
        checkOffset(cpu, descriptor, offset);
        Frame frame = pushReturn(cpu, size, next(cpu, i));
        access = Descriptors.setAccessed(cpu, selector, access);
        frame.commit();
        Segmentation.loadCode(cpu, selector, descriptor, access, cpu.cpl);
        cpu.r[Cpu.RIP] = offset;
    }

    private static void callSystem(Cpu cpu, Instruction i, int selector, long descriptor) {
        int access = Descriptors.access(descriptor);
        int type = Descriptors.systemType(access);
        if (Math.max(cpu.cpl, selector & 3) > Descriptors.dpl(access)) {
            throw cpu.fault(CpuFault.GP, selector & 0xfffc);
        }
        if (TaskSwitch.reached(cpu, type)) {
            requirePresent(cpu, selector, access);
            TaskSwitch.call(cpu, TaskSwitch.target(cpu, selector, descriptor), next(cpu, i));
            return;
        }
        CallGate.read(cpu, selector, descriptor).call(cpu, next(cpu, i));
    }

    /** RET far (SDM vol. 2, RET): to the same level, or to an outer one with its stack. */
    private static void ret(Cpu cpu, Instruction i) {
        int size = i.operandSize;
        long release = i.a.kind() == Operand.Kind.NONE ? 0 : i.immediate & 0xffff;
        Frame frame = Frame.current(cpu, 0);
        long offset = frame.pop(size);
        int selector = (int) frame.pop(size) & 0xffff;
        if (!cpu.protectedMode() || cpu.virtual8086()) {
            checkRealOffset(cpu, offset);
            frame.drop(release);
            frame.commit();
            jumpReal(cpu, selector, offset);
            return;
        }
        long descriptor = readReturn(cpu, selector);
        int access = Descriptors.access(descriptor);
        int level = selector & 3;
        if (level == cpu.cpl) {
            checkOffset(cpu, descriptor, offset);
            access = Descriptors.setAccessed(cpu, selector, access);
            frame.drop(release);
            frame.commit();
            Segmentation.loadCode(cpu, selector, descriptor, access, level);
            cpu.r[Cpu.RIP] = offset;
            return;
        }
        frame.drop(release);
        long pointer = frame.pop(size);
        int stackSelector = (int) frame.pop(size) & 0xffff;
        OuterStack stack = OuterStack.read(cpu, stackSelector, level, access, cpu.codeSize == 64);
        checkOffset(cpu, descriptor, offset);
        access = Descriptors.setAccessed(cpu, selector, access);
        stack.load(cpu);
        Segmentation.loadCode(cpu, selector, descriptor, access, level);
        cpu.r[Cpu.RIP] = offset;
        Frame.setPointer(cpu, pointer + release);
        Segmentation.dropInner(cpu);
    }

    /**
     * Reads and checks a code segment to return to.
     *
     * @throws CpuFault #GP or #NP
     */
    static long readReturn(Cpu cpu, int selector) {
        if (Descriptors.isNull(selector)) {
            throw cpu.fault(CpuFault.GP);
        }
        long descriptor = Descriptors.read(cpu, selector, CpuFault.GP, 0);
        int access = Descriptors.access(descriptor);
        int level = selector & 3;
        boolean allowed = Descriptors.code(access)
                && level >= cpu.cpl
                && (Descriptors.conformingCode(access)
                        ? Descriptors.dpl(access) <= level
                        : Descriptors.dpl(access) == level);
        if (!allowed || mixed(cpu, access)) {
            throw cpu.fault(CpuFault.GP, selector & 0xfffc);
        }
        requirePresent(cpu, selector, access);
        return descriptor;
    }

    private static Frame pushReturn(Cpu cpu, int size, long next) {
        Frame frame = Frame.current(cpu, 0);
        frame.push(size, cpu.selector[Cpu.CS]);
        frame.push(size, next);
        return frame;
    }

    private static void jumpReal(Cpu cpu, int selector, long offset) {
        checkRealOffset(cpu, offset);
        if (cpu.virtual8086()) {
            Segmentation.loadVirtual(cpu, Cpu.CS, selector);
        } else {
            Segmentation.loadReal(cpu, Cpu.CS, selector);
        }
        cpu.updateMode();
        cpu.r[Cpu.RIP] = offset;
    }

    static void checkRealOffset(Cpu cpu, long offset) {
        if (offset > (cpu.segmentLimit[Cpu.CS] & 0xffffffffL)) {
            throw cpu.fault(CpuFault.GP);
        }
    }

    private static long targetOffset(Cpu cpu, Instruction i) {
        if (i.a.kind() == Operand.Kind.MEMORY) {
            return cpu.mmu.load(Operands.linear(cpu, i, i.operandSize + 2, false), i.operandSize);
        }
        return i.immediate & Operands.mask(i.operandSize);
    }

    private static int targetSelector(Cpu cpu, Instruction i) {
        if (i.a.kind() == Operand.Kind.MEMORY) {
            long linear = Operands.linear(cpu, i, i.operandSize + 2, false);
            return (int) cpu.mmu.load16(linear + i.operandSize);
        }
        return i.immediate2 & 0xffff;
    }

    private static long readTarget(Cpu cpu, int selector) {
        if (Descriptors.isNull(selector)) {
            throw cpu.fault(CpuFault.GP);
        }
        return Descriptors.read(cpu, selector, CpuFault.GP, 0);
    }

    /** A code segment that JMP or CALL names itself: privilege, mode and presence. */
    private static void checkDirect(Cpu cpu, int selector, int access) {
        int dpl = Descriptors.dpl(access);
        boolean allowed = Descriptors.code(access)
                && (Descriptors.conformingCode(access) ? dpl <= cpu.cpl : dpl == cpu.cpl && (selector & 3) <= cpu.cpl);
        if (!allowed || mixed(cpu, access)) {
            throw cpu.fault(CpuFault.GP, selector & 0xfffc);
        }
        requirePresent(cpu, selector, access);
    }

    /** Both L and D set is reserved in IA-32e mode. */
    private static boolean mixed(Cpu cpu, int access) {
        int both = Descriptors.L | Descriptors.DB;
        return cpu.longMode() && (access & both) == both;
    }

    static void requirePresent(Cpu cpu, int selector, int access) {
        if (!Descriptors.present(access)) {
            throw cpu.fault(CpuFault.NP, selector & 0xfffc);
        }
    }

    /** The new RIP lies in its segment, or is canonical if the segment is one of 64-bit code. */
    static void checkOffset(Cpu cpu, long descriptor, long offset) {
        boolean wide = cpu.longMode() && (Descriptors.access(descriptor) & Descriptors.L) != 0;
        boolean inside = wide
                ? Descriptors.canonical(offset)
                : Long.compareUnsigned(offset, Descriptors.limit(descriptor) & 0xffffffffL) <= 0;
        if (!inside) {
            throw cpu.fault(CpuFault.GP);
        }
    }
}
