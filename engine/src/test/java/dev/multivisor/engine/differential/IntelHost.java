package dev.multivisor.engine.differential;

import dev.multivisor.engine.isa.Form;
import dev.multivisor.engine.isa.Instruction;
import dev.multivisor.engine.isa.Op;
import dev.multivisor.engine.isa.Operand;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * What Intel's processors make otherwise than AMD's, whose way the interpreter has, where the manual leaves it open or
 * says that processors differ. None of this is left out on a host of AMD's:
 *
 * <ul>
 *   <li>Repeated string instructions with 32-bit addresses in 64-bit mode: bits 32 to 63 of the registers that did not change.
 *   <li>Repeated CMPS and SCAS that fault: flags are those of before (SDM vol. 2, REP).
 *   <li>Accesses that go past 4 GiB outside of 64-bit mode: a page fault, not one of the segment's limit.
 *   <li>PUSH of a segment register with an operand size of 32 bits writes 16 (SDM vol. 2, PUSH).
 *   <li>CALL to an address outside of a segment: the return address is written before the fault.
 *   <li>BOUND: the lower bound is compared before the upper one is read.
 *   <li>x87 stores that raise an unmasked exception do not reach for memory; those of 80 bits write the first page
 *       before they fault in the second.
 *   <li>MMX instructions that fault in a store have set TOP to 0.
 *   <li>DPPS, DPPD: which of several NaNs is the result.
 * </ul>
 */
final class IntelHost {
    /** Whether the host's processor is Intel's. */
    static final boolean PRESENT = vendor();

    private static final int BR = 5, SS = 12, GP = 13, PF = 14;

    private IntelHost() {}

    private static boolean vendor() {
        try {
            return Files.readString(Path.of("/proc/cpuinfo")).contains("GenuineIntel");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Whether the result as a whole may differ. */
    static boolean result(TestCase test, Outcome host, Outcome ours) {
        Op op = test.form.op();
        boolean outside = ours.vector == SS || ours.vector == GP;
        // The longest operand has 512 bytes.
        boolean atEnd = (host.cr2 + 512 & 0xffffffffL) < 1024;
        boolean wraps = test.mode == 32 && host.vector == PF && outside && atEnd;
        boolean bound = op == Op.BOUND && host.vector == BR && (outside || ours.vector == PF);
        // ES: an exception is pending.
        boolean unmasked = storesX87(test)
                && host.vector == Outcome.COMPLETED
                && (outside || ours.vector == PF)
                && (Values.get(host.fx, TestCase.FX_FSW, 2) & 0x80) != 0;
        return wraps || bound || unmasked;
    }

    private static boolean storesX87(TestCase test) {
        return switch (test.form.op()) {
            case FST, FSTP, FIST, FISTP, FISTTP, FBSTP -> test.instruction.memory();
            default -> false;
        };
    }

    /** Bits of a general register that are compared. */
    static long register(TestCase test, int number) {
        Instruction i = test.instruction;
        boolean counter = number == 1 || number == 6 || number == 7;
        boolean repeated = (i.prefixes & (Instruction.REP | Instruction.REPNE)) != 0;
        return counter && repeated && test.mode == 64 && i.addressSize == 4 && test.form.has(Form.Attribute.STRING)
                ? 0xffffffffL
                : -1;
    }

    /** Whether the arithmetic flags may differ. */
    static boolean flags(TestCase test, Outcome host) {
        return host.vector >= 0 && (test.form.op() == Op.CMPS || test.form.op() == Op.SCAS);
    }

    /** Whether TOP may differ, and with it which x87 register is which. */
    static boolean top(TestCase test, Outcome host) {
        return host.vector >= 0 && test.form.has(Form.Attribute.MMX);
    }

    /** Whether memory may differ after a fault. */
    static boolean writesBeforeFault(TestCase test) {
        Op op = test.form.op();
        return op == Op.CALL && test.mode != 64 || op == Op.FBSTP || op == Op.FSTP && test.instruction.a.size() == 10;
    }

    /** Whether two XMM registers are the same but for which NaN is where one is. */
    static boolean sameButNaN(TestCase test, byte[] host, byte[] ours, int at) {
        int size = test.form.op() == Op.DPPS ? 4 : test.form.op() == Op.DPPD ? 8 : 0;
        if (size == 0) {
            return false;
        }
        for (int n = 0; n < 16; n += size) {
            long x = Values.get(host, at + n, size);
            long y = Values.get(ours, at + n, size);
            if (x != y && !(nan(x, size) && nan(y, size))) {
                return false;
            }
        }
        return true;
    }

    private static boolean nan(long bits, int size) {
        return size == 4 ? Float.isNaN(Float.intBitsToFloat((int) bits)) : Double.isNaN(Double.longBitsToDouble(bits));
    }

    /** Makes memory equal where a segment register's upper half is pushed. */
    static void equalise(TestCase test, byte[] host, byte[] ours) {
        Instruction i = test.instruction;
        if (test.form.op() == Op.PUSH && i.a.kind() == Operand.Kind.SEGMENT && i.operandSize == 4) {
            long pointer = test.gpr[4] - 2 & (test.mode == 16 ? 0xffff : 0xffffffffL);
            long at = pointer + test.base() - TestCase.WINDOW;
            for (long n = Math.max(at, 0); n < Math.min(at + 2, host.length); n++) {
                ours[(int) n] = host[(int) n];
            }
        }
    }
}
