package dev.multivisor.engine.cpu.fpu;

import dev.multivisor.api.GuestMemory;
import dev.multivisor.engine.cpu.Cpu;
import dev.multivisor.engine.cpu.Dispatch;
import dev.multivisor.engine.isa.Decoder;
import dev.multivisor.engine.isa.Instruction;
import dev.multivisor.engine.mmu.Mmu;
import dev.multivisor.engine.mmu.PhysicalMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.HexFormat;
import java.util.List;

/** A vCPU in 64-bit mode without paging and an initialised FPU; RSI points to {@link #DATA}. */
final class FpuGuest {
    static final long DATA = 0x1000, CODE = 0x4000;

    final Cpu cpu;
    final Mmu mmu;
    private final Decoder decoder = new Decoder();

    FpuGuest() {
        MemorySegment bytes = Arena.ofAuto().allocate(1 << 16, 4096);
        mmu = new Mmu(new PhysicalMemory(new Memory(bytes, List.of(new GuestMemory.Region(0, 0, 1 << 16)))));
        cpu = new Cpu(0, mmu, null);
        cpu.cr0 = Cpu.CR0_PE | Cpu.CR0_NE;
        mmu.modeChanged(cpu);
        cpu.codeSize = 64;
        cpu.r[Cpu.RSI] = DATA;
        cpu.r[Cpu.RIP] = CODE;
        run("dbe3"); // fninit
    }

    /** Executes instructions given by their bytes. */
    FpuGuest run(String... instructions) {
        for (String bytes : instructions) {
            byte[] code = HexFormat.of().parseHex(bytes);
            Instruction i = decoder.decode(code, 0, code.length, cpu.codeSize);
            if (i.length != code.length) {
                throw new AssertionError(bytes + " decodes to " + i.op + " of " + i.length + " bytes");
            }
            for (int n = 0; n < code.length; n++) {
                mmu.store8(CODE + n, code[n]);
            }
            Dispatch.execute(cpu, i);
        }
        return this;
    }

    /** Pushes a double. */
    FpuGuest push(double value) {
        mmu.store64(DATA, Double.doubleToRawLongBits(value));
        return run("dd06");
    }

    /** Pushes a double extended number: four digits of sign and exponent, sixteen of the significand. */
    FpuGuest push(String hex) {
        mmu.store16(DATA + 8, Integer.parseInt(hex, 0, 4, 16));
        mmu.store64(DATA, Long.parseUnsignedLong(hex, 4, 20, 16));
        return run("db2e");
    }

    /** ST(n) as {@link #push(String)} takes it. */
    String st(int n) {
        int register = (cpu.fpuStatus >> 11) + n & 7;
        return String.format("%04x%016x", cpu.stExponent[register], cpu.stSignificand[register]);
    }

    /** Pops a double. */
    double pop() {
        run("dd1e");
        return Double.longBitsToDouble(mmu.load64(DATA));
    }

    int exceptions() {
        return cpu.fpuStatus & 0xff;
    }

    /** C3, C2, C1, C0. */
    int conditions() {
        return cpu.fpuStatus >> 8 & 7 | cpu.fpuStatus >> 11 & 8;
    }

    void control(int word) {
        mmu.store16(DATA, word);
        run("d92e");
    }

    private record Memory(MemorySegment bytes, List<GuestMemory.Region> regions) implements GuestMemory {}
}
