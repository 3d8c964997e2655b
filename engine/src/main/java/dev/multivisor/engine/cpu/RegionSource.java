package dev.multivisor.engine.cpu;

import java.util.Arrays;
import java.util.List;

/**
 * What a region of guest code consists of, as a compiler needs to know it. Two regions with equal sources can share
 * what was compiled.
 *
 * @param parts its blocks, the entry first
 * @param ordered whether other vCPUs may see in which order memory is accessed
 */
public record RegionSource(List<Part> parts, boolean ordered) {
    public RegionSource {
        parts = List.copyOf(parts);
    }

    /**
     * A block in 64-bit mode.
     *
     * @param offset of its first byte from that of the entry, in linear addresses
     * @param code its bytes, not to be changed
     * @param targets where an indirect jump at its end has led to, as offsets from the entry
     */
    public record Part(long offset, byte[] code, List<Long> targets) {
        public Part {
            targets = List.copyOf(targets);
        }

        @Override
        public boolean equals(Object other) {
            return other instanceof Part part
                    && offset == part.offset
                    && Arrays.equals(code, part.code)
                    && targets.equals(part.targets);
        }

        @Override
        public int hashCode() {
            return (Long.hashCode(offset) * 31 + Arrays.hashCode(code)) * 31 + targets.hashCode();
        }
    }
}
