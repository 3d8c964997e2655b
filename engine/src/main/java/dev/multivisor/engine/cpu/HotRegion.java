package dev.multivisor.engine.cpu;

import dev.multivisor.engine.isa.Decoder;
import dev.multivisor.engine.isa.Instruction;
import dev.multivisor.engine.mmu.PhysicalMemory;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * A region that was worth compiling, without its code: the code is taken from guest memory and is used only if it is what it
 * was. So what somebody else says here can at worst make other compiled code than the engine would have chosen.
 *
 * @param instructions how many were executed in it, which tells how hot it was
 * @param key what its entry can be found by: {@link #key}
 * @param digest of its code and its shape
 * @param parts its blocks, the entry first
 */
public record HotRegion(long instructions, long key, byte[] digest, List<Part> parts) {
    /** Bounds of what is taken; a little above what any engine makes. */
    private static final int MOST_PARTS = 128, MOST_BYTES = 4096, MOST_TARGETS = 64;

    private static final long FAR = 1L << 30;

    public HotRegion {
        parts = List.copyOf(parts);
    }

    /**
     * A block.
     *
     * @param offset of its first byte from that of the entry, in linear addresses
     * @param length in bytes
     * @param physical guest-physical address of the first byte, where the region was
     * @param second guest-physical address of the part in a second page, or -1
     * @param targets where an indirect jump at its end has led to, as offsets from the entry
     */
    public record Part(long offset, int length, long physical, long second, long[] targets) {
        private boolean wellFormed() {
            return near(offset)
                    && length > 0
                    && length <= BlockCache.MAX_BYTES
                    && (second < 0 ? (physical & 4095) + length <= 4096 : (second & 4095) == 0)
                    && targets.length <= MOST_TARGETS
                    && Arrays.stream(targets).allMatch(HotRegion::near);
        }

        private byte[] code(PhysicalMemory memory) {
            byte[] code = new byte[length];
            int first = second < 0 ? length : Math.min(length, 4096 - (int) (physical & 4095));
            memory.read(physical, code, 0, first);
            if (first < length) {
                memory.read(second, code, first, length - first);
            }
            return code;
        }

        private boolean inRam(PhysicalMemory memory) {
            int first = second < 0 ? length : Math.min(length, 4096 - (int) (physical & 4095));
            return memory.isRam(physical, first) && (first == length || memory.isRam(second, length - first));
        }

        List<Long> targetList() {
            return Arrays.stream(targets).boxed().toList();
        }
    }

    private static boolean near(long offset) {
        return offset > -FAR && offset < FAR;
    }

    /** What a region of a vCPU is. */
    static HotRegion of(Region region) {
        List<RegionSource.Part> sources = region.source.parts();
        Block[] blocks = region.blocks();
        List<Part> parts = new ArrayList<>();
        for (int n = 0; n < blocks.length; n++) {
            RegionSource.Part source = sources.get(n);
            long[] targets = source.targets().stream()
                    .limit(MOST_TARGETS)
                    .mapToLong(target -> target)
                    .toArray();
            parts.add(new Part(source.offset(), source.code().length, blocks[n].physical, blocks[n].second, targets));
        }
        byte[] entry = sources.getFirst().code();
        return new HotRegion(region.instructions, key(blocks[0].physical, entry, entry.length), digest(sources), parts);
    }

    /** What regions whose entry has this code, at this place in a page, can be found by. */
    static long key(long physical, byte[] code, int length) {
        int hash = 1;
        for (int n = 0; n < length; n++) {
            hash = 31 * hash + code[n];
        }
        return (physical & 4095) << 32 | hash & 0xffffffffL;
    }

    /** SHA-256 over where each part is and what it is. */
    static byte[] digest(List<RegionSource.Part> parts) {
        MessageDigest digest;
        try {
            digest = MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e); // every JDK has it
        }
        ByteBuffer numbers = ByteBuffer.allocate(12);
        for (RegionSource.Part part : parts) {
            numbers.clear().putLong(part.offset()).putInt(part.code().length);
            digest.update(numbers.array());
            digest.update(part.code());
        }
        return digest.digest();
    }

    /** Whether it could be a region at all. */
    boolean wellFormed() {
        if (parts.isEmpty() || parts.size() > MOST_PARTS || parts.getFirst().offset != 0) {
            return false;
        }
        int bytes = 0;
        Set<Long> offsets = new HashSet<>();
        for (Part part : parts) {
            if (!part.wellFormed() || !offsets.add(part.offset)) {
                return false;
            }
            bytes += part.length;
        }
        return bytes <= MOST_BYTES;
    }

    /** What to compile, from memory where the region was; empty if its code is not there, or is none that is compiled. */
    Optional<RegionSource> source(PhysicalMemory memory, boolean ordered) {
        List<RegionSource.Part> sources = new ArrayList<>();
        for (Part part : parts) {
            if (!part.inRam(memory)) {
                return Optional.empty();
            }
            sources.add(new RegionSource.Part(part.offset, part.code(memory), part.targetList()));
        }
        return Arrays.equals(digest, digest(sources)) && sources.stream().allMatch(HotRegion::compilable)
                ? Optional.of(new RegionSource(sources, ordered))
                : Optional.empty();
    }

    /** Whether a part is what the interpreter would make a block of, and a compiler takes. */
    private static boolean compilable(RegionSource.Part part) {
        Decoder decoder = new Decoder();
        byte[] code = part.code();
        int at = 0;
        while (at < code.length) {
            Instruction i = decoder.decode(code, at, code.length, 64);
            if (i == Decoder.INCOMPLETE || !RegionBuilder.compilable(Specializer.code(i, true), i)) {
                return false;
            }
            at += i.length;
            if (at < code.length && Specializer.ends(i)) {
                return false;
            }
        }
        return true;
    }
}
