package dev.multivisor.engine.cpu;

import dev.multivisor.api.EngineException;
import dev.multivisor.engine.cpu.Msrs.MsrState;
import java.lang.reflect.Array;
import java.util.Arrays;

/**
 * Everything architectural of one vCPU, as saved and restored. Names and units are those of {@link Cpu}'s fields. What
 * the memory management unit and the local APIC hold is saved by them.
 *
 * @param number the vCPU's
 */
public record CpuState(
        int number,
        GeneralState general,
        SegmentState segments,
        ControlState control,
        FpuState fpu,
        SseState sse,
        MsrState msrs,
        RunState run) {
    /** General registers 0 to 15, RIP, and RFLAGS with all its bits. */
    public record GeneralState(long[] registers, long rip, long flags) {}

    /** ES, CS, SS, DS, FS, GS, (unused), LDTR, TR; and the tables. */
    public record SegmentState(
            int[] selector,
            long[] base,
            int[] limit,
            int[] access,
            long gdtrBase,
            int gdtrLimit,
            long idtrBase,
            int idtrLimit) {}

    /** Control and debug registers, and the MSRs that the CPU itself looks at. */
    public record ControlState(
            long cr0,
            long cr2,
            long cr3,
            long cr4,
            long[] dr,
            int cpl,
            long efer,
            long star,
            long lstar,
            long cstar,
            long sfmask,
            long kernelGsBase,
            long tscAux,
            long pat,
            long sysenterCs,
            long sysenterEsp,
            long sysenterEip) {}

    /** x87 and MMX registers, by physical number. */
    public record FpuState(
            long[] significand,
            int[] exponent,
            int control,
            int status,
            int tags,
            long ip,
            long dp,
            int opcode,
            int cs,
            int ds) {}

    /** XMM registers as pairs of low and high half. */
    public record SseState(long[] xmm, int mxcsr) {}

    /** What it is doing. */
    public record RunState(
            boolean interruptShadow,
            boolean nmiBlocked,
            boolean halted,
            boolean waitForSipi,
            boolean shutdown,
            long instructions) {}

    private static final int SEGMENTS = 9;

    /** Reads a vCPU, which stands between two instructions. */
    public static CpuState save(Cpu cpu) {
        long[] registers = Arrays.copyOf(cpu.r, 16);
        return new CpuState(
                cpu.number,
                new GeneralState(registers, cpu.r[Cpu.RIP], cpu.flags()),
                new SegmentState(
                        cpu.selector.clone(),
                        cpu.segmentBase.clone(),
                        cpu.segmentLimit.clone(),
                        cpu.segmentAccess.clone(),
                        cpu.gdtrBase,
                        cpu.gdtrLimit,
                        cpu.idtrBase,
                        cpu.idtrLimit),
                new ControlState(
                        cpu.cr0,
                        cpu.cr2,
                        cpu.cr3,
                        cpu.cr4,
                        cpu.dr.clone(),
                        cpu.cpl,
                        cpu.efer,
                        cpu.star,
                        cpu.lstar,
                        cpu.cstar,
                        cpu.sfmask,
                        cpu.kernelGsBase,
                        cpu.tscAux,
                        cpu.pat,
                        cpu.sysenterCs,
                        cpu.sysenterEsp,
                        cpu.sysenterEip),
                new FpuState(
                        cpu.stSignificand.clone(),
                        cpu.stExponent.clone(),
                        cpu.fpuControl,
                        cpu.fpuStatus,
                        cpu.fpuTags,
                        cpu.fpuIp,
                        cpu.fpuDp,
                        cpu.fpuOpcode,
                        cpu.fpuCs,
                        cpu.fpuDs),
                new SseState(Arrays.copyOf(cpu.xmm, 32), cpu.mxcsr),
                cpu.msrs.save(),
                new RunState(
                        cpu.interruptShadow,
                        cpu.nmiBlocked,
                        cpu.halted,
                        cpu.waitForSipi,
                        cpu.shutdown,
                        cpu.instructions));
    }

    /**
     * Writes a vCPU that was just made. Everything is checked before the first change.
     *
     * @throws EngineException naming the field that no vCPU can have
     */
    public void restore(Cpu cpu) {
        check(cpu);
        System.arraycopy(general.registers, 0, cpu.r, 0, 16);
        cpu.r[Cpu.RIP] = general.rip;
        cpu.setFlags(general.flags);
        System.arraycopy(segments.selector, 0, cpu.selector, 0, SEGMENTS);
        System.arraycopy(segments.base, 0, cpu.segmentBase, 0, SEGMENTS);
        System.arraycopy(segments.limit, 0, cpu.segmentLimit, 0, SEGMENTS);
        System.arraycopy(segments.access, 0, cpu.segmentAccess, 0, SEGMENTS);
        cpu.gdtrBase = segments.gdtrBase;
        cpu.gdtrLimit = segments.gdtrLimit;
        cpu.idtrBase = segments.idtrBase;
        cpu.idtrLimit = segments.idtrLimit;
        restoreControl(cpu);
        System.arraycopy(fpu.significand, 0, cpu.stSignificand, 0, 8);
        System.arraycopy(fpu.exponent, 0, cpu.stExponent, 0, 8);
        cpu.fpuControl = fpu.control;
        cpu.fpuStatus = fpu.status;
        cpu.fpuTags = fpu.tags;
        cpu.fpuIp = fpu.ip;
        cpu.fpuDp = fpu.dp;
        cpu.fpuOpcode = fpu.opcode;
        cpu.fpuCs = fpu.cs;
        cpu.fpuDs = fpu.ds;
        System.arraycopy(sse.xmm, 0, cpu.xmm, 0, 32);
        cpu.mxcsr = sse.mxcsr;
        cpu.msrs.restore(msrs);
        cpu.interruptShadow = run.interruptShadow;
        cpu.nmiBlocked = run.nmiBlocked;
        cpu.halted = run.halted;
        cpu.waitForSipi = run.waitForSipi;
        cpu.shutdown = run.shutdown;
        cpu.instructions = run.instructions;
        cpu.mmu.flushAll();
        Debug.changed(cpu);
        cpu.updateMode();
    }

    private void restoreControl(Cpu cpu) {
        cpu.cr0 = control.cr0;
        cpu.cr2 = control.cr2;
        cpu.cr3 = control.cr3;
        cpu.cr4 = control.cr4;
        System.arraycopy(control.dr, 0, cpu.dr, 0, 8);
        cpu.cpl = control.cpl;
        cpu.efer = control.efer;
        cpu.star = control.star;
        cpu.lstar = control.lstar;
        cpu.cstar = control.cstar;
        cpu.sfmask = control.sfmask;
        cpu.kernelGsBase = control.kernelGsBase;
        cpu.tscAux = control.tscAux;
        cpu.pat = control.pat;
        cpu.sysenterCs = control.sysenterCs;
        cpu.sysenterEsp = control.sysenterEsp;
        cpu.sysenterEip = control.sysenterEip;
    }

    private void check(Cpu cpu) {
        require(number == cpu.number, "number", number);
        requirePresent("general", general);
        requireLength("general.registers", general.registers, 16);
        require((general.flags & ~0x3f7fd7L) == 0 && (general.flags & 2) != 0, "general.flags", general.flags);
        checkSegments();
        checkControl();
        checkFloatingPoint();
        requirePresent("msrs", msrs);
        requireLength("msrs.mtrrFixed", msrs.mtrrFixed(), cpu.msrs.mtrrFixed.length);
        requireLength("msrs.mtrrVariable", msrs.mtrrVariable(), cpu.msrs.mtrrVariable.length);
        requirePresent("run", run);
        require(run.instructions >= 0, "run.instructions", run.instructions);
    }

    private void checkSegments() {
        requirePresent("segments", segments);
        requireLength("segments.selector", segments.selector, SEGMENTS);
        requireLength("segments.base", segments.base, SEGMENTS);
        requireLength("segments.limit", segments.limit, SEGMENTS);
        requireLength("segments.access", segments.access, SEGMENTS);
        for (int selector : segments.selector) {
            require(selector >>> 16 == 0, "segments.selector", selector);
        }
        for (int access : segments.access) {
            require(access >>> 16 == 0, "segments.access", access);
        }
        require(segments.gdtrLimit >>> 16 == 0, "segments.gdtrLimit", segments.gdtrLimit);
        require(segments.idtrLimit >>> 16 == 0, "segments.idtrLimit", segments.idtrLimit);
        for (long base : segments.base) {
            requireCanonical("segments.base", base);
        }
        requireCanonical("segments.gdtrBase", segments.gdtrBase);
        requireCanonical("segments.idtrBase", segments.idtrBase);
    }

    private void checkControl() {
        requirePresent("control", control);
        requireLength("control.dr", control.dr, 8);
        require(Debug.valid(6, control.dr[6]), "control.dr[6]", control.dr[6]);
        require(Debug.valid(7, control.dr[7]), "control.dr[7]", control.dr[7]);
        require(control.cpl >>> 2 == 0, "control.cpl", control.cpl);
        require(ControlRegisters.validCr0(control.cr0), "control.cr0", control.cr0);
        require(ControlRegisters.validCr4(control.cr4), "control.cr4", control.cr4);
        require(control.cr3 >>> CpuModel.PHYSICAL_BITS == 0, "control.cr3", control.cr3);
        boolean active = (control.efer & Cpu.EFER_LMA) != 0;
        boolean expected = (control.efer & Cpu.EFER_LME) != 0 && (control.cr0 & Cpu.CR0_PG) != 0;
        boolean known = (control.efer & ~(Cpu.EFER_SCE | Cpu.EFER_LME | Cpu.EFER_LMA | Cpu.EFER_NXE)) == 0;
        require(known && active == expected, "control.efer", control.efer);
        require(!active || (control.cr4 & Cpu.CR4_PAE) != 0, "control.cr4", control.cr4);
        requireCanonical("control.lstar", control.lstar);
        requireCanonical("control.cstar", control.cstar);
        requireCanonical("control.kernelGsBase", control.kernelGsBase);
        requireCanonical("control.sysenterEsp", control.sysenterEsp);
        requireCanonical("control.sysenterEip", control.sysenterEip);
    }

    private void checkFloatingPoint() {
        requirePresent("fpu", fpu);
        requireLength("fpu.significand", fpu.significand, 8);
        requireLength("fpu.exponent", fpu.exponent, 8);
        for (int exponent : fpu.exponent) {
            require(exponent >>> 16 == 0, "fpu.exponent", exponent);
        }
        require(fpu.control >>> 16 == 0, "fpu.control", fpu.control);
        require(fpu.status >>> 16 == 0, "fpu.status", fpu.status);
        require(fpu.tags >>> 8 == 0, "fpu.tags", fpu.tags);
        requirePresent("sse", sse);
        requireLength("sse.xmm", sse.xmm, 32);
        require(sse.mxcsr >>> 16 == 0, "sse.mxcsr", sse.mxcsr);
    }

    private static void require(boolean condition, String field, long value) {
        if (!condition) {
            throw new EngineException("vCPU state: " + field + " cannot be 0x" + Long.toHexString(value));
        }
    }

    private static void requireCanonical(String field, long address) {
        require(Descriptors.canonical(address), field, address);
    }

    /** Absent fields are null after reading. */
    private static void requirePresent(String field, Object value) {
        if (value == null) {
            throw new EngineException("vCPU state: " + field + " is missing");
        }
    }

    private static void requireLength(String field, Object values, int wanted) {
        requirePresent(field, values);
        int length = Array.getLength(values);
        if (length != wanted) {
            throw new EngineException("vCPU state: " + field + " has " + length + " values instead of " + wanted);
        }
    }
}
