package dev.multivisor.engine.cpu.sse;

import dev.multivisor.api.GuestMemory;
import dev.multivisor.engine.cpu.Cpu;
import dev.multivisor.engine.isa.Decoder;
import dev.multivisor.engine.isa.Instruction;
import dev.multivisor.engine.mmu.Mmu;
import dev.multivisor.engine.mmu.PhysicalMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.HexFormat;
import java.util.List;

/** A vCPU in 64-bit mode without paging; RSI and RDI point to {@link #DATA}. */
final class SseGuest {
    static final long DATA = 0x1000;

    final Cpu cpu;
    private final Decoder decoder = new Decoder();

    SseGuest() {
        MemorySegment ram = Arena.ofAuto().allocate(1 << 16, 4096);
        Memory memory = new Memory(ram, List.of(new GuestMemory.Region(0, 0, ram.byteSize())));
        Mmu mmu = new Mmu(new PhysicalMemory(memory));
        cpu = new Cpu(0, mmu, null);
        cpu.cr0 = Cpu.CR0_PE;
        cpu.cr4 = Cpu.CR4_OSFXSR | Cpu.CR4_OSXMMEXCPT;
        mmu.modeChanged(cpu);
        cpu.codeSize = 64;
        cpu.r[Cpu.RSI] = DATA;
        cpu.r[Cpu.RDI] = DATA;
    }

    /** Executes one instruction given by its bytes. */
    void run(String bytes) {
        byte[] code = HexFormat.of().parseHex(bytes.replace(" ", ""));
        Instruction i = decoder.decode(code, 0, code.length, 64);
        if (i.length != code.length) {
            throw new AssertionError(bytes + " decodes to " + i.op + " of " + i.length + " bytes");
        }
        SseInstructions.execute(cpu, i);
    }

    void xmm(int register, long low, long high) {
        cpu.xmm[register * 2] = low;
        cpu.xmm[register * 2 + 1] = high;
    }

    void xmm(int register, double value) {
        xmm(register, Double.doubleToRawLongBits(value), 0);
    }

    double low(int register) {
        return Double.longBitsToDouble(cpu.xmm[register * 2]);
    }

    record Memory(MemorySegment bytes, List<GuestMemory.Region> regions) implements GuestMemory {}
}
