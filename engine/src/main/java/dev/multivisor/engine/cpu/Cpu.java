package dev.multivisor.engine.cpu;

import dev.multivisor.engine.cpu.fpu.Extended;
import dev.multivisor.engine.isa.Instruction;
import dev.multivisor.engine.mmu.Mmu;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/**
 * The architectural state of one vCPU, laid out for speed: registers in arrays that an interpreter loop or compiled
 * code can keep in locals, and flags in a lazy form.
 *
 * <p><b>Flags.</b> An arithmetic instruction leaves {@link #flagResult}, its result sign-extended to 64 bits, and
 * {@link #flagAux}, its vector of carries. From these each flag is a shift or a compare away:
 * ZF is {@code result == 0}; CF is bit 63 of aux; OF is bit 63 xor bit 62; AF is bit 3; SF is bit 63 of the result xor
 * bit 16 of aux; PF is the even parity of the low byte of the result xor bits 8 to 15 of aux. The last two
 * corrections are zero after arithmetic; they exist so that POPF can set any combination. A logical instruction leaves
 * aux at 0. The idea of two words instead of an operation and its operands is Bochs's (Mihocka and Shwartsman,
 * "Virtualization Without Direct Execution", 2008): producing is a few operations without a branch, and a compiler
 * sees through it.
 *
 * <p><b>RIP.</b> {@code r[RIP]} is the offset in CS of the instruction being executed, also inside its handler, so
 * that a fault needs no fix-up. The loop adds the length afterwards, except for forms that end a block, whose handlers
 * set RIP themselves.
 */
public final class Cpu {
    /** Numbers of general registers in {@link #r}. */
    public static final int RAX = 0, RCX = 1, RDX = 2, RBX = 3, RSP = 4, RBP = 5, RSI = 6, RDI = 7;

    /** A slot that is always zero, the address of the current instruction. */
    public static final int ZERO = 16, RIP = 17;

    /** Segment numbers; FLAT is a segment with base 0 that is never checked. */
    public static final int ES = 0, CS = 1, SS = 2, DS = 3, FS = 4, GS = 5, FLAT = 6, LDTR = 7, TR = 8;

    /** RFLAGS bits. */
    public static final int CF = 1,
            PF = 1 << 2,
            AF = 1 << 4,
            ZF = 1 << 6,
            SF = 1 << 7,
            TF = 1 << 8,
            IF = 1 << 9,
            DF = 1 << 10,
            OF = 1 << 11,
            IOPL = 3 << 12,
            NT = 1 << 14,
            RF = 1 << 16,
            VM = 1 << 17,
            AC = 1 << 18,
            VIF = 1 << 19,
            VIP = 1 << 20,
            ID = 1 << 21;

    /** The arithmetic flags. */
    public static final int ARITHMETIC = CF | PF | AF | ZF | SF | OF;

    /** CR0 bits. */
    public static final long CR0_PE = 1,
            CR0_MP = 2,
            CR0_EM = 4,
            CR0_TS = 8,
            CR0_ET = 16,
            CR0_NE = 32,
            CR0_WP = 1 << 16,
            CR0_AM = 1 << 18,
            CR0_NW = 1 << 29,
            CR0_CD = 1 << 30,
            CR0_PG = 1L << 31;

    /** CR4 bits. */
    public static final long CR4_VME = 1,
            CR4_PVI = 2,
            CR4_TSD = 4,
            CR4_DE = 8,
            CR4_PSE = 16,
            CR4_PAE = 32,
            CR4_MCE = 64,
            CR4_PGE = 128,
            CR4_PCE = 256,
            CR4_OSFXSR = 512,
            CR4_OSXMMEXCPT = 1024,
            CR4_UMIP = 2048,
            CR4_FSGSBASE = 1 << 16,
            CR4_PCIDE = 1 << 17,
            CR4_OSXSAVE = 1 << 18,
            CR4_SMEP = 1 << 20,
            CR4_SMAP = 1 << 21;

    /** EFER bits. */
    public static final long EFER_SCE = 1, EFER_LME = 1 << 8, EFER_LMA = 1 << 10, EFER_NXE = 1 << 11;

    /** The vCPU's number, also its initial APIC ID. */
    public final int number;

    /** General registers 0 to 15, then {@link #ZERO} and {@link #RIP}. Values are always full 64 bits. */
    public final long[] r = new long[18];

    /** The last result, sign-extended. */
    public long flagResult;

    /** Carries and corrections of the last result. */
    public long flagAux;

    /** The other bits of RFLAGS (TF, IF, DF, IOPL, NT, RF, VM, AC, VIF, VIP, ID); arithmetic ones are zero here. */
    public int systemFlags;

    /** Selectors by segment number. */
    public final int[] selector = new int[9];

    /** Linear base addresses by segment number. In 64-bit mode those of ES, CS, SS and DS are ignored. */
    public final long[] segmentBase = new long[9];

    /** Limits in bytes, granularity applied, as unsigned 32-bit numbers. */
    public final int[] segmentLimit = new int[9];

    /**
     * Access rights as the second doubleword of a descriptor, bits 8 to 23 shifted down by 8: type 0-3, S 4, DPL 5-6,
     * P 7, (limit 8-11), AVL 12, L 13, D/B 14, G 15. Zero for a null (unusable) segment.
     */
    public final int[] segmentAccess = new int[9];

    public long gdtrBase, idtrBase;
    public int gdtrLimit, idtrLimit;
    public long cr0, cr2, cr3, cr4;

    /** DR0 to DR3, DR6 and DR7 by number. */
    public final long[] dr = new long[8];

    public long efer, star, lstar, cstar, sfmask, kernelGsBase, tscAux, pat;
    public long sysenterCs, sysenterEsp, sysenterEip;

    /** Current privilege level, 0 to 3. */
    public int cpl;

    /** Size of code: 16, 32 or 64 bits. Follows CS and EFER; see {@link #updateMode}. */
    public int codeSize = 16;

    /**
     * The two halves of XMM0 to XMM15: low at 2n, high at 2n + 1. After them a scratch pair for a memory operand,
     * which is no part of the state.
     */
    public final long[] xmm = new long[34];

    public int mxcsr = 0x1f80;

    /** MXCSR exception flags found by the SSE instruction being executed. Zero between instructions. */
    public int simdExceptions;

    /** x87 significands by physical register; an MMX register is the one of the same number. */
    public final long[] stSignificand = new long[8];

    /** x87 signs and exponents by physical register: bit 15 is the sign, bits 0 to 14 the biased exponent. */
    public final int[] stExponent = new int[8];

    public int fpuControl = 0x37f, fpuStatus;

    /** x87 tags: bit n set when physical register n is in use (FXSAVE's abridged form). TOP is in the status. */
    public int fpuTags;

    public long fpuIp, fpuDp;
    public int fpuOpcode, fpuCs, fpuDs;

    /** Where x87 instructions work out their results: no part of the state. */
    public final Extended x87 = new Extended();

    /** Set by STI, MOV SS and POP SS: interrupts (and after SS, traps) wait for one instruction. */
    public boolean interruptShadow;

    /** In HLT, waiting for an interrupt. */
    public boolean halted;

    /** An application processor that waits for a start-up IPI. */
    public boolean waitForSipi;

    /** A fault while delivering a double fault: the loop returns and the machine resets (Intel SDM vol. 3, 6.15). */
    public boolean shutdown;

    /** Between the delivery of an NMI and the next IRET: no other NMI (Intel SDM vol. 3, 6.7.1). */
    public boolean nmiBlocked;

    /**
     * The machine has an interrupt for this vCPU that waits for IF. Whatever sets IF calls {@link #interruptsEnabled},
     * and only with a waiting interrupt does that leave the loop.
     */
    public boolean interruptWindow;

    /** MSRs that nothing but RDMSR and WRMSR looks at. */
    public final Msrs msrs = new Msrs();

    /** What CPUID shows. Set by the machine before the vCPU runs. */
    public CpuModel model = CpuModel.DEFAULT;

    /** Instructions completed, and exceptions delivered, since reset; those of the block being executed are added at its end. */
    public long instructions;

    /** Counts PAUSE instructions, for the host's sake: no state of the guest's. */
    int pauses;

    /**
     * Whether {@link #instructions} is exact now. If not, an access to a device throws {@link CpuFault#DEVICE} before it
     * has done anything, and the loop executes the instruction again with the exact count.
     */
    public boolean exact = true;

    /**
     * A change in several steps is going on, such as the delivery of an exception. Left set by an error of the engine: the
     * state is no guest's any more.
     */
    public boolean torn;

    /**
     * Compiled code has to be left after the instruction being executed: code was dropped, or a page's writes are no
     * longer fast. Set by the vCPU's own thread.
     */
    public boolean leave;

    public final Counters counters = new Counters();

    public final Mmu mmu;

    public final Platform platform;

    private final CpuFault fault = new CpuFault();

    /**
     * Not zero: the loop must return at the next instruction boundary that ends a block. See {@link #interrupt}. Public
     * for compiled code, which reads it as it is: the budget bounds for how long the JVM may not look.
     */
    public int attention;

    private static final VarHandle ATTENTION, INSTRUCTIONS;

    static {
        try {
            ATTENTION = MethodHandles.lookup().findVarHandle(Cpu.class, "attention", int.class);
            INSTRUCTIONS = MethodHandles.lookup().findVarHandle(Cpu.class, "instructions", long.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    public Cpu(int number, Mmu mmu, Platform platform) {
        this.number = number;
        this.mmu = mmu;
        this.platform = platform;
        mmu.attach(this);
    }

    /** {@link #instructions} for any thread; may go back by those of a block. */
    public long progress() {
        return (long) INSTRUCTIONS.getOpaque(this);
    }

    /** Makes the loop return soon. From any thread. */
    public void interrupt() {
        ATTENTION.setRelease(this, 1);
    }

    /** Whether {@link #interrupt} was called since the last {@link #clearAttention}. */
    public boolean attention() {
        return (int) ATTENTION.getOpaque(this) != 0;
    }

    /** Called by the vCPU's own thread before it looks for what there is to do. */
    public void clearAttention() {
        ATTENTION.setVolatile(this, 0);
    }

    /** To be called after IF was set (STI, POPF, IRET): leaves the loop if an interrupt waits. */
    public void interruptsEnabled() {
        if (interruptWindow) {
            interruptWindow = false;
            interrupt();
        }
    }

    // ---- Flags ----

    public boolean cf() {
        return flagAux < 0;
    }

    public boolean zf() {
        return flagResult == 0;
    }

    public boolean sf() {
        return (flagResult >>> 63 ^ flagAux >>> 16 & 1) != 0;
    }

    public boolean of() {
        return ((flagAux ^ flagAux << 1) & Long.MIN_VALUE) != 0;
    }

    /** SF differs from OF. */
    public boolean less() {
        return (flagResult ^ flagAux << 47 ^ flagAux ^ flagAux << 1) < 0;
    }

    public boolean af() {
        return (flagAux & 8) != 0;
    }

    public boolean pf() {
        int low = (int) (flagResult ^ flagAux >>> 8) & 0xff;
        return (0x9669 >>> ((low ^ low >>> 4) & 15) & 1) != 0;
    }

    /** A condition by its code 0 to 15 (Intel SDM vol. 1, appendix B). */
    public boolean condition(int code) {
        boolean holds = switch (code >>> 1) {
            case 0 -> of();
            case 1 -> cf();
            case 2 -> zf();
            case 3 -> cf() || zf();
            case 4 -> sf();
            case 5 -> pf();
            case 6 -> less();
            default -> zf() || less();
        };
        return holds == ((code & 1) == 0);
    }

    /** All of RFLAGS, bit 1 set. */
    public long flags() {
        return systemFlags
                | 2
                | (cf() ? CF : 0)
                | (pf() ? PF : 0)
                | (af() ? AF : 0)
                | (zf() ? ZF : 0)
                | (sf() ? SF : 0)
                | (of() ? OF : 0);
    }

    /** Sets the arithmetic flags to the bits of an RFLAGS value; other bits are ignored. */
    public void setArithmeticFlags(long value) {
        boolean zero = (value & ZF) != 0;
        flagResult = zero ? 0 : 1;
        boolean parity = (value & PF) != 0;
        boolean carry = (value & CF) != 0;
        boolean overflow = (value & OF) != 0;
        flagAux = (carry ? 1L << 63 : 0)
                | (carry != overflow ? 1L << 62 : 0)
                | ((value & AF) != 0 ? 8 : 0)
                | (parity == zero ? 0 : 1 << 8)
                | ((value & SF) != 0 ? 1 << 16 : 0);
    }

    /** Sets all of RFLAGS, without any check of privilege. */
    public void setFlags(long value) {
        setArithmeticFlags(value);
        systemFlags = (int) value & (TF | IF | DF | IOPL | NT | RF | VM | AC | VIF | VIP | ID);
    }

    // ---- Modes ----

    /** Whether paging structures and registers are those of IA-32e mode (64-bit or compatibility). */
    public boolean longMode() {
        return (efer & EFER_LMA) != 0;
    }

    public boolean protectedMode() {
        return (cr0 & CR0_PE) != 0;
    }

    public boolean virtual8086() {
        return (systemFlags & VM) != 0;
    }

    /** Recomputes what follows from CS, CPL, EFER and the control registers. Call after changing any of them. */
    public void updateMode() {
        int access = segmentAccess[CS];
        codeSize = longMode() && (access & 1 << 13) != 0 ? 64 : (access & 1 << 14) != 0 ? 32 : 16;
        mmu.modeChanged(this);
    }

    /** Moves RIP past an instruction that ends a block, cut to the code size. */
    public void advance(Instruction i) {
        jump(r[RIP] + i.length);
    }

    /** Sets RIP, cut to 16 or 32 bits outside 64-bit mode. Checks neither the limit nor whether it is canonical. */
    public void jump(long target) {
        r[RIP] = codeSize == 64 ? target : target & (codeSize == 32 ? 0xffffffffL : 0xffff);
    }

    // ---- Faults: `throw cpu.fault(...)` ----

    /** An exception without an error code, or with error code 0. */
    public CpuFault fault(int vector) {
        return fault(vector, 0);
    }

    /** An exception with an error code. */
    public CpuFault fault(int vector, int errorCode) {
        fault.vector = vector;
        fault.errorCode = errorCode;
        fault.address = 0;
        fault.nonCanonical = false;
        return fault;
    }

    /** A page fault at a linear address. */
    public CpuFault pageFault(long address, int errorCode) {
        fault(CpuFault.PF, errorCode);
        fault.address = address;
        return fault;
    }

    /** A non-canonical linear address. */
    public CpuFault nonCanonical() {
        fault(CpuFault.GP);
        fault.nonCanonical = true;
        return fault;
    }
}
