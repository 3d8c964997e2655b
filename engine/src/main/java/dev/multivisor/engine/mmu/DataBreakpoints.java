package dev.multivisor.engine.mmu;

import dev.multivisor.engine.cpu.Cpu;

/** The data breakpoints that DR0 to DR3 and DR7 ask for (Intel SDM vol. 3, 17.2). */
final class DataBreakpoints {
    private final long[] first = new long[4];
    private final int[] bytes = new int[4];
    private final boolean[] onRead = new boolean[4];

    /** Whether there is any. */
    boolean any;

    void set(Cpu cpu) {
        long control = cpu.dr[7];
        any = false;
        for (int n = 0; n < 4; n++) {
            int kind = (int) (control >>> 16 + 4 * n) & 3;
            int length = (int) (control >>> 18 + 4 * n) & 3;
            boolean enabled = (control >>> 2 * n & 3) != 0 && (kind == 1 || kind == 3);
            bytes[n] = !enabled ? 0 : length == 3 ? 4 : length == 2 ? 8 : length + 1;
            first[n] = cpu.dr[n] & -bytes[n];
            onRead[n] = kind == 3;
            any |= enabled;
        }
    }

    /** The bits of DR6 for an access. */
    int hits(long linear, int size, boolean write) {
        int hits = 0;
        for (int n = 0; n < 4; n++) {
            if (bytes[n] != 0
                    && (write || onRead[n])
                    && linear <= first[n] + bytes[n] - 1
                    && first[n] <= linear + size - 1) {
                hits |= 1 << n;
            }
        }
        return hits;
    }
}
