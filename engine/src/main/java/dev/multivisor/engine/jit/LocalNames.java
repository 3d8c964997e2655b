package dev.multivisor.engine.jit;

import static java.lang.constant.ConstantDescs.CD_double;
import static java.lang.constant.ConstantDescs.CD_int;
import static java.lang.constant.ConstantDescs.CD_long;

import dev.multivisor.engine.isa.Disassembler;
import java.lang.constant.ClassDesc;
import java.util.Map;

/** Names of a region's locals, for class files that people read. */
final class LocalNames {
    private LocalNames() {}

    /** Writes the names of {@link Code}'s locals into the method. */
    static void name(Code code) {
        name(code, Code.CPU, Map.of(code.cpu, "cpu"));
        name(code, Code.MMU, Map.of(code.mmu, "mmu"));
        name(code, Code.LONGS, Map.of(code.regs, "regs", code.xmms, "xmms", code.tags, "tags"));
        name(code, Code.SEGMENT, Map.of(code.ram, "ram"));
        name(code, CD_int, Map.of(code.budget, "budget", code.left, "left", code.exit, "exit", code.kind, "flagKind"));
        name(code, CD_long, Map.of(code.start, "start", code.rip, "rip", code.at, "at", code.offset, "offset"));
        name(code, CD_long, Map.of(code.fa, "flagA", code.fb, "flagB", code.address, "address", code.value, "value"));
        name(code, CD_long, Map.of(code.x, "x", code.y, "y", code.z, "z"));
        for (int n = 0; n < code.gpr.length; n++) {
            if (code.gpr[n] >= 0) {
                name(code, CD_long, Map.of(code.gpr[n], Disassembler.register(n, 8)));
            }
        }
        for (int n = 0; n < 32; n++) {
            if (code.xmm(n) >= 0) {
                name(
                        code,
                        code.isDouble(n) ? CD_double : CD_long,
                        Map.of(code.xmm(n), "xmm" + n / 2 + (n % 2 == 0 ? "low" : "high")));
            }
        }
    }

    private static void name(Code code, ClassDesc type, Map<Integer, String> names) {
        names.forEach((local, name) -> code.b.localVariable(local, name, type, code.b.startLabel(), code.b.endLabel()));
    }
}
