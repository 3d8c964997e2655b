package dev.multivisor.engine.cpu;

import dev.multivisor.engine.isa.Form;
import dev.multivisor.engine.isa.Instruction;
import dev.multivisor.engine.isa.Op;
import dev.multivisor.engine.isa.Operand;
import java.util.EnumSet;
import java.util.Set;

/** Segment registers and selectors: MOV Sreg, LDS and its like, LAR, LSL, VERR, VERW, ARPL (Intel SDM vol. 2). */
public final class SegmentInstructions {
    /** What {@link #execute} takes. */
    public static final Set<Op> OPS =
            EnumSet.of(Op.MOV_SREG, Op.LDS, Op.LES, Op.LFS, Op.LGS, Op.LSS, Op.LAR, Op.LSL, Op.VERR, Op.VERW, Op.ARPL);

    /** Types that LAR and LSL know: a bit for each system type, outside and inside IA-32e mode. */
    private static final int LAR_TYPES = 0x1a3e, LAR_TYPES_LONG = 0x1a04, LSL_TYPES = 0x0a0e, LSL_TYPES_LONG = 0x0a04;

    private SegmentInstructions() {}

    /** Executes one; sets RIP if the form ends a block. */
    public static void execute(Cpu cpu, Instruction i) {
        switch (i.op) {
            case MOV_SREG -> move(cpu, i);
            case LES -> loadPointer(cpu, i, Cpu.ES);
            case LDS -> loadPointer(cpu, i, Cpu.DS);
            case LSS -> loadPointer(cpu, i, Cpu.SS);
            case LFS -> loadPointer(cpu, i, Cpu.FS);
            case LGS -> loadPointer(cpu, i, Cpu.GS);
            case LAR -> accessRights(cpu, i);
            case LSL -> limit(cpu, i);
            case VERR -> setZero(cpu, verify(cpu, selector(cpu, i, i.a), false));
            case VERW -> setZero(cpu, verify(cpu, selector(cpu, i, i.a), true));
            case ARPL -> adjustRpl(cpu, i);
            default -> throw new IllegalArgumentException(i.op + " is no segment instruction");
        }
        if (i.form.has(Form.Attribute.ENDS)) {
            cpu.advance(i);
        }
    }

    private static void move(Cpu cpu, Instruction i) {
        if (i.b.kind() == Operand.Kind.SEGMENT) {
            storeSelector(cpu, i, cpu.selector[i.b.register()]);
            return;
        }
        int segment = i.a.register();
        if (segment == Cpu.CS || segment > Cpu.GS) {
            throw cpu.fault(CpuFault.UD);
        }
        Segmentation.load(cpu, segment, selector(cpu, i, i.b));
        if (segment == Cpu.SS) {
            cpu.interruptShadow = true;
        }
    }

    /** Memory takes 16 bits; a register as many as the operand size says. */
    static void storeSelector(Cpu cpu, Instruction i, long value) {
        if (i.a.kind() == Operand.Kind.MEMORY) {
            cpu.mmu.store(Operands.linear(cpu, i, 2, true), 2, value);
        } else {
            Operands.write(cpu, i, i.a, value);
        }
    }

    static int selector(Cpu cpu, Instruction i, Operand operand) {
        if (operand.kind() == Operand.Kind.MEMORY) {
            return (int) cpu.mmu.load16(Operands.linear(cpu, i, 2, false));
        }
        return (int) cpu.r[operand.register()] & 0xffff;
    }

    private static void loadPointer(Cpu cpu, Instruction i, int segment) {
        int size = i.operandSize;
        long linear = Operands.linear(cpu, i, size + 2, false);
        long offset = cpu.mmu.load(linear, size);
        int selector = (int) cpu.mmu.load16(linear + size);
        Segmentation.load(cpu, segment, selector);
        Operands.writeRegister(cpu, i.a.register(), size, offset);
    }

    private static void accessRights(Cpu cpu, Instruction i) {
        long descriptor = readVisible(cpu, selector(cpu, i, i.b), LAR_TYPES, LAR_TYPES_LONG);
        setZero(cpu, descriptor != -1);
        if (descriptor != -1) {
            Operands.write(cpu, i, i.a, descriptor >>> 32 & 0x00ffff00);
        }
    }

    private static void limit(Cpu cpu, Instruction i) {
        long descriptor = readVisible(cpu, selector(cpu, i, i.b), LSL_TYPES, LSL_TYPES_LONG);
        setZero(cpu, descriptor != -1);
        if (descriptor != -1) {
            Operands.write(cpu, i, i.a, Descriptors.limit(descriptor) & 0xffffffffL);
        }
    }

    /** A descriptor that the program may look at, or -1 (which is no segment's and no known system descriptor). */
    private static long readVisible(Cpu cpu, int selector, int types, int longTypes) {
        if (Descriptors.isNull(selector)) {
            return -1;
        }
        long address = Descriptors.address(cpu, selector, 8);
        if (address == -1) {
            return -1;
        }
        long descriptor = cpu.mmu.loadSystem(address, 8);
        int access = Descriptors.access(descriptor);
        boolean known = !Descriptors.system(access)
                || ((cpu.longMode() ? longTypes : types) >>> Descriptors.systemType(access) & 1) != 0;
        return known && Segmentation.privilegeAllows(cpu, selector, access) ? descriptor : -1;
    }

    private static boolean verify(Cpu cpu, int selector, boolean write) {
        if (Descriptors.isNull(selector)) {
            return false;
        }
        long address = Descriptors.address(cpu, selector, 8);
        if (address == -1) {
            return false;
        }
        int access = Descriptors.access(cpu.mmu.loadSystem(address, 8));
        boolean able = write ? Descriptors.writableData(access) : Descriptors.readable(access);
        return able && Segmentation.privilegeAllows(cpu, selector, access);
    }

    private static void adjustRpl(Cpu cpu, Instruction i) {
        int source = (int) cpu.r[i.b.register()] & 3;
        if (i.a.kind() == Operand.Kind.MEMORY) {
            long linear = Operands.linear(cpu, i, 2, true);
            long selector = cpu.mmu.loadForWrite(linear, 2);
            boolean lower = (selector & 3) < source;
            cpu.mmu.store(linear, 2, lower ? selector & ~3L | source : selector);
            setZero(cpu, lower);
        } else {
            long selector = cpu.r[i.a.register()];
            boolean lower = (selector & 3) < source;
            if (lower) {
                cpu.r[i.a.register()] = selector & ~3L | source;
            }
            setZero(cpu, lower);
        }
    }

    private static void setZero(Cpu cpu, boolean zero) {
        long flags = cpu.flags();
        cpu.setArithmeticFlags(zero ? flags | Cpu.ZF : flags & ~Cpu.ZF);
    }
}
