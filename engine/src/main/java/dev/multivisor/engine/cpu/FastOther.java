package dev.multivisor.engine.cpu;

import java.lang.invoke.VarHandle;

/** Other frequent forms that do not transfer control; see {@link Interpreter} for the fences. */
final class FastOther {
    private static final int RAX = Cpu.RAX, RCX = Cpu.RCX, RDX = Cpu.RDX;
    private static final long LOW = 0xffffffffL;

    private FastOther() {}

    static void load16(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        long value = cpu.mmu.load16(s.at(cpu, r, start));
        r[s.x] = r[s.x] & ~0xffffL | value;
    }

    static void store16(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        cpu.mmu.store16(s.at(cpu, r, start), r[s.y]);
    }

    static void store16Immediate(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        cpu.mmu.store16(s.at(cpu, r, start), s.immediate);
    }

    static void lea64(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        r[s.x] = s.effective(r, start);
    }

    static void lea32(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        r[s.x] = s.effective(r, start) & LOW;
    }

    static void movzxR8(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = r[s.y] & 0xff;
    }

    static void movzxR16(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = r[s.y] & 0xffff;
    }

    static void movzxM8(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        r[s.x] = cpu.mmu.load8(s.at(cpu, r, start));
    }

    static void movzxM16(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        r[s.x] = cpu.mmu.load16(s.at(cpu, r, start));
    }

    static void movsx32R8(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = (byte) r[s.y] & LOW;
    }

    static void movsx32R16(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = (short) r[s.y] & LOW;
    }

    static void movsx32M8(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        r[s.x] = (byte) cpu.mmu.load8(s.at(cpu, r, start)) & LOW;
    }

    static void movsx32M16(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        r[s.x] = (short) cpu.mmu.load16(s.at(cpu, r, start)) & LOW;
    }

    static void movsx64R8(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = (byte) r[s.y];
    }

    static void movsx64R16(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = (short) r[s.y];
    }

    static void movsx64R32(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = (int) r[s.y];
    }

    static void movsx64M8(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        r[s.x] = (byte) cpu.mmu.load8(s.at(cpu, r, start));
    }

    static void movsx64M16(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        r[s.x] = (short) cpu.mmu.load16(s.at(cpu, r, start));
    }

    static void movsx64M32(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        r[s.x] = (int) cpu.mmu.load32(s.at(cpu, r, start));
    }

    static void shlI32(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = Alu.shl(cpu, r[s.x], s.immediate & 31, 32) & LOW;
    }

    static void shlCl32(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = Alu.shl(cpu, r[s.x], (int) r[RCX] & 31, 32) & LOW;
    }

    static void shlI64(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = Alu.shl(cpu, r[s.x], s.immediate & 63, 0);
    }

    static void shlCl64(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = Alu.shl(cpu, r[s.x], (int) r[RCX] & 63, 0);
    }

    static void shrI32(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = Alu.shr(cpu, r[s.x], s.immediate & 31, 32) & LOW;
    }

    static void shrCl32(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = Alu.shr(cpu, r[s.x], (int) r[RCX] & 31, 32) & LOW;
    }

    static void shrI64(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = Alu.shr(cpu, r[s.x], s.immediate & 63, 0);
    }

    static void shrCl64(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = Alu.shr(cpu, r[s.x], (int) r[RCX] & 63, 0);
    }

    static void sarI32(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = Alu.sar(cpu, r[s.x], s.immediate & 31, 32) & LOW;
    }

    static void sarCl32(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = Alu.sar(cpu, r[s.x], (int) r[RCX] & 31, 32) & LOW;
    }

    static void sarI64(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = Alu.sar(cpu, r[s.x], s.immediate & 63, 0);
    }

    static void sarCl64(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = Alu.sar(cpu, r[s.x], (int) r[RCX] & 63, 0);
    }

    static void rolI32(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = Alu.rol(cpu, r[s.x], s.immediate & 31, 32) & LOW;
    }

    static void rolCl32(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = Alu.rol(cpu, r[s.x], (int) r[RCX] & 31, 32) & LOW;
    }

    static void rolI64(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = Alu.rol(cpu, r[s.x], s.immediate & 63, 0);
    }

    static void rolCl64(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = Alu.rol(cpu, r[s.x], (int) r[RCX] & 63, 0);
    }

    static void rorI32(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = Alu.ror(cpu, r[s.x], s.immediate & 31, 32) & LOW;
    }

    static void rorCl32(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = Alu.ror(cpu, r[s.x], (int) r[RCX] & 31, 32) & LOW;
    }

    static void rorI64(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = Alu.ror(cpu, r[s.x], s.immediate & 63, 0);
    }

    static void rorCl64(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = Alu.ror(cpu, r[s.x], (int) r[RCX] & 63, 0);
    }

    static void inc32(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = Alu.inc(cpu, r[s.x], 32) & LOW;
    }

    static void dec32(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = Alu.dec(cpu, r[s.x], 32) & LOW;
    }

    static void neg32(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = Alu.neg(cpu, r[s.x], 32) & LOW;
    }

    static void not32(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = ~r[s.x] & LOW;
    }

    static void incM32(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        long at = s.at(cpu, r, start);
        cpu.mmu.store32(at, Alu.inc(cpu, cpu.mmu.loadForWrite(at, 4), 32));
    }

    static void decM32(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        long at = s.at(cpu, r, start);
        cpu.mmu.store32(at, Alu.dec(cpu, cpu.mmu.loadForWrite(at, 4), 32));
    }

    static void imulRr32(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = Alu.imul(cpu, r[s.x], r[s.y], 32) & LOW;
    }

    static void imulRri32(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = Alu.imul(cpu, r[s.y], s.immediate, 32) & LOW;
    }

    static void imulRm32(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        r[s.x] = Alu.imul(cpu, r[s.x], cpu.mmu.load32(s.at(cpu, r, start)), 32) & LOW;
    }

    static void cmovR32(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = (cpu.condition(s.condition) ? r[s.y] : r[s.x]) & LOW;
    }

    static void cmovM32(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        long value = cpu.mmu.load32(s.at(cpu, r, start));
        r[s.x] = (cpu.condition(s.condition) ? value : r[s.x]) & LOW;
    }

    static void btR32(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        Alu.setCarry(cpu, r[s.x] >>> (r[s.y] & 31));
    }

    static void btI32(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        Alu.setCarry(cpu, r[s.x] >>> (s.immediate & 31));
    }

    static void xchg32(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        long value = r[s.y] & LOW;
        r[s.y] = r[s.x] & LOW;
        r[s.x] = value;
    }

    static void shldI32(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = Alu.shld(cpu, r[s.x], r[s.y], s.immediate & 31, 32) & LOW;
    }

    static void shrdI32(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = Alu.shrd(cpu, r[s.x], r[s.y], s.immediate & 31, 32) & LOW;
    }

    static void inc64(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = Alu.inc(cpu, r[s.x], 0);
    }

    static void dec64(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = Alu.dec(cpu, r[s.x], 0);
    }

    static void neg64(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = Alu.neg(cpu, r[s.x], 0);
    }

    static void not64(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = ~r[s.x];
    }

    static void incM64(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        long at = s.at(cpu, r, start);
        cpu.mmu.store64(at, Alu.inc(cpu, cpu.mmu.loadForWrite(at, 8), 0));
    }

    static void decM64(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        long at = s.at(cpu, r, start);
        cpu.mmu.store64(at, Alu.dec(cpu, cpu.mmu.loadForWrite(at, 8), 0));
    }

    static void imulRr64(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = Alu.imul(cpu, r[s.x], r[s.y], 0);
    }

    static void imulRri64(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = Alu.imul(cpu, r[s.y], s.immediate, 0);
    }

    static void imulRm64(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        r[s.x] = Alu.imul(cpu, r[s.x], cpu.mmu.load64(s.at(cpu, r, start)), 0);
    }

    static void cmovR64(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = (cpu.condition(s.condition) ? r[s.y] : r[s.x]);
    }

    static void cmovM64(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        long value = cpu.mmu.load64(s.at(cpu, r, start));
        r[s.x] = (cpu.condition(s.condition) ? value : r[s.x]);
    }

    static void btR64(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        Alu.setCarry(cpu, r[s.x] >>> (r[s.y] & 63));
    }

    static void btI64(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        Alu.setCarry(cpu, r[s.x] >>> (s.immediate & 63));
    }

    static void xchg64(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        long value = r[s.y];
        r[s.y] = r[s.x];
        r[s.x] = value;
    }

    static void shldI64(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = Alu.shld(cpu, r[s.x], r[s.y], s.immediate & 63, 0);
    }

    static void shrdI64(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = Alu.shrd(cpu, r[s.x], r[s.y], s.immediate & 63, 0);
    }

    static void cwde(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[RAX] = (short) r[RAX] & LOW;
    }

    static void cdqe(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[RAX] = (int) r[RAX];
    }

    static void cdq(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[RDX] = (int) r[RAX] >> 31 & LOW;
    }

    static void cqo(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[RDX] = r[RAX] >> 63;
    }

    static void setccR(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = r[s.x] & ~0xffL | (cpu.condition(s.condition) ? 1 : 0);
    }

    static void setccM(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        cpu.mmu.store8(s.at(cpu, r, start), cpu.condition(s.condition) ? 1 : 0);
    }

    static void mulR64(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        MultiplyInstructions.mul64(cpu, r[s.x]);
    }

    static void mulM64(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        MultiplyInstructions.mul64(cpu, cpu.mmu.load64(s.at(cpu, r, start)));
    }

    static void bswap64(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = Long.reverseBytes(r[s.x]);
    }

    static void bswap32(Cpu cpu, long[] r, Step s) {
        VarHandle.loadLoadFence();
        r[s.x] = Integer.reverseBytes((int) r[s.x]) & LOW;
    }
}
