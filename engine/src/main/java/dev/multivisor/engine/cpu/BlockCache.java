package dev.multivisor.engine.cpu;

import dev.multivisor.engine.isa.Decoder;
import dev.multivisor.engine.isa.Instruction;
import dev.multivisor.engine.mmu.PhysicalMemory;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentLinkedQueue;

/**
 * Decoded blocks of one vCPU by physical address. Blocks whose bytes are written are dropped at once when the vCPU's
 * own thread wrote, so that self-modifying code takes effect at the next instruction; writes by others are queued, and
 * taken up when the vCPU leaves its block, which it is asked to do.
 */
final class BlockCache {
    static final int MAX_INSTRUCTIONS = 64;
    static final int MAX_BYTES = MAX_INSTRUCTIONS * Decoder.MAX_LENGTH;

    private static final int RECENT = 256;

    /** Blocks of one page by the 64-byte granule that they start in. */
    private static final class Page {
        /** Stands for none. */
        static final Page NONE = new Page(-1);

        final long frame;
        final Block[] granules = new Block[64];
        final List<Block> straddling = new ArrayList<>();
        int blocks;

        Page(long frame) {
            this.frame = frame;
        }
    }

    private record Write(long physical, int size) {}

    private final Cpu cpu;
    private final CodePages pages;
    private final PhysicalMemory memory;
    private final Map<Long, Page> frames = new HashMap<>();

    /** Those that were looked for last, by the last bits of the frame: each switch to another process looks for many. */
    private final Page[] recent = new Page[RECENT];

    /** Made when it is needed first: a handover builds a machine while the guest stands still. */
    private Decoder decoder;

    private final byte[] bytes = new byte[MAX_BYTES];
    private final Instruction[] decoded = new Instruction[MAX_INSTRUCTIONS];
    private final ConcurrentLinkedQueue<Write> writes = new ConcurrentLinkedQueue<>();
    private volatile Thread owner;
    private int instructions;

    /** What is known to be hot, and the heat that a block which may begin it starts with. */
    private final AheadCode ahead;

    private final int knownHeat;

    BlockCache(Cpu cpu, CodePages pages, AheadCode ahead, int knownHeat) {
        this.cpu = cpu;
        this.ahead = ahead;
        this.knownHeat = knownHeat;
        this.pages = pages;
        memory = cpu.mmu.memory();
        Arrays.fill(recent, Page.NONE);
        pages.add(this);
    }

    /** The current thread runs the vCPU from now on. */
    void enter() {
        owner = Thread.currentThread();
        drain();
    }

    /** No thread runs the vCPU. */
    void leave() {
        owner = null;
    }

    /** Takes up what others have written. */
    void drain() {
        for (Write write = writes.poll(); write != null; write = writes.poll()) {
            drop(write.physical, write.size);
        }
    }

    /** Some bytes of a watched page were written, by any thread. */
    void written(long physical, int size) {
        if (Thread.currentThread() == owner) {
            drop(physical, size);
        } else {
            writes.add(new Write(physical, size));
            cpu.interrupt();
        }
    }

    /** The block at an address, decoded if need be. RIP is its address. */
    Block at(long linear, long physical) {
        int codeSize = cpu.codeSize;
        Page page = known(physical >>> 12);
        if (page != null) {
            for (Block b = page.granules[(int) physical >>> 6 & 63]; b != null; b = b.chain) {
                if (b.physical == physical && b.codeSize == codeSize) {
                    return b;
                }
            }
        }
        return decode(linear, physical, codeSize);
    }

    /** The page that holds blocks, or null. */
    private Page known(long frame) {
        int slot = (int) frame & RECENT - 1;
        Page page = recent[slot];
        if (page.frame == frame) {
            return page;
        }
        page = frames.get(frame);
        if (page != null) {
            recent[slot] = page;
        }
        return page;
    }

    private Block decode(long linear, long physical, int codeSize) {
        cpu.counters.blocksDecoded++;
        if (memory.ramOffset(physical) < 0) {
            return uncached(linear, physical, codeSize);
        }
        if (instructions > pages.capacity()) {
            clear();
        }
        Page page = page(physical >>> 12);
        int limit = (int) Math.min(MAX_BYTES, 4096 - (physical & 4095));
        memory.read(physical, bytes, 0, limit);
        int count = 0;
        int length = 0;
        while (count < MAX_INSTRUCTIONS) {
            Instruction i = decoder().decode(bytes, length, limit, codeSize);
            if (i == Decoder.INCOMPLETE) {
                break;
            }
            decoded[count++] = i;
            length += i.length;
            if (Specializer.ends(i)) {
                break;
            }
        }
        if (count == 0) {
            page.blocks--;
            return straddling(linear, physical, limit, codeSize);
        }
        Block block = block(count, physical, -1, codeSize);
        if (codeSize == 64
                && ahead.mayBegin(physical)
                && !ahead.beginning(physical, bytes, RegionBuilder.compilableBytes(block))
                        .isEmpty()) {
            block.known = true;
            block.heat = knownHeat;
        }
        int granule = (int) physical >>> 6 & 63;
        block.chain = page.granules[granule];
        page.granules[granule] = block;
        instructions += count;
        return block;
    }

    private Decoder decoder() {
        if (decoder == null) {
            decoder = Decoder.pooling();
        }
        return decoder;
    }

    /** A block of the first instructions of {@link #decoded}. */
    private Block block(int count, long physical, long second, int codeSize) {
        Instruction end = decoded[count - 1];
        boolean falls = !Specializer.setsRip(end) && Specializer.code(end, codeSize == 64) != Hot.GENERAL_FALL;
        Step[] steps = new Step[falls ? count + 1 : count];
        int length = 0;
        for (int n = 0; n < count; n++) {
            Instruction i = decoded[n];
            int code = Specializer.code(i, codeSize == 64);
            steps[n] = n == steps.length - 1 ? new LastStep(code, i, length, n + 1) : new Step(code, i, length, n + 1);
            length += i.length;
        }
        if (falls) {
            steps[count] = new LastStep(Hot.END, end, length, count);
        }
        for (int n = 1; n < steps.length; n++) {
            steps[n - 1].following = steps[n];
        }
        return new Block(steps, physical, second, length, count, codeSize);
    }

    /** The first instruction of a block alone. */
    Block single(Block block) {
        if (block.count == 1) {
            return block;
        }
        if (block.single == null) {
            decoded[0] = block.first.instruction;
            block.single = block(1, block.physical, block.second, block.codeSize);
        }
        block.single.linear = block.linear;
        return block.single;
    }

    /** One instruction that goes on in the next page. */
    private Block straddling(long linear, long physical, int first, int codeSize) {
        long second = cpu.mmu.fetch(codeSize == 64 ? linear + first : linear + first & 0xffffffffL);
        if (memory.ramOffset(second) < 0) {
            return uncached(linear, physical, codeSize);
        }
        Page page = page(physical >>> 12);
        for (Block block : page.straddling) {
            if (block.physical == physical && block.second == second && block.codeSize == codeSize) {
                page.blocks--;
                return block;
            }
        }
        Page other = page(second >>> 12);
        memory.read(physical, bytes, 0, first);
        memory.read(second, bytes, first, Decoder.MAX_LENGTH);
        Block block = one(physical, second, first + Decoder.MAX_LENGTH, codeSize);
        page.straddling.add(block);
        if (page == other) {
            page.blocks--;
        } else {
            other.straddling.add(block);
        }
        return block;
    }

    /** One instruction from bytes that are no RAM. It is decoded each time, so its block has no address. */
    private Block uncached(long linear, long physical, int codeSize) {
        int inPage = (int) Math.min(Decoder.MAX_LENGTH, 4096 - (physical & 4095));
        for (int n = 0; n < inPage; n++) {
            bytes[n] = (byte) memory.load(cpu.number, physical + n, 1);
        }
        Instruction i = decoder().decode(bytes, 0, inPage, codeSize);
        int available = inPage;
        if (i == Decoder.INCOMPLETE) {
            long second = cpu.mmu.fetch(codeSize == 64 ? linear + inPage : linear + inPage & 0xffffffffL);
            for (; available < Decoder.MAX_LENGTH; available++) {
                bytes[available] = (byte) memory.load(cpu.number, second + available - inPage, 1);
            }
        }
        return one(-1, -1, available, codeSize);
    }

    private Block one(long physical, long second, int limit, int codeSize) {
        decoded[0] = decoder().decode(bytes, 0, limit, codeSize);
        return block(1, physical, second, codeSize);
    }

    /** The page, watched, with one block more, which the caller adds: so it cannot be found empty in between. */
    private Page page(long frame) {
        Page page = known(frame);
        if (page == null) {
            page = new Page(frame);
            page.blocks++;
            frames.put(frame, page);
            pages.acquire(cpu, frame);
        } else {
            page.blocks++;
        }
        return page;
    }

    /** Drops the blocks that overlap some bytes of a page. */
    private void drop(long physical, int size) {
        long frame = physical >>> 12;
        Page page = known(frame);
        if (page == null) {
            return;
        }
        cpu.leave = true;
        int first = Math.max(0, ((int) physical & 4095) - MAX_BYTES) >>> 6;
        int last = Math.min(63, ((int) physical & 4095) + size - 1 >>> 6);
        for (int granule = first; granule <= last; granule++) {
            Block kept = null;
            Block next;
            for (Block b = page.granules[granule]; b != null; b = next) {
                next = b.chain;
                if (b.overlaps(physical, physical + size)) {
                    b.drop();
                    cpu.counters.codeInvalidations++;
                    page.blocks--;
                    instructions -= b.count;
                } else {
                    b.chain = kept;
                    kept = b;
                }
            }
            page.granules[granule] = kept;
        }
        dropStraddling(frame, page, physical, size);
        releaseIfEmpty(frame, page);
    }

    private void dropStraddling(long frame, Page page, long physical, int size) {
        for (int n = page.straddling.size() - 1; n >= 0; n--) {
            Block b = page.straddling.get(n);
            if (b.overlaps(physical, physical + size)) {
                b.drop();
                cpu.counters.codeInvalidations++;
                page.straddling.remove(n);
                page.blocks--;
                long other = b.physical >>> 12 == frame ? b.second >>> 12 : b.physical >>> 12;
                Page otherPage = known(other);
                if (other != frame && otherPage != null) {
                    otherPage.straddling.remove(b);
                    otherPage.blocks--;
                    releaseIfEmpty(other, otherPage);
                }
            }
        }
    }

    private void releaseIfEmpty(long frame, Page page) {
        if (page.blocks == 0) {
            frames.remove(frame);
            recent[(int) frame & RECENT - 1] = Page.NONE;
            pages.release(frame);
        }
    }

    /** Drops everything. */
    void clear() {
        cpu.leave = true;
        frames.forEach((frame, page) -> {
            for (Block head : page.granules) {
                for (Block b = head; b != null; b = b.chain) {
                    b.drop();
                }
            }
            page.straddling.forEach(Block::drop);
            pages.release(frame);
        });
        frames.clear();
        Arrays.fill(recent, Page.NONE);
        instructions = 0;
    }
}
