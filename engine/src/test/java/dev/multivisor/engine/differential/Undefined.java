package dev.multivisor.engine.differential;

import dev.multivisor.engine.isa.Form;
import dev.multivisor.engine.isa.Instruction;
import dev.multivisor.engine.isa.Op;
import dev.multivisor.engine.isa.Operand;

/**
 * Results that the manual leaves undefined or approximate, and those in which processors of AMD and Intel differ:
 *
 * <ul>
 *   <li>RCPPS, RCPSS, RSQRTPS, RSQRTSS: a relative error of 1.5 * 2^-12 is allowed.
 *   <li>x87's transcendental functions: an error of one unit in the last place, by each manual's own account.
 *   <li>F2XM1 of 1 and -1, which AMD's round though the results are exact, and outside of [-1, 1]; FYL2XP1 of
 *       magnitudes over 1 - sqrt(1/2).
 *   <li>C1 after x87's transcendental functions, FCOMI and FCMOVcc.
 *   <li>x87's instruction and data pointers and opcode: AMD's keep them only when an exception is pending.
 *   <li>MXCSR and its mask: AMD's have bit 17 (misaligned SSE).
 *   <li>CALL to an address outside of the segment or not canonical when the stack faults too: which is first.
 *   <li>MASKMOVQ, MASKMOVDQU: whether bytes that are not stored can fault.
 *   <li>SHLD, SHRD: everything, when the count is greater than the operand size.
 *   <li>A stack operand that is not aligned, and outside of the segment or not canonical: which is first.
 *   <li>PUSHA and ENTER that fault: what they have written below the stack pointer.
 *   <li>POPA that faults: AMD's have loaded the registers before the fault.
 *   <li>ARPL: AMD's write memory only when the RPL changes.
 *   <li>66 with near branches in 64-bit mode, 66 MOVSXD, which AMD's take otherwise, and F3 0F C7 /7 (RDPID), 0F 0D
 *       with a register: not tested.
 *   <li>The SHA extensions with a source that is not aligned, which AMD's take.
 *   <li>Condition codes of the x87 status word that an instruction does not define.
 * </ul>
 */
final class Undefined {
    private static final int SS = 12, GP = 13;

    private Undefined() {}

    /** Whether nothing about a case's result is defined. */
    static boolean result(TestCase test, Outcome host, Outcome ours) {
        if (test.form.op() == Op.CMPS && host.vector >= SS && ours.vector >= SS && host.vector != ours.vector) {
            // Both operands fault, each in its way; see otherOperand.
            return true;
        }
        Instruction i = test.instruction;
        boolean aligned = i.form.has(Form.Attribute.ALIGNED) || i.op == Op.FXSAVE || i.op == Op.FXRSTOR;
        if (aligned && (host.vector ^ ours.vector) == (GP ^ SS)) {
            return true;
        }
        return switch (i.op) {
            case SHLD, SHRD -> {
                long by = i.c.kind() == Operand.Kind.IMMEDIATE ? i.immediate : test.gpr[1];
                yield i.a.size() == 2 && (by & 31) > 16;
            }
            case MASKMOVQ, MASKMOVDQU, POPA -> host.vector >= 0;
            case ARPL -> host.vector >= 0 || ours.vector >= 0;
            case LDMXCSR, FXRSTOR -> (Values.get(host.fx, TestCase.FX_MXCSR, 4) & 1 << 17) != 0;
            case CALL -> ours.vector == GP && host.vector >= 0 && host.vector != GP;
            case SHA1RNDS4, SHA1NEXTE, SHA1MSG1, SHA1MSG2, SHA256RNDS2, SHA256MSG1, SHA256MSG2 ->
                ours.vector == GP && host.vector != GP;
            case F2XM1 -> magnitude(test, 0x3fff, Long.MIN_VALUE);
            case FYL2XP1 -> magnitude(test, 0x3ffd, 0x95f619980c4336f7L);
            default -> false;
        };
    }

    /** Whether the finite number in ST(0) has at least some magnitude. */
    private static boolean magnitude(TestCase test, int exponent, long significand) {
        int exp = (int) Values.get(test.fx, TestCase.FX_ST + 8, 2) & 0x7fff;
        long sig = Values.get(test.fx, TestCase.FX_ST, 8);
        return exp > exponent && exp < 0x7fff && sig < 0
                || exp == exponent && Long.compareUnsigned(sig, significand) >= 0;
    }

    /** Whether words may have been pushed before a fault, below the stack pointer that stays. */
    static boolean pushesBeforeFault(TestCase test) {
        return test.form.op() == Op.PUSHA || test.form.op() == Op.ENTER;
    }

    /**
     * Whether a page fault is one of an operand of CMPS: which of the two is read first is the processor's choice, and
     * processors differ.
     */
    static boolean otherOperand(TestCase test, Outcome outcome) {
        if (test.form.op() != Op.CMPS) {
            return false;
        }
        int bits = test.instruction.addressSize * 8;
        for (int register : new int[] {6, 7}) {
            long address = outcome.gpr[register] & -1L >>> 64 - bits;
            for (long base : new long[] {0, TestCase.GS_BASE, test.mode == 16 ? TestCase.WINDOW : 0}) {
                long at = address + base & (test.mode == 64 ? -1L : 0xffffffffL);
                if (Long.compareUnsigned(outcome.cr2 - at, 8) < 0) {
                    return true;
                }
            }
        }
        return false;
    }

    /** Bits of the x87 status word that are undefined after a case. */
    static int status(TestCase test, Outcome host) {
        return switch (test.form.op()) {
            // C1 reports a stack fault only. Intel's manual has it cleared otherwise; AMD's CPUs leave it.
            case FCMOVCC, FCOMI, FCOMIP, FUCOMI, FUCOMIP -> 1 << 9;
            // The product with a power of two's logarithm can be exact, which AMD's do not see.
            case FYL2X -> Long.bitCount(Values.get(test.fx, TestCase.FX_ST, 8)) == 1 ? 1 << 9 | 0x80b0 : 1 << 9;
            // A result that may differ by a unit may be rounded the other way.
            case F2XM1, FYL2XP1, FPATAN, FPTAN, FSIN, FCOS, FSINCOS -> 1 << 9;
            default -> 0;
        };
    }

    /** Whether two registers that differ are as equal as the manual asks for. */
    static boolean close(TestCase test, byte[] host, byte[] ours, int at) {
        return switch (test.form.op()) {
            case RCPPS, RCPSS, RSQRTPS, RSQRTSS -> {
                boolean all = true;
                for (int n = 0; n < 16; n += 4) {
                    float x = Float.intBitsToFloat((int) Values.get(host, at + n, 4));
                    float y = Float.intBitsToFloat((int) Values.get(ours, at + n, 4));
                    all &= Float.floatToRawIntBits(x) == Float.floatToRawIntBits(y)
                            || Math.abs((double) x - y) <= Math.abs((double) x) * 3 / 4096;
                }
                yield all;
            }
            case F2XM1, FYL2X, FYL2XP1, FPATAN, FPTAN, FSIN, FCOS, FSINCOS -> {
                yield unitsApart(host, ours, at) <= 2;
            }
            default -> false;
        };
    }

    /** How many units in the last place two x87 registers are apart; many if they are no neighbours at all. */
    private static long unitsApart(byte[] host, byte[] ours, int at) {
        int exponent = (int) Values.get(host, at + 8, 2);
        int other = (int) Values.get(ours, at + 8, 2);
        long significand = Values.get(host, at, 8);
        long otherSignificand = Values.get(ours, at, 8);
        // Only below the smallest exponent numbers have no integer bit.
        boolean alike = (significand ^ otherSignificand) >= 0 || (exponent & 0x7fff) == 0 || (other & 0x7fff) == 0;
        if (((exponent ^ other) & 0x8000) != 0 || Math.abs(exponent - other) > 1 || !alike) {
            return Long.MAX_VALUE;
        }
        // Without the integer bit the next exponent's significands go on where those of one end.
        long distance = (significand & Long.MAX_VALUE)
                - (otherSignificand & Long.MAX_VALUE)
                + ((long) (exponent - other) << 63);
        return distance == Long.MIN_VALUE ? Long.MAX_VALUE : Math.abs(distance);
    }

    /** Makes memory equal where an instruction stores what is not compared. */
    static void equalise(TestCase test, byte[] host, byte[] ours) {
        Instruction i = test.instruction;
        int at = test.patchOffset;
        switch (i.op) {
            case FXSAVE -> {
                copy(host, ours, at + 6, 18);
                copy(host, ours, at + 28, 4);
            }
            case FNSTENV, FNSAVE -> {
                int word = i.operandSize == 2 ? 2 : 4;
                copy(host, ours, at + 3 * word, 4 * word);
            }
            default -> {}
        }
    }

    private static void copy(byte[] from, byte[] to, int at, int size) {
        int count = Math.min(size, from.length - at);
        System.arraycopy(from, at, to, at, Math.max(count, 0));
    }

    /** Whether an operation is x87's. */
    static boolean isFpu(Op op) {
        return op.ordinal() >= Op.F2XM1.ordinal() && op.ordinal() <= Op.FWAIT.ordinal();
    }
}
