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
        VarHandle.loadLoadFence();
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
        VarHandle.loadLoadFence();
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
        VarHandle.loadLoadFence();
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
        jcc(r, s, start, cpu.of());
    }

    static void jno(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        jcc(r, s, start, !cpu.of());
    }

    static void jb(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        jcc(r, s, start, cpu.cf());
    }

    static void jae(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        jcc(r, s, start, !cpu.cf());
    }

    static void je(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        jcc(r, s, start, cpu.zf());
    }

    static void jne(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        jcc(r, s, start, !cpu.zf());
    }

    static void jbe(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        jcc(r, s, start, cpu.cf() || cpu.zf());
    }

    static void ja(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        jcc(r, s, start, !cpu.cf() && !cpu.zf());
    }

    static void js(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        jcc(r, s, start, cpu.sf());
    }

    static void jns(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        jcc(r, s, start, !cpu.sf());
    }

    static void jp(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        jcc(r, s, start, cpu.pf());
    }

    static void jnp(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        jcc(r, s, start, !cpu.pf());
    }

    static void jl(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        jcc(r, s, start, cpu.less());
    }

    static void jge(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        jcc(r, s, start, !cpu.less());
    }

    static void jle(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        jcc(r, s, start, cpu.less() || cpu.zf());
    }

    static void jg(Cpu cpu, long[] r, Step s, long start) {
        VarHandle.loadLoadFence();
        jcc(r, s, start, !cpu.less() && !cpu.zf());
    }

    /** All conditions share its profile: HotSpot would leave out a way that one of them did not go for some time. */
    private static void jcc(long[] r, Step s, long start, boolean taken) {
        r[RIP] = start + s.next + (taken ? s.immediate : 0);
    }
}
