package dev.multivisor.engine.cpu;

import dev.multivisor.engine.isa.Instruction;
import dev.multivisor.engine.isa.Op;

/** Instruction breakpoints, and traps after an instruction: single step, data breakpoints (Intel SDM vol. 3, 18.3). */
final class DebugTraps {
    private DebugTraps() {}

    /** Raises the #DB of an instruction breakpoint on the instruction about to be executed. */
    static void beforeInstruction(Cpu cpu, long linear) {
        long dr7 = cpu.dr[7];
        int hits = 0;
        for (int n = 0; n < 4; n++) {
            boolean enabled = (dr7 >>> 2 * n & 3) != 0;
            boolean execution = (dr7 >>> 16 + 4 * n & 3) == 0;
            if (enabled && execution && cpu.dr[n] == linear) {
                hits |= 1 << n;
            }
        }
        if (hits != 0) {
            cpu.dr[6] = cpu.dr[6] & ~15L | hits;
            throw cpu.fault(CpuFault.DB);
        }
    }

    /** Raises the #DB of what the instruction has met: data breakpoints, or the end of a single step. */
    static void afterInstruction(Cpu cpu, Instruction i, boolean stepped) {
        // Loading SS holds traps back until after the next instruction. INT n has entered a handler without TF;
        // SYSCALL may have cleared TF, and then there is no trap.
        if (cpu.interruptShadow && i.op != Op.STI) {
            return;
        }
        boolean trap = switch (i.op) {
            case INT, INT3, INTO, INT1 -> false;
            case SYSCALL -> stepped && (cpu.systemFlags & Cpu.TF) != 0;
            default -> stepped;
        };
        int data = cpu.mmu.pendingDebug;
        cpu.mmu.pendingDebug = 0;
        if (data != 0 || trap) {
            cpu.dr[6] = cpu.dr[6] & ~15L | data | (trap ? Debug.DR6_BS : 0);
            throw cpu.fault(CpuFault.DB);
        }
    }
}
