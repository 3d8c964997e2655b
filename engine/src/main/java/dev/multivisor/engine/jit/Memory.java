package dev.multivisor.engine.jit;

import static java.lang.constant.ConstantDescs.CD_byte;
import static java.lang.constant.ConstantDescs.CD_int;
import static java.lang.constant.ConstantDescs.CD_long;
import static java.lang.constant.ConstantDescs.CD_short;
import static java.lang.constant.ConstantDescs.CD_void;

import dev.multivisor.engine.mmu.PhysicalMemory;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.Label;
import java.lang.constant.ClassDesc;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;

/**
 * Accesses to guest memory: the TLB's look-up and the access itself in line, everything else by the {@link
 * dev.multivisor.engine.mmu.Mmu}'s methods. Addresses are in {@link Code#address}.
 *
 * <p>On an x86 host plain accesses have x86's order as long as the JVM's compiler keeps it. With other vCPUs about, fences
 * that cost nothing at run time make it do so; without them nobody can tell.
 */
final class Memory {
    private static final ClassDesc PHYSICAL = Code.desc(PhysicalMemory.class), FENCES = Code.desc(VarHandle.class);
    private static final int READ = 0, WRITE = 1, ADDEND = 3;
    private static final int INDEX_SHIFT = 10, INDEX_MASK = 0x3ffc;

    /** Where compiled code is left in the middle of a block: instructions done in it, and RIP. */
    interface Leaving {
        /** @param rest what is left to do of the instruction, which also leaves RIP on the stack */
        void leave(int done, Code.Rest rest);
    }

    private final Code code;
    private final CodeBuilder b;
    private final boolean ordered;
    private final Leaving leaving;

    Memory(Code code, boolean ordered, Leaving leaving) {
        this.code = code;
        b = code.b;
        this.ordered = ordered;
        this.leaving = leaving;
    }

    /** Loads some bytes, zero-extended, to {@link Code#value}. */
    void load(int size, Place place) {
        Label slow = b.newLabel();
        Label done = b.newLabel();
        lookUp(size, READ, slow);
        ramOffset();
        loadRam(size);
        b.labelBinding(done);
        code.later(() -> {
            b.labelBinding(slow);
            code.at(place);
            b.aload(code.mmu).lload(code.address);
            b.invokevirtual(Code.MMU, "load" + size * 8, Code.type(CD_long, CD_long));
            b.lstore(code.value).goto_(done);
        });
    }

    /**
     * Stores the low bytes of {@link Code#value}.
     *
     * @param rest what the instruction does afterwards, if compiled code has to be left then; leaves RIP on the stack
     */
    void store(int size, Place place, Code.Rest rest) {
        Label slow = b.newLabel();
        Label done = b.newLabel();
        lookUp(size, WRITE, slow);
        ramOffset();
        storeRam(size);
        b.labelBinding(done);
        code.later(() -> {
            b.labelBinding(slow);
            code.at(place);
            storeSlow(size);
            b.ifeq(done);
            leaving.leave(place.done() + 1, rest);
        });
    }

    /** Loads some bytes that are about to be written, to {@link Code#value}; a store there cannot fault any more. */
    void loadForWrite(int size, Place place) {
        Label slow = b.newLabel();
        Label done = b.newLabel();
        lookUp(size, WRITE, slow);
        ramOffset();
        loadRam(size);
        b.labelBinding(done);
        code.later(() -> {
            b.labelBinding(slow);
            code.at(place);
            b.aload(code.mmu).lload(code.address).loadConstant(size);
            b.invokevirtual(Code.MMU, "loadForWrite", Code.type(CD_long, CD_long, CD_int));
            b.lstore(code.value).loadConstant(-1L).lstore(code.offset).goto_(done);
        });
    }

    /** Stores the low bytes of {@link Code#value} where {@link #loadForWrite} loaded. */
    void storeBack(int size, Place place, Code.Rest rest) {
        Label slow = b.newLabel();
        Label done = b.newLabel();
        b.lload(code.offset).lconst_0().lcmp().iflt(slow);
        storeRam(size);
        b.labelBinding(done);
        code.later(() -> {
            b.labelBinding(slow);
            storeSlow(size);
            b.ifeq(done);
            leaving.leave(place.done() + 1, rest);
        });
    }

    /** Stores by the slow path; whether compiled code has to be left is on the stack. */
    private void storeSlow(int size) {
        b.aload(code.mmu).lload(code.address).lload(code.value);
        b.invokevirtual(Code.MMU, "store" + size * 8, Code.type(CD_void, CD_long, CD_long));
        b.aload(code.cpu).getfield(Code.CPU, "leave", java.lang.constant.ConstantDescs.CD_boolean);
    }

    /** Goes to a label unless the TLB says that the access is permitted and stays in one page of RAM. */
    private void lookUp(int size, int kind, Label slow) {
        b.lload(code.address);
        if (size > 1) {
            b.loadConstant((long) size - 1).ladd();
        }
        b.loadConstant(-4096L).land();
        b.aload(code.tags).lload(code.address).bipush(INDEX_SHIFT).lushr().l2i().sipush(INDEX_MASK).iand();
        b.dup().istore(code.index);
        if (kind != READ) {
            b.loadConstant(kind).iadd();
        }
        b.laload().lcmp().ifne(slow);
    }

    private void ramOffset() {
        b.lload(code.address).aload(code.tags).iload(code.index).loadConstant(ADDEND).iadd().laload();
        b.ladd().lstore(code.offset);
    }

    private void loadRam(int size) {
        b.aload(code.ram);
        layout(size);
        b.lload(code.offset);
        b.invokeinterface(Code.SEGMENT, "get", Code.type(carrier(size), layoutType(size), CD_long));
        switch (size) {
            case 1 -> b.sipush(255).iand().i2l();
            case 2 -> b.loadConstant(0xffff).iand().i2l();
            case 4 -> b.i2l().loadConstant(0xffffffffL).land();
            default -> {}
        }
        b.lstore(code.value);
        if (ordered) {
            b.invokestatic(FENCES, "acquireFence", Code.type(CD_void));
        }
    }

    private void storeRam(int size) {
        if (ordered) {
            b.invokestatic(FENCES, "releaseFence", Code.type(CD_void));
        }
        b.aload(code.ram);
        layout(size);
        b.lload(code.offset).lload(code.value);
        switch (size) {
            case 1 -> b.l2i().i2b();
            case 2 -> b.l2i().i2s();
            case 4 -> b.l2i();
            default -> {}
        }
        b.invokeinterface(Code.SEGMENT, "set", Code.type(CD_void, layoutType(size), CD_long, carrier(size)));
    }

    private void layout(int size) {
        b.getstatic(PHYSICAL, switch (size) {
            case 1 -> "BYTE";
            case 2 -> "SHORT";
            case 4 -> "INT";
            default -> "LONG";
        }, layoutType(size));
    }

    private static ClassDesc layoutType(int size) {
        return Code.desc(switch (size) {
            case 1 -> ValueLayout.OfByte.class;
            case 2 -> ValueLayout.OfShort.class;
            case 4 -> ValueLayout.OfInt.class;
            default -> ValueLayout.OfLong.class;
        });
    }

    private static ClassDesc carrier(int size) {
        return switch (size) {
            case 1 -> CD_byte;
            case 2 -> CD_short;
            case 4 -> CD_int;
            default -> CD_long;
        };
    }
}
