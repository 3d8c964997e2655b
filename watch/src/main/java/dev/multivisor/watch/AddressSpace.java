package dev.multivisor.watch;

import dev.multivisor.host.HostException;
import dev.multivisor.host.PageTracker;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.OptionalLong;

/** Linear addresses of a guest, by its paging structures for 64-bit mode (Intel SDM, volume 3, 4.5). */
final class AddressSpace {
    private static final VarHandle LONG = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

    static final long PHYSICAL = 0x000f_ffff_ffff_f000L;
    private static final long PRESENT = 1, LARGE = 1 << 7;

    private final PageTracker memory;
    private final long root;
    private final int levels;

    /**
     * @param root guest-physical address of the first table, with whatever else CR3 has
     * @param levels 4, or 5 with CR4.LA57
     */
    AddressSpace(PageTracker memory, long root, int levels) {
        this.memory = memory;
        this.root = root & PHYSICAL;
        this.levels = levels;
    }

    /** The guest-physical address; empty if none is mapped, or its tables are no memory. */
    OptionalLong physical(long linear) {
        long table = root;
        for (int level = levels; level > 0; level--) {
            int shift = 12 + 9 * (level - 1);
            OptionalLong entry = word(table + (linear >>> shift & 0x1ff) * 8);
            if (entry.isEmpty() || (entry.getAsLong() & PRESENT) == 0) {
                return OptionalLong.empty();
            }
            long value = entry.getAsLong();
            if (level == 1 || level <= 3 && (value & LARGE) != 0) {
                long inside = (1L << shift) - 1;
                return OptionalLong.of(value & PHYSICAL & ~inside | linear & inside);
            }
            table = value & PHYSICAL;
        }
        return OptionalLong.empty();
    }

    /** The 8 bytes at a linear address, which must not cross the end of a page. */
    OptionalLong load(long linear) {
        OptionalLong physical = physical(linear);
        return physical.isPresent() ? word(physical.getAsLong()) : physical;
    }

    /** Copies what is mapped; false if not all of it is. */
    boolean load(long linear, byte[] target) {
        for (int done = 0; done < target.length; ) {
            OptionalLong physical = physical(linear + done);
            if (physical.isEmpty()) {
                return false;
            }
            byte[] part = new byte[(int) Math.min(target.length - done, 4096 - (linear + done & 0xfff))];
            try {
                memory.read(physical.getAsLong(), part);
            } catch (HostException e) {
                return false;
            }
            System.arraycopy(part, 0, target, done, part.length);
            done += part.length;
        }
        return true;
    }

    private OptionalLong word(long physical) {
        byte[] bytes = new byte[8];
        try {
            memory.read(physical, bytes);
        } catch (HostException e) {
            return OptionalLong.empty();
        }
        return OptionalLong.of((long) LONG.get(bytes, 0));
    }
}
