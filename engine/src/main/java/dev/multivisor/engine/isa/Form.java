package dev.multivisor.engine.isa;

import java.util.List;
import java.util.Set;

/**
 * One row of the instruction table: an encoding, what it does and what it takes. The decoder, interpreter,
 * compiler, disassembler and tests all read it. Rows are in {@code isa/*.txt}; see {@link InstructionTable}.
 *
 * @param index the row's number, dense from 0
 * @param encoding as in the table, for reports
 * @param op what it does
 * @param operands operand codes of the Intel SDM, volume 2, appendix A.2, such as {@code Ev}
 * @param attributes what else must be known
 * @param writes arithmetic flags that it defines, of {@code oszapc}
 * @param undefined arithmetic flags that the manual leaves undefined, of {@code oszapc}
 */
public record Form(
        int index,
        String encoding,
        Op op,
        List<String> operands,
        Set<Attribute> attributes,
        String writes,
        String undefined) {

    /** What else must be known of a form. */
    public enum Attribute {
        /** Takes a LOCK prefix when its destination is memory; otherwise LOCK is #UD. */
        LOCK,
        /** Sets RIP itself, or changes what the next instructions mean: the last one of a block. */
        ENDS,
        /** 64-bit operand size without REX.W in 64-bit mode (near branches, PUSH, POP). */
        WIDE,
        /** #UD in 64-bit mode. */
        NOT64,
        /** #UD outside 64-bit mode. */
        ONLY64,
        /** #UD in real and virtual-8086 mode. */
        PROTECTED,
        /** #GP(0) unless CPL is 0; checked by the interpreter before the handler runs. */
        PRIVILEGED,
        /** String instruction: REP, REPE and REPNE repeat it. */
        STRING,
        /** Belongs to x87: #NM when CR0.EM or TS; pending exceptions are raised first unless {@link #NOWAIT}. */
        X87,
        /** x87 without a check for pending exceptions. */
        NOWAIT,
        /** Belongs to MMX: #UD when CR0.EM, #NM when TS, pending x87 exceptions raised first. */
        MMX,
        /** Belongs to SSE: #UD when CR0.EM or not CR4.OSFXSR, #NM when TS. */
        SSE,
        /** Belongs to the SHA extensions: #UD where CPUID does not show them. */
        SHA,
        /** A 16-byte memory operand must be aligned, or #GP(0). */
        ALIGNED,
        /** Not for the differential test on hardware (privileged, or leaves user mode). */
        UNTESTED
    }

    public boolean has(Attribute attribute) {
        return attributes.contains(attribute);
    }
}
