package dev.multivisor.engine.cpu;

import dev.multivisor.engine.isa.Instruction;
import dev.multivisor.engine.isa.Operand;
import dev.multivisor.engine.isa.Operand.Kind;

/** Moves, conversions and the stack in every mode and size (Intel SDM vol. 2). */
public final class TransferInstructions {
    private static final int RSP = Cpu.RSP;

    private TransferInstructions() {}

    /** Executes one. */
    public static void execute(Cpu cpu, Instruction i) {
        switch (i.op) {
            case MOV, MOVZX, MOVNTI -> Operands.write(cpu, i, i.a, Operands.read(cpu, i, i.b));
            case MOVSX, MOVSXD ->
                Operands.write(cpu, i, i.a, Operands.signExtend(Operands.read(cpu, i, i.b), i.b.size()));
            case LEA -> Operands.write(cpu, i, i.a, Operands.offset(cpu, i));
            case MOVBE, BSWAP -> swapBytes(cpu, i);
            case SETCC -> Operands.write(cpu, i, i.a, cpu.condition(i.condition) ? 1 : 0);
            case CMOVCC -> {
                long value = Operands.read(cpu, i, i.b);
                Operands.write(cpu, i, i.a, cpu.condition(i.condition) ? value : Operands.read(cpu, i, i.a));
            }
            case CBW -> {
                int half = i.operandSize / 2;
                Operands.writeRegister(cpu, Cpu.RAX, i.operandSize, Operands.signExtend(cpu.r[Cpu.RAX], half));
            }
            case CWD -> {
                long sign = Operands.signExtend(cpu.r[Cpu.RAX], i.operandSize) >> 63;
                Operands.writeRegister(cpu, Cpu.RDX, i.operandSize, sign);
            }
            case PUSH -> push(cpu, i);
            case POP -> pop(cpu, i);
            case PUSHA -> pusha(cpu, i);
            case POPA -> popa(cpu, i);
            case PUSHF -> pushf(cpu, i);
            case POPF -> popf(cpu, i);
            case ENTER -> enter(cpu, i);
            case LEAVE -> leave(cpu, i);
            case XLAT -> xlat(cpu, i);
            case BOUND -> bound(cpu, i);
            case NOP -> {}
            case PAUSE -> pause(cpu);
            default -> throw cpu.fault(CpuFault.UD);
        }
    }

    /** A guest that spins for long waits for another vCPU, whose thread may want this one's place on the host. */
    private static void pause(Cpu cpu) {
        if (cpu.model.cpus() > 1 && (++cpu.pauses & 31) == 0) {
            Thread.yield();
        }
    }

    private static void swapBytes(Cpu cpu, Instruction i) {
        Operand from = i.b.kind() == Kind.NONE ? i.a : i.b;
        int size = from.size();
        long value = Long.reverseBytes(Operands.read(cpu, i, from));
        if (from == i.a && size == 2) {
            value = 0; // BSWAP of a word is undefined; processors clear it.
        }
        Operands.write(cpu, i, i.a, value >>> 64 - size * 8);
    }

    private static void push(Cpu cpu, Instruction i) {
        long value = i.a.kind() == Kind.SEGMENT ? cpu.selector[i.a.register()] : Operands.read(cpu, i, i.a);
        Stack.push(cpu, i.operandSize, value);
    }

    /** The address of a memory destination is computed with RSP already incremented. */
    private static void pop(Cpu cpu, Instruction i) {
        if (i.a.kind() == Kind.SEGMENT) {
            popSegment(cpu, i);
            return;
        }
        long before = cpu.r[RSP];
        long value = Stack.pop(cpu, i.operandSize);
        if (i.a.kind() != Kind.MEMORY) {
            Operands.write(cpu, i, i.a, value);
            return;
        }
        try {
            Operands.write(cpu, i, i.a, value);
        } catch (CpuFault fault) {
            cpu.r[RSP] = before;
            throw fault;
        }
    }

    private static void popSegment(Cpu cpu, Instruction i) {
        int segment = i.a.register();
        // A new SS changes the stack's width: the pointer moves with the old one.
        long top = Stack.pointer(cpu);
        Segmentation.load(cpu, segment, (int) Stack.load(cpu, top, 2));
        Stack.setPointer(cpu, top + i.operandSize);
        if (segment == Cpu.SS) {
            cpu.interruptShadow = true;
            cpu.advance(i);
        }
    }

    private static void pusha(Cpu cpu, Instruction i) {
        int size = i.operandSize;
        long top = Stack.pointer(cpu);
        long mask = Operands.mask(Stack.addressSize(cpu));
        for (int n = 1; n <= 8; n++) {
            Stack.checkWrite(cpu, top - n * size & mask, size);
        }
        for (int n = 0; n < 8; n++) {
            Stack.store(cpu, top - (n + 1) * size & mask, size, cpu.r[n]);
        }
        Stack.setPointer(cpu, top - 8 * size);
    }

    private static void popa(Cpu cpu, Instruction i) {
        int size = i.operandSize;
        long[] value = new long[8];
        for (int n = 0; n < 8; n++) {
            value[n] = Stack.peek(cpu, size, n * size);
        }
        Stack.setPointer(cpu, Stack.pointer(cpu) + 8 * size);
        for (int n = 0; n < 8; n++) {
            if (n != 3) {
                Operands.writeRegister(cpu, 7 - n, size, value[n]);
            }
        }
    }

    /**
     * Whether PUSHF and POPF take VIF for IF: in virtual-8086 mode below IOPL 3 with CR4.VME (Intel SDM vol. 3, 20.3).
     * Without it they raise #GP(0) there.
     */
    private static boolean virtualInterrupts(Cpu cpu, Instruction i) {
        if (!cpu.virtual8086() || (cpu.systemFlags & Cpu.IOPL) == Cpu.IOPL) {
            return false;
        }
        if ((cpu.cr4 & Cpu.CR4_VME) == 0 || i.operandSize != 2) {
            throw cpu.fault(CpuFault.GP);
        }
        return true;
    }

    private static void pushf(Cpu cpu, Instruction i) {
        long flags = cpu.flags() & ~(Cpu.VM | Cpu.RF);
        if (virtualInterrupts(cpu, i)) {
            flags = flags & ~Cpu.IF | Cpu.IOPL | ((flags & Cpu.VIF) != 0 ? Cpu.IF : 0);
        }
        Stack.push(cpu, i.operandSize, flags);
    }

    private static void popf(Cpu cpu, Instruction i) {
        boolean virtual = virtualInterrupts(cpu, i);
        if (virtual) {
            long value = Stack.peek(cpu, 2, 0);
            boolean enable = (value & Cpu.IF) != 0;
            if ((value & Cpu.TF) != 0 || enable && (cpu.systemFlags & Cpu.VIP) != 0) {
                throw cpu.fault(CpuFault.GP);
            }
            cpu.systemFlags = enable ? cpu.systemFlags | Cpu.VIF : cpu.systemFlags & ~Cpu.VIF;
        }
        long value = Stack.pop(cpu, i.operandSize);
        int change = Cpu.TF | Cpu.DF | Cpu.NT;
        if (i.operandSize > 2) {
            change |= Cpu.AC | Cpu.ID | Cpu.RF;
            value &= ~Cpu.RF;
        }
        boolean real = !cpu.protectedMode();
        if (real || cpu.cpl == 0) {
            change |= Cpu.IOPL;
        }
        if (real || cpu.cpl <= (cpu.systemFlags & Cpu.IOPL) >> 12) {
            change |= Cpu.IF;
        }
        int before = cpu.systemFlags;
        cpu.setArithmeticFlags(value);
        cpu.systemFlags = before & ~change | (int) value & change;
        if (((before ^ cpu.systemFlags) & Cpu.AC) != 0) {
            cpu.updateMode();
        }
        cpu.advance(i);
        if ((cpu.systemFlags & ~before & Cpu.IF) != 0) {
            cpu.interruptsEnabled();
        }
    }

    private static void enter(Cpu cpu, Instruction i) {
        int size = i.operandSize;
        int level = i.immediate2 & 31;
        long mask = Operands.mask(Stack.addressSize(cpu));
        long[] r = cpu.r;
        long frame = Stack.pointer(cpu) - size & mask;
        // With 32-bit operands on a 16-bit stack, the frame pointer gets all of ESP.
        long pointer = r[Cpu.RSP] & ~mask | frame;
        Stack.store(cpu, frame, size, r[Cpu.RBP]);
        long top = frame;
        long base = r[Cpu.RBP];
        for (int n = 1; n < level; n++) {
            base = base - size & mask;
            top = top - size & mask;
            Stack.store(cpu, top, size, Stack.load(cpu, base, size));
        }
        if (level > 0) {
            top = top - size & mask;
            Stack.store(cpu, top, size, pointer);
        }
        top = top - (i.immediate & 0xffff) & mask;
        Stack.checkWrite(cpu, top, size);
        Operands.writeRegister(cpu, Cpu.RBP, size, pointer);
        Stack.setPointer(cpu, top);
    }

    private static void leave(Cpu cpu, Instruction i) {
        long mask = Operands.mask(Stack.addressSize(cpu));
        long frame = cpu.r[Cpu.RBP] & mask;
        long value = Stack.load(cpu, frame, i.operandSize);
        Stack.setPointer(cpu, frame + i.operandSize);
        Operands.writeRegister(cpu, Cpu.RBP, i.operandSize, value);
    }

    private static void xlat(Cpu cpu, Instruction i) {
        long offset = cpu.r[Cpu.RBX] + (cpu.r[Cpu.RAX] & 0xff) & Operands.mask(i.addressSize);
        long value = cpu.mmu.load8(Operands.linear(cpu, i.segment, offset, 1, false));
        Operands.writeRegister(cpu, Cpu.RAX, 1, value);
    }

    private static void bound(Cpu cpu, Instruction i) {
        int size = i.operandSize;
        long address = Operands.linear(cpu, i, 2 * size, false);
        long index = Operands.signExtend(Operands.read(cpu, i, i.a), size);
        long lower = Operands.signExtend(cpu.mmu.load(address, size), size);
        long upper = Operands.signExtend(cpu.mmu.load(address + size, size), size);
        if (index < lower || index > upper) {
            throw cpu.fault(CpuFault.BR);
        }
    }
}
