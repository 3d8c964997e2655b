package dev.multivisor.engine.jit;

import static java.lang.constant.ConstantDescs.CD_boolean;
import static java.lang.constant.ConstantDescs.CD_int;
import static java.lang.constant.ConstantDescs.CD_long;
import static java.lang.constant.ConstantDescs.CD_void;

import dev.multivisor.engine.cpu.Cpu;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.Label;
import java.lang.constant.ClassDesc;
import java.lang.invoke.VarHandle;

/**
 * Accesses to guest memory, whose addresses are in {@link Code#address}: calls of the {@link
 * dev.multivisor.engine.mmu.Mmu}'s methods. They are too large for HotSpot's quick compiler to put them in line and
 * small enough for its optimizing one to do so where they are hot. Emitting them in line made classes so large that code
 * spent its first second in the JVM's interpreter, and some too large for the quick compiler.
 *
 * <p>On an x86 host plain accesses have x86's order as long as the JVM's compiler keeps it. With other vCPUs about, fences
 * that cost nothing at run time make it do so; without them nobody can tell.
 */
final class Memory {
    private static final ClassDesc FENCES = Code.desc(VarHandle.class);

    /** Where compiled code is left in the middle of a block. */
    interface Leaving {
        /**
         * Emits it.
         *
         * @param done instructions done in the block
         * @param rest what is left to do of the instruction, which also leaves RIP on the stack
         */
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
        code.at(place);
        b.aload(code.mmu).lload(code.address);
        b.invokevirtual(Code.MMU, "load" + size * 8, Code.type(CD_long, CD_long));
        b.lstore(code.value);
        acquire();
    }

    /** Loads some bytes that are about to be written, to {@link Code#value}; a store there cannot fault any more. */
    void loadForWrite(int size, Place place) {
        code.at(place);
        b.aload(code.mmu).lload(code.address).loadConstant(size);
        b.invokevirtual(Code.MMU, "loadForWrite", Code.type(CD_long, CD_long, CD_int));
        b.lstore(code.value);
        acquire();
    }

    private void acquire() {
        if (ordered) {
            b.invokestatic(FENCES, "acquireFence", Code.type(CD_void));
        }
    }

    /**
     * Stores the low bytes of {@link Code#value}.
     *
     * @param rest what the instruction does afterwards, if compiled code has to be left then; leaves RIP on the stack
     */
    void store(int size, Place place, Code.Rest rest) {
        beforeStore(place);
        b.aload(code.mmu).lload(code.address).lload(code.value);
        b.invokevirtual(Code.MMU, "put" + size * 8, Code.type(CD_boolean, CD_long, CD_long));
        afterStore(place, rest);
    }

    /** Stores two quadwords, given as locals, one after the other; both or none. */
    void store(int low, int high, Place place) {
        beforeStore(place);
        b.aload(code.mmu).lload(code.address).lload(low).lload(high);
        b.invokevirtual(Code.MMU, "put128", Code.type(CD_boolean, CD_long, CD_long, CD_long));
        afterStore(place, () -> code.linear(place.next()));
    }

    private void beforeStore(Place place) {
        if (ordered) {
            b.invokestatic(FENCES, "releaseFence", Code.type(CD_void));
        }
        code.at(place);
        // Who watches the page may be told which instruction wrote.
        b.aload(code.regs).loadConstant(Cpu.RIP);
        code.linear(place.offset());
        b.lastore();
    }

    private void afterStore(Place place, Code.Rest rest) {
        Label leave = b.newLabel();
        b.ifne(leave);
        code.later(() -> {
            b.labelBinding(leave);
            leaving.leave(place.done() + 1, rest);
        });
    }
}
