package dev.multivisor.engine.differential;

import dev.multivisor.engine.isa.Disassembler;
import dev.multivisor.engine.isa.Form;
import dev.multivisor.engine.isa.Instruction;
import java.util.HexFormat;

/** One instruction with the state of the CPU before it. */
final class TestCase {
    /** Two pages of memory with nothing around them; where the instruction stands. */
    static final long WINDOW = 0x10000000L, WINDOW_SIZE = 8192, CODE_PAGE = 0x20000000L, CODE = CODE_PAGE + 0x800;

    /** The base of GS in 64-bit mode. */
    static final long GS_BASE = WINDOW + 0x1000;

    /** Bytes of the FXSAVE image that are used, and offsets in it. */
    static final int FX_SIZE = 416, FX_FSW = 2, FX_FTW = 4, FX_MXCSR = 24, FX_ST = 32, FX_XMM = 160;

    final Form form;
    final int mode;
    byte[] code;
    Instruction instruction;
    long flags = 0x202;
    long[] gpr = new long[16];
    byte[] fx = new byte[FX_SIZE];
    int patchOffset;
    byte[] patch = {};

    /** Whether the interpreter runs it as one of a block, not as a single step. */
    boolean inBlock;

    TestCase(Form form, int mode) {
        this.form = form;
        this.mode = mode;
    }

    /** The instruction's offset in the code segment, which in 16-bit mode is the code page. */
    long start() {
        return mode == 16 ? CODE - CODE_PAGE : CODE;
    }

    /** The base of data segments: in 16-bit mode they are the window. */
    long base() {
        return mode == 16 ? WINDOW : 0;
    }

    TestCase copy() {
        TestCase copy = new TestCase(form, mode);
        copy.code = code;
        copy.instruction = instruction;
        copy.flags = flags;
        copy.gpr = gpr.clone();
        copy.fx = fx.clone();
        copy.patchOffset = patchOffset;
        copy.patch = patch.clone();
        copy.inBlock = inBlock;
        return copy;
    }

    /** The memory window's content without a patch, as the helper has it. */
    static byte[] pattern() {
        byte[] pattern = new byte[(int) WINDOW_SIZE];
        long x = 0x9e3779b97f4a7c15L;
        for (int n = 0; n < pattern.length; n++) {
            x ^= x << 13;
            x ^= x >>> 7;
            x ^= x << 17;
            pattern[n] = (byte) (x >>> 32);
        }
        return pattern;
    }

    @Override
    public String toString() {
        StringBuilder out = new StringBuilder();
        out.append(mode)
                .append("-bit  ")
                .append(HexFormat.of().formatHex(code))
                .append("  ")
                .append(Disassembler.text(instruction, CODE))
                .append("   [")
                .append(form.encoding())
                .append(inBlock ? "] in a block" : "] stepped")
                .append("\n    flags ")
                .append(Long.toHexString(flags))
                .append("  gpr");
        for (int n = 0; n < 16; n++) {
            if (gpr[n] != 0) {
                out.append(' ').append(n).append('=').append(Long.toHexString(gpr[n]));
            }
        }
        out.append("\n    fx ")
                .append(HexFormat.of().formatHex(fx, 0, 6))
                .append(" mxcsr ")
                .append(HexFormat.of().formatHex(fx, FX_MXCSR, FX_MXCSR + 4));
        for (int n = 0; n < 24; n++) {
            int offset = FX_ST + n * 16;
            if (!zero(offset)) {
                out.append(n < 8 ? "\n    st" + n : "\n    xmm" + (n - 8)).append('=');
                for (int b = n < 8 ? 9 : 15; b >= 0; b--) {
                    out.append(String.format("%02x", fx[offset + b]));
                }
            }
        }
        if (patch.length > 0) {
            out.append("\n    memory ")
                    .append(Long.toHexString(WINDOW + patchOffset))
                    .append(": ")
                    .append(HexFormat.of().formatHex(patch));
        }
        return out.toString();
    }

    private boolean zero(int offset) {
        for (int n = 0; n < 16; n++) {
            if (fx[offset + n] != 0) {
                return false;
            }
        }
        return true;
    }
}
