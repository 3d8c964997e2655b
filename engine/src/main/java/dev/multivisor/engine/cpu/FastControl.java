package dev.multivisor.engine.cpu;

import java.lang.invoke.VarHandle;

/** The stack and near transfers of control in 64-bit mode; see {@link Interpreter} for the fences. */
final class FastControl {
    private static final int RIP = Cpu.RIP, RSP = Cpu.RSP, RBP = Cpu.RBP;

    private FastControl() {}

    private static void push(Cpu cpu, long[] r, long value) {
        long top = r[RSP] - 8;
        cpu.mmu.store64(top, value);
        r[RSP] = top;
    }

    static void pushR(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        r[RIP] = start + s.offset;
        push(cpu, r, r[s.x]);
    }

    static void pushI(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        r[RIP] = start + s.offset;
        push(cpu, r, s.immediate);
    }

    static void pushM(Cpu cpu, long[] r, Step s, long start) {
        push(cpu, r, cpu.mmu.load64(s.at(cpu, r, start)));
    }

    static void popR(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        r[RIP] = start + s.offset;
        long value = cpu.mmu.load64(r[RSP]);
        r[RSP] += 8;
        r[s.x] = value;
    }

    static void leave(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        r[RIP] = start + s.offset;
        long value = cpu.mmu.load64(r[RBP]);
        r[RSP] = r[RBP] + 8;
        r[RBP] = value;
    }

    static void call(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        r[RIP] = start + s.offset;
        push(cpu, r, start + s.next);
        r[RIP] = start + s.next + s.immediate;
    }

    static void callR(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        r[RIP] = start + s.offset;
        long target = ControlInstructions.canonical(cpu, r[s.x]);
        push(cpu, r, start + s.next);
        r[RIP] = target;
    }

    static void callM(Cpu cpu, long[] r, Step s, long start) {
        long target = ControlInstructions.canonical(cpu, cpu.mmu.load64(s.at(cpu, r, start)));
        push(cpu, r, start + s.next);
        r[RIP] = target;
    }

    static void jmp(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        r[RIP] = start + s.next + s.immediate;
    }

    static void jmpR(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        r[RIP] = start + s.offset;
        r[RIP] = ControlInstructions.canonical(cpu, r[s.x]);
    }

    static void jmpM(Cpu cpu, long[] r, Step s, long start) {
        r[RIP] = ControlInstructions.canonical(cpu, cpu.mmu.load64(s.at(cpu, r, start)));
    }

    static void ret(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        r[RIP] = start + s.offset;
        long target = ControlInstructions.canonical(cpu, cpu.mmu.load64(r[RSP]));
        r[RSP] += 8;
        r[RIP] = target;
    }

    static void jo(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        r[RIP] = start + s.next + (cpu.of() ? s.immediate : 0);
    }

    static void jno(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        r[RIP] = start + s.next + (cpu.of() ? 0 : s.immediate);
    }

    static void jb(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        r[RIP] = start + s.next + (cpu.cf() ? s.immediate : 0);
    }

    static void jae(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        r[RIP] = start + s.next + (cpu.cf() ? 0 : s.immediate);
    }

    static void je(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        r[RIP] = start + s.next + (cpu.zf() ? s.immediate : 0);
    }

    static void jne(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        r[RIP] = start + s.next + (cpu.zf() ? 0 : s.immediate);
    }

    static void jbe(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        r[RIP] = start + s.next + (cpu.cf() || cpu.zf() ? s.immediate : 0);
    }

    static void ja(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        r[RIP] = start + s.next + (cpu.cf() || cpu.zf() ? 0 : s.immediate);
    }

    static void js(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        r[RIP] = start + s.next + (cpu.sf() ? s.immediate : 0);
    }

    static void jns(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        r[RIP] = start + s.next + (cpu.sf() ? 0 : s.immediate);
    }

    static void jp(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        r[RIP] = start + s.next + (cpu.pf() ? s.immediate : 0);
    }

    static void jnp(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        r[RIP] = start + s.next + (cpu.pf() ? 0 : s.immediate);
    }

    static void jl(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        r[RIP] = start + s.next + (cpu.less() ? s.immediate : 0);
    }

    static void jge(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        r[RIP] = start + s.next + (cpu.less() ? 0 : s.immediate);
    }

    static void jle(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        r[RIP] = start + s.next + (cpu.less() || cpu.zf() ? s.immediate : 0);
    }

    static void jg(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        r[RIP] = start + s.next + (cpu.less() || cpu.zf() ? 0 : s.immediate);
    }
}
