package dev.multivisor.engine.jit;

import dev.multivisor.engine.cpu.Cpu;
import dev.multivisor.engine.isa.Instruction;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.TypeKind;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/**
 * The pages that a region's accesses found last, in locals: so that an access to the same page again need not look into
 * the TLB, nor wait for what that has to say. Accesses whose addresses are made of the same registers share one, for they
 * are mostly to the same page; loads and stores have one each. They are forgotten wherever the TLB may change.
 */
final class Sites {
    /** Local: the linear address of the page, or {@link #NONE}; and what makes an offset in RAM of an address in it. */
    record Site(int page, int addend) {}

    /** The loads and the stores of a place; {@code stack} if that is where RSP points. */
    record Pair(Site load, Site store, boolean stack) {}

    /** What addresses have in common; {@code number} is the page's where no register tells. */
    private record Key(int segment, int base, int index, long number) {
        static Key of(Instruction i) {
            boolean fixed = i.base >= Instruction.ZERO && i.index == Instruction.ZERO;
            int segment = i.segment == Cpu.FS || i.segment == Cpu.GS ? i.segment : -1;
            return new Key(segment, i.base, i.index, fixed ? i.displacement >> 12 : 0);
        }

        static Key of(int register) {
            return new Key(-1, register, Instruction.ZERO, 0);
        }
    }

    /** No aligned address. */
    private static final long NONE = -1;

    private final CodeBuilder b;
    private final Map<Key, Pair> pairs = new LinkedHashMap<>();

    Sites(CodeBuilder b, List<Instruction> instructions) {
        this.b = b;
        for (Instruction i : instructions) {
            switch (i.op) {
                case PUSH, POP, CALL, RET -> add(Key.of(Cpu.RSP));
                case LEAVE -> add(Key.of(Cpu.RBP));
                default -> {}
            }
            if (i.memory()) {
                add(Key.of(i));
            }
        }
    }

    private void add(Key key) {
        pairs.computeIfAbsent(key, any -> new Pair(site(), site(), key.base == Cpu.RSP));
    }

    private Site site() {
        return new Site(b.allocateLocal(TypeKind.LONG), b.allocateLocal(TypeKind.LONG));
    }

    Pair of(Instruction i) {
        return pairs.get(Key.of(i));
    }

    /** That of accesses to where a register points. */
    Pair of(int register) {
        return pairs.get(Key.of(register));
    }

    /** At the entry. */
    void enter() {
        each(site -> b.lconst_0().lstore(site.addend));
        forget();
    }

    /** After anything that may have changed the TLB. */
    void forget() {
        each(site -> b.loadConstant(NONE).lstore(site.page));
    }

    private void each(Consumer<Site> action) {
        for (Pair pair : pairs.values()) {
            action.accept(pair.load);
            action.accept(pair.store);
        }
    }
}
