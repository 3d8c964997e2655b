package dev.multivisor.engine.differential;

import dev.multivisor.engine.isa.Decoder;
import dev.multivisor.engine.isa.Form;
import dev.multivisor.engine.isa.Form.Attribute;
import dev.multivisor.engine.isa.Instruction;
import dev.multivisor.engine.isa.Op;
import dev.multivisor.engine.isa.Operand;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.SplittableRandom;

/** Makes cases: an encoding of a form, and a state in which it does something worth seeing. */
final class Generator {
    private static final int RAX = 0, RCX = 1, RDX = 2, RBX = 3, RSP = 4, RBP = 5, RSI = 6, RDI = 7;
    private static final int ARITHMETIC = 0x8d5, DF = 0x400;

    /** Flags that POPF is given: arithmetic ones and DF. */
    private static final long POPPED = 0xcd5;

    private final Values v;
    private final Decoder decoder = new Decoder();
    private final Map<Form, Template> templates = new HashMap<>();

    Generator(long seed) {
        v = new Values(new SplittableRandom(seed));
    }

    /** Whether cases of a form can be made for a mode at all. */
    static boolean possible(Form form, int mode) {
        return !form.has(Attribute.UNTESTED)
                && !form.has(mode == 64 ? Attribute.NOT64 : Attribute.ONLY64)
                && form.index() > 2
                && !(mode != 64 && form.encoding().contains("W1"));
    }

    TestCase next(Form form, int mode) {
        Template template = templates.computeIfAbsent(form, Template::new);
        for (int attempt = 0; attempt < 1000; attempt++) {
            byte[] code = template.encode(v, decoder, mode);
            if (code == null) {
                continue;
            }
            TestCase test = new TestCase(form, mode);
            test.code = code;
            test.instruction = template.instruction;
            test.inBlock = v.chance(50);
            registers(test);
            floating(test);
            if (memory(test, template)) {
                special(test);
                if (mode != 64) {
                    for (int n = 0; n < 16; n++) {
                        test.gpr[n] = n < 8 ? test.gpr[n] & 0xffffffffL : 0;
                    }
                }
                if (!loops(test)) {
                    return test;
                }
            }
        }
        throw new IllegalStateException("no encoding of " + form.encoding());
    }

    private void registers(TestCase test) {
        for (int n = 0; n < 16; n++) {
            test.gpr[n] = v.integer();
        }
        test.gpr[RSP] = window(8) - test.base();
        test.flags = 0x202 | v.bits() & (ARITHMETIC | DF);
    }

    private void floating(TestCase test) {
        byte[] fx = test.fx;
        boolean fpu = test.form.has(Attribute.X87) || test.form.has(Attribute.MMX) || test.form.op() == Op.FXSAVE;
        boolean sse = test.form.has(Attribute.SSE) || test.form.op() == Op.FXSAVE;
        Values.put(fx, 0, 2, 0x37f);
        Values.put(fx, TestCase.FX_MXCSR, 4, 0x1f80);
        if (fpu) {
            fpu(test, fx);
        }
        if (sse) {
            for (int n = 0; n < 16; n++) {
                v.vector(fx, TestCase.FX_XMM + n * 16);
            }
            if (v.chance(50)) {
                int mxcsr = 0x1f80
                        | v.below(4) << 13
                        | (v.chance(30) ? 0x40 : 0)
                        | (v.chance(30) ? 0x8000 : 0)
                        | (v.chance(30) ? v.below(64) : 0);
                mxcsr ^= v.chance(15) ? v.below(64) << 7 : 0;
                Values.put(fx, TestCase.FX_MXCSR, 4, mxcsr);
            }
        }
    }

    private void fpu(TestCase test, byte[] fx) {
        int control = 0x37f;
        int status = v.below(8) << 11 | (v.chance(50) ? v.below(8) << 8 | v.below(2) << 14 : 0);
        if (v.chance(50)) {
            control = 0x7f | v.below(4) << 10 | (v.chance(50) ? 3 : v.below(4)) << 8;
        }
        if (v.chance(20)) {
            status |= v.below(128);
        }
        if (v.chance(10)) {
            control ^= v.below(64);
        }
        if ((status & ~control & 0x3f) != 0) {
            // A pending exception is raised before nearly everything: leave few of these.
            if (v.chance(20)) {
                status |= 0x8080;
            } else {
                status &= ~0x3f;
            }
        }
        Values.put(fx, 0, 2, control);
        Values.put(fx, TestCase.FX_FSW, 2, status);
        fx[TestCase.FX_FTW] = (byte) (v.chance(70) ? 0xff : v.bits());
        for (int n = 0; n < 8; n++) {
            int at = TestCase.FX_ST + n * 16;
            if (test.form.has(Attribute.MMX)) {
                Values.put(fx, at, 8, v.integer());
                Values.put(fx, at + 8, 2, 0xffff);
            } else {
                v.extended(fx, at);
            }
        }
    }

    /** An address in the window for so many bytes: aligned, not aligned, over the page border, at or over the ends. */
    private long window(int size) {
        long start = TestCase.WINDOW;
        int kind = v.below(100);
        if (kind < 50) {
            return start + 0x200 + (v.below(0x1a00) & -16);
        } else if (kind < 80) {
            return start + 0x200 + v.below(0x1a00);
        } else if (kind < 88) {
            return start + 0x1000 - v.below(size + 2);
        } else if (kind < 94) {
            return start + 0x2000 - size;
        } else if (kind < 97) {
            return start + 0x2000 - v.below(size + 2);
        } else if (kind < 99) {
            return start - v.below(4);
        }
        return v.chance(50) ? v.integer() : 0x800000000000L + (size > 8 ? v.below(64) : v.below(64) - 32);
    }

    private static int memorySize(Instruction i) {
        int size = Math.max(
                i.a.kind() == Operand.Kind.MEMORY ? i.a.size() : 0,
                Math.max(
                        i.b.kind() == Operand.Kind.MEMORY ? i.b.size() : 0,
                        i.c.kind() == Operand.Kind.MEMORY ? i.c.size() : 0));
        return switch (i.op) {
            case FXSAVE, FXRSTOR -> 512;
            case FNSAVE, FRSTOR -> i.operandSize == 2 ? 94 : 108;
            case FNSTENV, FLDENV -> i.operandSize == 2 ? 14 : 28;
            default -> Math.max(size, 1);
        };
    }

    /** Makes the memory operand's address one in the window, and fills the memory there. False if it cannot be. */
    private boolean memory(TestCase test, Template template) {
        Instruction i = test.instruction;
        if (!i.memory() || i.addressSize == 2 && test.mode != 16 || i.form.op() == Op.LEA && v.chance(50)) {
            return true;
        }
        int size = memorySize(i);
        long target = size == 512 && v.chance(85) ? TestCase.WINDOW + v.below(0x1e0) * 16 : window(size);
        long offset = target - base(test);
        if (i.addressSize < 8 && offset >>> i.addressSize * 8 != 0) {
            return false;
        }
        boolean placed = place(test, template, offset);
        if (placed && inside(target, size)) {
            fill(test, (int) (target - TestCase.WINDOW), size);
        }
        return placed;
    }

    private static boolean inside(long target, int size) {
        return target >= TestCase.WINDOW && target <= TestCase.WINDOW + TestCase.WINDOW_SIZE - size;
    }

    private boolean place(TestCase test, Template template, long offset) {
        Instruction i = test.instruction;
        if (i.base == Instruction.RIP || i.base == Instruction.ZERO) {
            long index = i.index == Instruction.ZERO ? 0 : v.below(1000) << i.scale;
            if (i.index != Instruction.ZERO) {
                test.gpr[i.index] = index >>> i.scale;
            }
            long displacement = offset - index - (i.base == Instruction.RIP ? TestCase.CODE + i.length : 0);
            if (template.displacementSize == 4
                    && (i.addressSize == 8 || i.base == Instruction.RIP)
                    && displacement != (int) displacement) {
                return false;
            }
            Values.put(test.code, template.displacementAt, template.displacementSize, displacement);
            test.instruction = decoder.decode(test.code, 0, test.code.length, test.mode);
            return true;
        }
        long rest = offset - i.displacement;
        if (i.base != i.index) {
            long index = i.index == Instruction.ZERO ? 0 : test.gpr[i.index];
            test.gpr[i.base] = rest - (index << i.scale);
            return true;
        }
        if (i.scale == 0) {
            test.gpr[i.base] = rest >> 1;
            return (rest & 1) == 0;
        }
        long factor = 1 + (1L << i.scale);
        long inverse = factor;
        for (int n = 0; n < 6; n++) {
            inverse *= 2 - factor * inverse;
        }
        test.gpr[i.base] = rest * inverse;
        return true;
    }

    /** Puts operands of the right kind where the instruction reads them. */
    private void fill(TestCase test, int at, int size) {
        test.patchOffset = at;
        test.patch = new byte[size];
        if (size == 512) {
            image(test.patch);
            return;
        }
        if (test.form.has(Attribute.X87) && size == 10) {
            if (test.form.op() == Op.FBLD && v.chance(80)) {
                v.decimal(test.patch, 0);
            } else {
                v.extended(test.patch, 0);
            }
            return;
        }
        byte[] vector = new byte[16];
        for (int n = 0; n < size; n += 16) {
            v.vector(vector, 0);
            System.arraycopy(vector, 0, test.patch, n, Math.min(16, size - n));
        }
        boolean real = test.form.has(Attribute.X87) && !test.form.op().name().startsWith("FI");
        if (real && size == 4) {
            Values.put(test.patch, 0, 4, v.single());
        } else if (real && size == 8) {
            Values.put(test.patch, 0, 8, v.wide());
        } else if (size <= 8 && !real && v.chance(70) && !test.form.has(Attribute.SSE)) {
            Values.put(test.patch, 0, size, v.integer());
        }
        if (test.form.op() == Op.LDMXCSR && v.chance(90)) {
            Values.put(test.patch, 0, 4, v.bits() & 0xffff);
        } else if (test.form.op() == Op.FLDCW) {
            Values.put(test.patch, 0, 2, v.chance(70) ? 0x37f | v.below(16) << 8 : v.bits());
        } else if (test.form.op() == Op.FLDENV || test.form.op() == Op.FRSTOR) {
            environment(test);
        }
    }

    /** An FXSAVE image. */
    private void image(byte[] image) {
        for (int n = 0; n < 512; n += 16) {
            v.vector(image, n);
        }
        for (int n = 0; n < 8; n++) {
            v.extended(image, TestCase.FX_ST + n * 16);
        }
        int control = 0x37f | v.below(16) << 8;
        Values.put(image, 0, 2, control);
        Values.put(image, 2, 2, v.below(8) << 11 | v.below(8) << 8);
        Values.put(image, TestCase.FX_MXCSR, 4, v.chance(90) ? v.below(0x10000) : v.bits());
    }

    private void environment(TestCase test) {
        int step = test.instruction.operandSize == 2 ? 2 : 4;
        Values.put(test.patch, 0, 2, 0x37f | v.below(16) << 8);
        Values.put(test.patch, step, 2, v.below(8) << 11 | v.below(128));
        Values.put(test.patch, 2 * step, 2, v.bits());
    }

    private void patch(TestCase test, long address, int size, long value) {
        if (inside(address, size)) {
            test.patchOffset = (int) (address - TestCase.WINDOW);
            test.patch = new byte[size];
            Values.put(test.patch, 0, Math.min(size, 8), value);
        }
    }

    /** Where a jump may go: code that is there, memory that cannot be executed, nothing. */
    private long target(TestCase test) {
        if (test.mode == 16) {
            return v.chance(80) ? (v.chance(50) ? 0x100 : 0x900) + v.below(0x600) : 0xfd0 + v.below(0x60);
        }
        long target = switch (v.below(4)) {
            case 0 -> TestCase.WINDOW + v.below(8192);
            case 1 -> 0x30000000L + v.below(1 << 20);
            default -> TestCase.CODE_PAGE + (v.chance(50) ? 0x100 : 0x900) + v.below(0x600);
        };
        return test.instruction.operandSize == 2 ? target & 0xffff : target;
    }

    private void special(TestCase test) {
        Instruction i = test.instruction;
        long[] r = test.gpr;
        switch (i.op) {
            case MOVS, CMPS, STOS, LODS, SCAS -> strings(test);
            case XLAT -> r[RBX] = window(1) - (r[RAX] & 0xff) - base(test);
            case MASKMOVQ, MASKMOVDQU -> r[RDI] = window(16) - base(test);
            case BT, BTS, BTR, BTC -> {
                if (i.a.kind() == Operand.Kind.MEMORY
                        && i.b.kind() == Operand.Kind.GPR
                        && v.chance(80)
                        && i.b.register() != i.base
                        && i.b.register() != i.index) {
                    r[i.b.register()] = v.below(0x8000) - 0x4000;
                }
            }
            case DIV, IDIV -> {
                if (v.chance(70)) {
                    int size = i.a.size();
                    long sign = size == 8 ? r[RAX] >> 63 : r[RAX] << 64 - size * 8 >> 63;
                    long high = i.op == Op.DIV || v.chance(30) ? v.below(16) : sign;
                    if (size == 1) {
                        r[RAX] = r[RAX] & ~0xff00L | (high & 0xff) << 8;
                    } else if (!uses(i, RDX)) {
                        r[RDX] = high;
                    }
                }
            }
            case CMPXCHG, CMPXCHG8B, CMPXCHG16B -> compareExchange(test);
            case ROL, ROR, RCL, RCR, SHL, SHR, SAR, SHLD, SHRD -> {
                if (!uses(i, RCX) && v.chance(80)) {
                    r[RCX] = r[RCX] & ~0xffL | v.below(v.chance(50) ? 34 : 256);
                }
            }
            case LOOP, LOOPE, LOOPNE, JCXZ -> r[RCX] = v.chance(60) ? v.below(3) : v.integer();
            case JMP, CALL -> {
                if (i.a.kind() == Operand.Kind.GPR) {
                    r[i.a.register()] = target(test);
                } else if (test.patch.length > 0) {
                    Values.put(test.patch, 0, test.patch.length, target(test));
                }
            }
            case RET -> patch(test, r[RSP] + test.base(), i.operandSize, target(test));
            case POPF -> patch(test, r[RSP] + test.base(), 8, v.bits() & POPPED);
            case LEAVE -> r[RBP] = window(8) - test.base();
            case ENTER -> r[RBP] = window(8) - test.base();
            case PCMPESTRI, PCMPESTRM -> {
                if (!uses(i, RAX) && v.chance(90)) {
                    r[RAX] = v.below(40) - 20;
                }
                if (!uses(i, RDX) && v.chance(90)) {
                    r[RDX] = v.below(40) - 20;
                }
            }
            default -> {}
        }
    }

    /** The base of the segment that the instruction reads. */
    private static long base(TestCase test) {
        return test.instruction.segment == Instruction.GS ? TestCase.GS_BASE : test.base();
    }

    private static boolean uses(Instruction i, int register) {
        return i.base == register
                || i.index == register
                || i.a.kind() == Operand.Kind.GPR && i.a.register() == register;
    }

    private void compareExchange(TestCase test) {
        if (v.chance(40)) {
            return;
        }
        long[] r = test.gpr;
        if (test.patch.length == 16) {
            Values.put(test.patch, 0, 8, r[RAX]);
            Values.put(test.patch, 8, 8, r[RDX]);
        } else if (test.form.op() == Op.CMPXCHG8B && test.patch.length == 8) {
            Values.put(test.patch, 0, 4, r[RAX]);
            Values.put(test.patch, 4, 4, r[RDX]);
        } else if (test.patch.length > 0) {
            Values.put(test.patch, 0, test.patch.length, r[RAX]);
        } else if (test.instruction.a.kind() == Operand.Kind.GPR) {
            r[test.instruction.a.register()] = r[RAX];
        }
    }

    private void strings(TestCase test) {
        long[] r = test.gpr;
        long override = base(test);
        r[RSI] = window(8);
        r[RDI] = v.chance(30) ? r[RSI] + v.below(64) - 32 : window(8);
        long last = Math.max(r[RSI], r[RDI]);
        if (v.chance(60) && inside(last - 128, 256)) {
            // The same byte over and over, so that comparisons go on; one may differ.
            test.patchOffset = (int) (last - 128 - TestCase.WINDOW);
            test.patch = new byte[256];
            Arrays.fill(test.patch, (byte) r[RAX]);
            r[RAX] = (r[RAX] & 0xff) * 0x0101010101010101L;
            if (v.chance(50)) {
                test.patch[v.below(256)]++;
            }
        }
        r[RSI] -= override;
        r[RDI] -= test.base();
        r[RCX] = v.chance(95) ? v.below(24) : 0x100000000L + v.below(8);
        if (test.instruction.addressSize == 4) {
            r[RSI] = r[RSI] & 0xffffffffL | v.bits() << 32;
            r[RDI] = r[RDI] & 0xffffffffL | v.bits() << 32;
            r[RCX] = r[RCX] & 0xffffffffL | v.bits() << 32;
        } else if (test.instruction.addressSize == 8 && r[RCX] > 1000) {
            r[RCX] = 5;
        }
    }

    /** Whether it jumps into itself, where nobody can tell what it did. */
    private static boolean loops(TestCase test) {
        Instruction i = test.instruction;
        if (i.a.kind() != Operand.Kind.RELATIVE) {
            return false;
        }
        long target = i.length + i.immediate;
        return target >= -1 && target < i.length;
    }
}
