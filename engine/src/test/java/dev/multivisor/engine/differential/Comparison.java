package dev.multivisor.engine.differential;

import dev.multivisor.engine.isa.Instruction;
import dev.multivisor.engine.isa.Op;
import dev.multivisor.engine.isa.Operand;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;

/**
 * Compares what the host and the interpreter made of a case. What the manual leaves undefined is left out, flag by flag
 * and field by field; everything here that is more than the table's {@code u:} flags says why.
 */
final class Comparison {
    private static final int CF = 1, AF = 0x10, OF = 0x800;
    private static final int ARITHMETIC = 0x8d5, DF = 0x400;
    private static final int PF = 14;

    private static final byte[] PATTERN = TestCase.pattern();

    private Comparison() {}

    /** The fields that differ, with both values, the host's first. */
    static List<String> differences(TestCase test, Outcome host, Outcome ours) {
        if (host.vector == Outcome.TIMEOUT
                || Undefined.result(test, host, ours)
                || IntelHost.PRESENT && IntelHost.result(test, host, ours)) {
            return List.of();
        }
        List<String> found = new ArrayList<>(0);
        if (host.vector != ours.vector) {
            found.add("exception " + host.vector + " / " + ours.vector);
            return found;
        }
        number(found, "rip", host.rip, ours.rip);
        if (host.vector == PF) {
            pageFault(found, test, host, ours);
        }
        registers(found, test, host, ours);
        boolean otherFlags = IntelHost.PRESENT && IntelHost.flags(test, host);
        long mask = otherFlags ? DF : (ARITHMETIC | DF) & ~undefinedFlags(test);
        number(found, "flags", host.flags & mask, ours.flags & mask);
        // The table must name every flag that an instruction touches: the compiler drops those that nobody reads.
        int named = bits(test.form.writes()) | bits(test.form.undefined());
        number(found, "flags written that the table does not name", (host.flags ^ test.flags) & ARITHMETIC & ~named, 0);
        floating(found, test, host, ours);
        boolean partly = host.vector >= 0
                && (Undefined.pushesBeforeFault(test) || IntelHost.PRESENT && IntelHost.writesBeforeFault(test));
        boolean same = host.changedOffset == ours.changedOffset && Arrays.equals(host.changed, ours.changed);
        if (!same && !partly) {
            memory(found, test, host, ours);
        }
        return found;
    }

    private static void number(List<String> found, String name, long host, long ours) {
        if (host != ours) {
            found.add(name + " " + Long.toHexString(host) + " / " + Long.toHexString(ours));
        }
    }

    private static void pageFault(List<String> found, TestCase test, Outcome host, Outcome ours) {
        if (host.cr2 != ours.cr2 && Undefined.otherOperand(test, host) && Undefined.otherOperand(test, ours)) {
            return;
        }
        // Long operands are transferred in an order of the processor's choice: compare pages only.
        long mask = !test.instruction.memory() ? -1 : test.instruction.addressSize == 2 ? 0 : ~4095L;
        number(found, "cr2", host.cr2 & mask, ours.cr2 & mask);
        // Above 4 GiB the host has mappings of its own.
        if (host.cr2 >>> 32 == 0 && test.form.op() != Op.ARPL) {
            number(found, "error code", host.error & 0x17, ours.error & 0x17);
        }
    }

    private static void registers(List<String> found, TestCase test, Outcome host, Outcome ours) {
        int count = test.mode == 64 ? 16 : 8;
        for (int n = 0; n < count; n++) {
            long mask = test.mode != 64 ? 0xffffffffL : IntelHost.PRESENT ? IntelHost.register(test, n) : -1;
            if (((host.gpr[n] ^ ours.gpr[n]) & mask) != 0) {
                number(found, "gpr" + n, host.gpr[n] & mask, ours.gpr[n] & mask);
            }
        }
    }

    private static void floating(List<String> found, TestCase test, Outcome host, Outcome ours) {
        number(found, "fcw", Values.get(host.fx, 0, 2), Values.get(ours.fx, 0, 2));
        boolean otherTop = IntelHost.PRESENT && IntelHost.top(test, host);
        long status = ~(Undefined.status(test, host) | (otherTop ? 7 << 11 : 0));
        number(found, "fsw", Values.get(host.fx, 2, 2) & status, Values.get(ours.fx, 2, 2) & status);
        number(found, "ftw", host.fx[4] & 0xff, ours.fx[4] & 0xff);
        number(found, "mxcsr", Values.get(host.fx, 24, 4), Values.get(ours.fx, 24, 4));
        for (int n = otherTop ? 8 : 0; n < 24; n++) {
            int at = TestCase.FX_ST + n * 16;
            int size = n < 8 ? 10 : 16;
            if (n >= 16 && test.mode != 64) {
                break;
            }
            if (!Arrays.equals(host.fx, at, at + size, ours.fx, at, at + size)
                    && !Undefined.close(test, host.fx, ours.fx, at)
                    && !(IntelHost.PRESENT && n >= 8 && IntelHost.sameButNaN(test, host.fx, ours.fx, at))) {
                found.add((n < 8 ? "st" + n : "xmm" + (n - 8)) + " " + bytes(host.fx, at, size) + " / "
                        + bytes(ours.fx, at, size));
            }
        }
    }

    /** Most significant byte first. */
    private static String bytes(byte[] from, int at, int size) {
        byte[] reversed = new byte[size];
        for (int n = 0; n < size; n++) {
            reversed[n] = from[at + size - 1 - n];
        }
        return HexFormat.of().formatHex(reversed);
    }

    private static void memory(List<String> found, TestCase test, Outcome host, Outcome ours) {
        byte[] theirs = PATTERN.clone();
        System.arraycopy(test.patch, 0, theirs, test.patchOffset, test.patch.length);
        byte[] mine = theirs.clone();
        System.arraycopy(host.changed, 0, theirs, host.changedOffset, host.changed.length);
        System.arraycopy(ours.changed, 0, mine, ours.changedOffset, ours.changed.length);
        Undefined.equalise(test, theirs, mine);
        if (IntelHost.PRESENT) {
            IntelHost.equalise(test, theirs, mine);
        }
        int first = Arrays.mismatch(theirs, mine);
        if (first >= 0) {
            int last = theirs.length;
            while (theirs[last - 1] == mine[last - 1]) {
                last--;
            }
            found.add("memory " + Long.toHexString(TestCase.WINDOW + first) + " "
                    + HexFormat.of().formatHex(theirs, first, last) + " / "
                    + HexFormat.of().formatHex(mine, first, last));
        }
    }

    /** Flags that this instruction leaves undefined: the row's, and those that depend on a shift's count. */
    static int undefinedFlags(TestCase test) {
        Instruction i = test.instruction;
        int row = bits(test.form.undefined());
        switch (i.op) {
            case SHL, SHR, SAR, ROL, ROR, RCL, RCR, SHLD, SHRD -> {
                int size = i.a.size() * 8;
                boolean wide = i.op == Op.SHLD || i.op == Op.SHRD;
                long by = (wide ? i.c : i.b).kind() == Operand.Kind.IMMEDIATE ? i.immediate : test.gpr[1];
                int count = (int) by & (size == 64 ? 63 : 31);
                if (count == 0) {
                    return 0;
                }
                boolean beyond = (i.op == Op.SHL || i.op == Op.SHR) && count >= size;
                return row | (count > 1 ? OF : 0) | (beyond ? CF : 0);
            }
            default -> {
                return row;
            }
        }
    }

    private static int bits(String flags) {
        int bits = 0;
        for (int n = 0; n < flags.length(); n++) {
            bits |= switch (flags.charAt(n)) {
                case 'o' -> OF;
                case 's' -> 0x80;
                case 'z' -> 0x40;
                case 'a' -> AF;
                case 'p' -> 4;
                default -> CF;
            };
        }
        return bits;
    }
}
