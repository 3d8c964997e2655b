package dev.multivisor.engine.jit;

import static java.lang.constant.ConstantDescs.CD_int;
import static java.lang.constant.ConstantDescs.CD_long;
import static java.lang.constant.ConstantDescs.CD_void;

import dev.multivisor.engine.isa.Instruction;
import dev.multivisor.engine.mmu.FastAccess;
import dev.multivisor.engine.mmu.Mmu;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.Label;
import java.lang.classfile.instruction.SwitchCase;
import java.lang.constant.ClassDesc;
import java.lang.invoke.VarHandle;
import java.util.List;

/**
 * Accesses to guest memory, whose addresses are in {@link Code#address}: what the TLB knows is accessed right here. Before
 * anything else compiled code is left, and the interpreter executes the instruction. A call to come back from in its place
 * would make HotSpot keep in memory what is in registers now, and compile many times as much.
 *
 * <p>The last page of a site is in locals: {@link Sites}. The calls are of methods small enough ({@link FastAccess}) for
 * HotSpot's optimizing compiler to put them in line however often they are executed, and use too much of a stack
 * (C1InlineStackLimit, as the launcher sets it) for its quick one, which gave up some regions when it did.
 *
 * <p>On an x86 host plain accesses have x86's order as long as the JVM's compiler keeps it. With other vCPUs about, fences
 * that cost nothing at run time make it do so; without them nobody can tell.
 */
final class Memory {
    private static final ClassDesc FENCES = Code.desc(VarHandle.class), FAST = Code.desc(FastAccess.class);

    private final Code code;
    private final CodeBuilder b;
    private final boolean ordered;

    /** Of the address. */
    private Sites.Pair pair;

    Memory(Code code, boolean ordered) {
        this.code = code;
        b = code.b;
        this.ordered = ordered;
    }

    /** What follows is at the address of an instruction's memory operand. */
    void at(Instruction i, Place place) {
        code.linear(i, place).store(code.address);
        pair = code.sites.of(i);
    }

    /** What follows is where a register points, or so many bytes from there. */
    void at(int register, long further) {
        b.lload(code.gpr[register]);
        if (further != 0) {
            b.loadConstant(further).ladd();
        }
        b.lstore(code.address);
        pair = code.sites.of(register);
    }

    /** Loads some bytes, zero-extended, to {@link Code#value}. */
    void load(int size, Place place) {
        find("readable", pair.load(), size, place);
        get(size, 0, code.value);
        acquire();
    }

    /** Loads two quadwords, one after the other, to {@link Code#x} and {@link Code#y}. */
    void loadPair(Place place) {
        find("readable", pair.load(), 16, place);
        get(8, 0, code.x);
        get(8, 8, code.y);
        acquire();
    }

    /** Loads some bytes that {@link #storeBack} writes next, to {@link Code#value}. */
    void loadForWrite(int size, Place place) {
        find("writable", pair.store(), size, place);
        get(size, 0, code.value);
        acquire();
    }

    /** Stores the low bytes of {@link Code#value} where {@link #loadForWrite} has loaded; cannot fail. */
    void storeBack(int size) {
        release();
        put(size, 0, code.value);
    }

    /**
     * Stores the low bytes of a local where {@link #loadForWrite} has loaded what another local has, if it still is there.
     * Nothing of the instruction may be done yet.
     */
    void replace(int expected, int local, int size) {
        at(0);
        b.lload(expected).lload(local);
        b.invokestatic(FAST, "replace" + size * 8, Code.type(CD_void, Code.SEGMENT, CD_long, CD_long, CD_long));
    }

    /** Stores the low bytes of {@link Code#value}. Nothing of the instruction may be done yet. */
    void store(int size, Place place) {
        find("writable", pair.store(), size, place);
        release();
        put(size, 0, code.value);
    }

    /** Stores two quadwords, {@link Code#x} and {@link Code#y}, one after the other; both or none. */
    void storePair(Place place) {
        find("writable", pair.store(), 16, place);
        release();
        put(8, 0, code.x);
        put(8, 8, code.y);
    }

    /** Finds out where the bytes at {@link Code#address} are in RAM. */
    private void find(String kind, Sites.Site site, int size, Place place) {
        code.at(place);
        // One that is not looked up stays what it is, and takes no register more: worth a branch on the stack.
        Label found = b.newLabel();
        if (pair.stack()) {
            Label other = b.newLabel();
            b.lload(code.address).loadConstant(Mmu.PAGES | size - 1).land().lload(site.page());
            b.invokestatic(FAST, "away", Code.type(CD_int, CD_long, CD_long));
            b.lookupswitch(other, List.of(SwitchCase.of(0, found))).labelBinding(other);
        }
        b.aload(code.tags).lload(code.address).loadConstant(size - 1L);
        b.lload(site.page()).lload(site.addend());
        b.invokestatic(FAST, kind, Code.type(CD_long, Code.LONGS, CD_long, CD_long, CD_long, CD_long));
        b.lstore(site.addend());
        b.lload(code.address).loadConstant(Mmu.PAGES).land().lstore(site.page());
        b.labelBinding(found);
        b.lload(code.address).lload(site.addend()).ladd().lstore(code.offset);
    }

    private void get(int size, long further, int local) {
        at(further);
        b.invokestatic(FAST, "load" + size * 8, Code.type(CD_long, Code.SEGMENT, CD_long));
        b.lstore(local);
    }

    private void put(int size, long further, int local) {
        at(further);
        b.lload(local);
        b.invokestatic(FAST, "store" + size * 8, Code.type(CD_void, Code.SEGMENT, CD_long, CD_long));
    }

    private void at(long further) {
        b.aload(code.ram).lload(code.offset);
        if (further != 0) {
            b.loadConstant(further).ladd();
        }
    }

    private void acquire() {
        if (ordered) {
            b.invokestatic(FENCES, "acquireFence", Code.type(CD_void));
        }
    }

    private void release() {
        if (ordered) {
            b.invokestatic(FENCES, "releaseFence", Code.type(CD_void));
        }
    }
}
