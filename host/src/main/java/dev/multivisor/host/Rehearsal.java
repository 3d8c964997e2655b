package dev.multivisor.host;

import dev.multivisor.api.Boot;
import dev.multivisor.api.Console;
import dev.multivisor.api.Machine;
import dev.multivisor.api.MachineSpec;
import dev.multivisor.api.Resources;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.List;

/**
 * Warms up what a handover will do while the guest runs on undisturbed: a stand-in machine of the same specification, with a
 * kernel of a few bytes and memory of its own, is saved on the source and restored on the target again and again,
 * until the JVM has compiled these paths and the time no longer falls.
 */
final class Rehearsal {
    private static final long MEMORY = 16L << 20;

    /** How many moves in a row without a new best time say that it no longer falls. */
    private static final int STEADY = 200;

    private Rehearsal() {}

    /**
     * Moves the stand-in until it is fast or the time is up.
     *
     * @return the last move's time in nanoseconds
     * @throws HostException if the target cannot take such a machine
     */
    static long run(LoadedEngine from, MachineSpec spec, LoadedEngine to, MachineSpec toSpec, Duration limit) {
        long end = System.nanoTime() + limit.toNanos();
        try (GuestRam memory = GuestRam.allocate(MEMORY)) {
            Resources resources =
                    new Resources(memory, new PausableClock(), Deaf.CONSOLE, Deaf.CONSOLE, List.of(), List.of());
            long best = Long.MAX_VALUE;
            long last;
            int since = 0;
            try (Machine source = from.engine().create(spec, halt(), resources)) {
                do {
                    long start = System.nanoTime();
                    byte[] state = source.save(to.info().state());
                    to.engine().restore(toSpec, state, resources).close();
                    last = System.nanoTime() - start;
                    since = last < best ? 0 : since + 1;
                    best = Math.min(best, last);
                } while (since < STEADY && System.nanoTime() < end);
            }
            return last;
        }
    }

    /** A Multiboot kernel that would halt: a header with its own addresses, and CLI, HLT. */
    private static Boot halt() {
        int flags = 0x10000;
        int base = 0x100000;
        int[] header = {0x1badb002, flags, -(0x1badb002 + flags), base, base, base + 64, 0, base + 32};
        ByteBuffer image = ByteBuffer.allocateDirect(64).order(ByteOrder.LITTLE_ENDIAN);
        image.asIntBuffer().put(header);
        image.put(32, (byte) 0xfa).put(33, (byte) 0xf4);
        return new Boot(new Boot.Image("rehearsal", MemorySegment.ofBuffer(image)), List.of(), "");
    }

    /** A console with nobody at the far end. */
    private enum Deaf implements Console {
        CONSOLE;

        @Override
        public void write(byte value) {}

        @Override
        public int read() {
            return -1;
        }

        @Override
        public void onInput(Runnable listener) {}
    }
}
