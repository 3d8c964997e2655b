package dev.multivisor.watch;

import java.time.Instant;

/**
 * Bytes of a guest's kernel that were changed.
 *
 * @param time when, by the host's clock
 * @param written the same, as {@link System#nanoTime} tells it
 * @param part what they belong to
 * @param physical guest-physical address of the first one
 * @param linear where the kernel itself sees it; who wrote may have used another address, such as one of the direct map
 * @param symbol what is there, such as {@code sys_call_table[59]}
 * @param before what was there
 * @param after what was written, as many bytes
 * @param means how it was done
 * @param cpu the vCPU that wrote, or -1
 * @param instruction linear address of the instruction that wrote, or 0
 * @param code whose code that is: a function of the kernel, or a module in brackets; empty if it is neither
 */
public record Alteration(
        Instant time,
        long written,
        Part part,
        long physical,
        long linear,
        String symbol,
        byte[] before,
        byte[] after,
        Means means,
        int cpu,
        long instruction,
        String code) {
    /** What is watched of a kernel. */
    public enum Part {
        /** Its code, from _stext to _etext. */
        TEXT,
        /** The interrupt descriptor table. */
        IDT,
        /** The tables of system calls. */
        SYSCALLS
    }

    /** How bytes were changed. */
    public enum Means {
        /**
         * By a vCPU through the mapping that the kernel makes to change its own code: static keys, static calls, tracing
         * and probes. It is meant to be, unless somebody has made the kernel do it.
         */
        TEXT_POKE,
        /**
         * By the kernel's own code, on an engine that does not tell the registers by which text_poke is known. In the code,
         * it mostly is that.
         */
        KERNEL,
        /** By a vCPU in another way: a kernel that has started does not do this to itself. */
        CPU,
        /** By a device, or from outside the guest. */
        OUTSIDE
    }

    /** Whether kernels change themselves like this: hundreds of places at once, now and then. */
    public boolean usual() {
        return usual(part, means);
    }

    static boolean usual(Part part, Means means) {
        return means == Means.TEXT_POKE || means == Means.KERNEL && part == Part.TEXT;
    }
}
