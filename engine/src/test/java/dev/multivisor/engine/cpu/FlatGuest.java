package dev.multivisor.engine.cpu;

import dev.multivisor.api.GuestMemory;
import dev.multivisor.engine.isa.Decoder;
import dev.multivisor.engine.isa.Form;
import dev.multivisor.engine.isa.Instruction;
import dev.multivisor.engine.isa.Op;
import dev.multivisor.engine.mmu.Mmu;
import dev.multivisor.engine.mmu.PhysicalMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/**
 * A vCPU with a little memory, a GDT, an IDT and a TSS, and no machine around it. Instructions of the privileged groups
 * are executed one by one, and their faults delivered.
 */
final class FlatGuest {
    /** Where things are. */
    static final int GDT = 0x1000,
            IDT = 0x2000,
            TSS = 0x4000,
            TSS2 = 0x5000,
            CODE = 0x6000,
            STACK0 = 0x9000,
            STACK3 = 0xa000,
            IST1 = 0xb000,
            IST2 = 0xc000,
            LDT = 0xd000,
            PML4 = 0x10000;

    /** Selectors. */
    static final int CODE0 = 0x08,
            DATA0 = 0x10,
            CODE3 = 0x1b,
            DATA3 = 0x23,
            CODE64 = 0x28,
            CODE64_3 = 0x33,
            TASK = 0x38,
            CONFORMING = 0x48,
            CODE16 = 0x50,
            TASK2 = 0x58,
            GATE = 0x60,
            LDT_SELECTOR = 0x70,
            CODE1 = 0x80,
            DATA1 = 0x88,
            ABSENT = 0x90;

    final Cpu cpu;
    final PhysicalMemory memory;
    final FakePlatform platform = new FakePlatform();
    private final Decoder decoder = new Decoder();

    FlatGuest() {
        long size = 4 << 20;
        memory = new PhysicalMemory(
                new Ram(Arena.ofAuto().allocate(size, 4096), List.of(new GuestMemory.Region(0, 0, size))));
        cpu = new Cpu(0, new Mmu(memory), platform);
        CpuReset.powerOn(cpu);
    }

    record Ram(MemorySegment bytes, List<GuestMemory.Region> regions) implements GuestMemory {}

    /** 32-bit protected mode at level 0, without paging. */
    static FlatGuest protectedMode() {
        FlatGuest guest = new FlatGuest();
        guest.writeTables(false);
        Cpu cpu = guest.cpu;
        cpu.cr0 = Cpu.CR0_PE | Cpu.CR0_ET;
        guest.enter(CODE0, DATA0, 0);
        return guest;
    }

    /** 64-bit mode at level 0, memory mapped to itself for all levels. */
    static FlatGuest longMode() {
        FlatGuest guest = new FlatGuest();
        guest.writeTables(true);
        guest.memory.store(PML4, 8, PML4 + 0x1000 | 7);
        guest.memory.store(PML4 + 0x1000, 8, PML4 + 0x2000 | 7);
        guest.memory.store(PML4 + 0x2000, 8, 0x87);
        guest.memory.store(PML4 + 0x2008, 8, 0x200087);
        Cpu cpu = guest.cpu;
        cpu.cr3 = PML4;
        cpu.cr4 = Cpu.CR4_PAE;
        cpu.efer = Cpu.EFER_LME | Cpu.EFER_LMA | Cpu.EFER_SCE | Cpu.EFER_NXE;
        cpu.cr0 = Cpu.CR0_PE | Cpu.CR0_ET | Cpu.CR0_PG | Cpu.CR0_WP;
        guest.enter(CODE64, DATA0, 0);
        return guest;
    }

    /** 64-bit mode at level 3. */
    static FlatGuest userMode() {
        FlatGuest guest = longMode();
        guest.enter(CODE64_3, DATA3, 3);
        guest.cpu.r[Cpu.RSP] = STACK3;
        return guest;
    }

    /** Sets CS and the data segments as if loaded, and the stack of level 0. */
    void enter(int code, int data, int level) {
        for (int segment = 0; segment <= Cpu.GS; segment++) {
            int selector = segment == Cpu.CS ? code : data;
            long descriptor = memory.load(GDT + (selector & 0xfff8), 8);
            Segmentation.set(cpu, segment, selector, descriptor, Descriptors.access(descriptor) | 1);
        }
        cpu.cpl = level;
        cpu.updateMode();
        cpu.r[Cpu.RIP] = CODE;
        cpu.r[Cpu.RSP] = level == 3 ? STACK3 : STACK0;
    }

    private void writeTables(boolean wide) {
        descriptor(CODE0, 0, 0xfffff, 0xc09b);
        descriptor(DATA0, 0, 0xfffff, 0xc093);
        descriptor(CODE3, 0, 0xfffff, 0xc0fb);
        descriptor(DATA3, 0, 0xfffff, 0xc0f3);
        descriptor(CODE64, 0, 0xfffff, 0xa09b);
        descriptor(CODE64_3, 0, 0xfffff, 0xa0fb);
        descriptor(TASK, TSS, 0xfff, 0x8b);
        descriptor(CONFORMING, 0, 0xfffff, 0xc09f);
        descriptor(CODE16, 0, 0xffff, 0x009b);
        descriptor(TASK2, TSS2, 0x67, 0x89);
        descriptor(LDT_SELECTOR, LDT, 0xff, 0x82);
        descriptor(CODE1, 0, 0xfffff, 0xc0bb);
        descriptor(DATA1, 0, 0xfffff, 0xc0b3);
        descriptor(ABSENT, 0, 0xfffff, 0xc013);
        cpu.gdtrBase = GDT;
        cpu.gdtrLimit = 0xff;
        cpu.idtrBase = IDT;
        cpu.idtrLimit = wide ? 0xfff : 0x7ff;
        Segmentation.set(cpu, Cpu.TR, TASK, TSS, 0xfff, 0x8b);
        if (wide) {
            memory.store(TSS + 4, 8, STACK0);
            memory.store(TSS + 0x24, 8, IST1);
            memory.store(TSS + 0x2c, 8, IST2);
        } else {
            memory.store(TSS + 4, 4, STACK0);
            memory.store(TSS + 8, 4, DATA0);
        }
        memory.store(TSS + 0x66, 2, 0x68);
    }

    void descriptor(int selector, long base, int limit, int access) {
        long value = limit & 0xffff
                | (long) (limit >>> 16) << 48
                | (base & 0xffffff) << 16
                | base >>> 24 << 56
                | (long) access << 40;
        memory.store(GDT + (selector & 0xfff8), 8, value);
    }

    /** A 32-bit or 16-bit gate. */
    void gate(int vector, int selector, long offset, int type, int dpl) {
        long high = offset & 0xffff0000L | 0x8000 | dpl << 13 | type << 8;
        memory.store(IDT + vector * 8, 8, high << 32 | (long) selector << 16 | offset & 0xffff);
    }

    /** A 64-bit gate. */
    void gate64(int vector, int selector, long offset, int type, int dpl, int ist) {
        long high = offset & 0xffff0000L | 0x8000 | dpl << 13 | type << 8 | ist;
        memory.store(IDT + vector * 16, 8, high << 32 | (long) selector << 16 | offset & 0xffff);
        memory.store(IDT + vector * 16 + 8, 8, offset >>> 32);
    }

    /** Executes one instruction from its bytes, as if it stood at RIP. */
    void step(int... bytes) {
        try {
            execute(bytes);
        } catch (CpuFault fault) {
            Exceptions.deliver(cpu, fault);
        }
    }

    /** Executes one instruction; its fault is thrown. */
    void execute(int... bytes) {
        byte[] code = new byte[16];
        for (int n = 0; n < bytes.length; n++) {
            code[n] = (byte) bytes[n];
        }
        Instruction i = decoder.decode(code, 0, bytes.length, cpu.codeSize);
        if (i.length != bytes.length || i.op == Op.UD) {
            throw new IllegalArgumentException("not one instruction: " + i.op + " of " + i.length + " bytes");
        }
        if (i.form.has(Form.Attribute.PRIVILEGED) && cpu.cpl != 0) {
            throw cpu.fault(CpuFault.GP);
        }
        if (FarInstructions.OPS.contains(i.op)) {
            FarInstructions.execute(cpu, i);
        } else if (SegmentInstructions.OPS.contains(i.op)) {
            SegmentInstructions.execute(cpu, i);
        } else {
            SystemInstructions.execute(cpu, i);
        }
        if (!i.form.has(Form.Attribute.ENDS)) {
            cpu.advance(i);
        }
    }

    void push(int size, long value) {
        cpu.r[Cpu.RSP] -= size;
        memory.store(cpu.r[Cpu.RSP], size, value);
    }

    /** A slot of the present stack, counted up from the pointer. */
    long stack(int slot, int size) {
        return memory.load(cpu.r[Cpu.RSP] + (long) slot * size, size);
    }

    /** Ports and registers that remember. */
    static final class FakePlatform implements Platform {
        private final Random random = new Random(1);
        final Map<Integer, Integer> ports = new HashMap<>();
        final Map<Integer, Long> msrs = new HashMap<>();
        long tsc = 1000;
        int priority;

        @Override
        public int in(int port, int size) {
            return ports.getOrDefault(port, -1);
        }

        @Override
        public void out(int port, int size, int value) {
            ports.put(port, value);
        }

        @Override
        public long tsc(Cpu cpu) {
            return tsc;
        }

        @Override
        public void setTsc(Cpu cpu, long value) {
            tsc = value;
        }

        @Override
        public long readMsr(Cpu cpu, int index) {
            if (!msrs.containsKey(index)) {
                throw cpu.fault(CpuFault.GP);
            }
            return msrs.get(index);
        }

        @Override
        public void writeMsr(Cpu cpu, int index, long value) {
            msrs.put(index, value);
        }

        @Override
        public long random(Cpu cpu) {
            return random.nextLong();
        }

        @Override
        public int taskPriority(Cpu cpu) {
            return priority;
        }

        @Override
        public void setTaskPriority(Cpu cpu, int value) {
            priority = value;
        }
    }
}
