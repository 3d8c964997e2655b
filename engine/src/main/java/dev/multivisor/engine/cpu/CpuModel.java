package dev.multivisor.engine.cpu;

import dev.multivisor.engine.mmu.Mmu;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * What CPUID shows (Intel SDM vol. 2, CPUID): the x86-64-v2 model, and beyond it what a machine's owner chose.
 *
 * <p>It says to be an Intel Atom of the Saltwell generation, family 6, model 0x36. This is a 64-bit part that executes
 * strictly in order: Linux lists it as NO_SPECULATION and leaves out page-table isolation, retpolines and every other
 * mitigation, none of which an emulated CPU needs. The vendor is Intel so that leaf 0x15 tells the rates of the TSC
 * and the local APIC's timer. Features are not those of the real part but what the flags say.
 *
 * @param cpus number of vCPUs, one core each of one package; APIC IDs are their numbers
 * @param tscKhz rate of the time-stamp counter
 * @param lapicKhz rate at which the local APIC's timer counts, before its divider; the "crystal" of leaf 0x15
 * @param sha whether there are the SHA extensions (Intel SDM vol. 1, 5.20)
 */
public record CpuModel(int cpus, int tscKhz, int lapicKhz, boolean sha) {
    /** One vCPU, and counters in nanoseconds. */
    public static final CpuModel DEFAULT = new CpuModel(1, 1_000_000, 1_000_000, false);

    /** Process-context identifiers and INVPCID. */
    static final boolean PCID = true;

    /** Bits of a physical and of a linear address. */
    static final int PHYSICAL_BITS = Mmu.PHYSICAL_BITS, LINEAR_BITS = 48;

    /** Family 6, model 0x36, stepping 1. */
    private static final int SIGNATURE = 0x30661;

    private static final String BRAND = "Multivisor x86-64-v2 virtual CPU";

    private static final int MAX_BASIC = 0x16, MAX_HYPERVISOR = 0x40000010, MAX_EXTENDED = 0x80000021;

    /**
     * Leaf 1 EDX: FPU VME DE PSE TSC MSR PAE MCE CX8 APIC SEP MTRR PGE MCA CMOV PAT PSE36 CLFSH MMX FXSR SSE SSE2 SS.
     */
    private static final int LEAF_1_EDX = 0x0f8bfbff;

    /** Leaf 1 ECX: SSE3 SSSE3 CX16 SSE4.1 SSE4.2 X2APIC POPCNT TSC_DEADLINE RDRAND HYPERVISOR. */
    private static final int LEAF_1_ECX =
            1 | 1 << 9 | 1 << 13 | 1 << 19 | 1 << 20 | 1 << 21 | 1 << 23 | 1 << 24 | 1 << 30 | 1 << 31;

    /** Leaf 7 EBX: FSGSBASE TSC_ADJUST SMEP ERMS RDSEED SMAP. */
    private static final int LEAF_7_EBX = 1 | 1 << 1 | 1 << 7 | 1 << 9 | 1 << 18 | 1 << 20;

    private static final int LEAF_7_EBX_PCID = 1 << 10, LEAF_7_EBX_SHA = 1 << 29;

    /** Leaf 7 ECX: UMIP. */
    private static final int LEAF_7_ECX = 1 << 2;

    /** Leaf 7 EDX: FSRM (one REP MOVSB costs an interpreter little), ARCH_CAPABILITIES. */
    private static final int LEAF_7_EDX = 1 << 4 | 1 << 29;

    /** Leaf 0x80000001: LAHF and PREFETCHW; SYSCALL NX PDPE1GB RDTSCP LM. */
    private static final int LEAF_EXTENDED_ECX = 1 | 1 << 8,
            LEAF_EXTENDED_EDX = 1 << 11 | 1 << 20 | 1 << 26 | 1 << 27 | 1 << 29;

    /** KVM leaf 0x40000001: NOP_IO_DELAY, CLOCKSOURCE2, CLOCKSOURCE_STABLE. */
    private static final int KVM_FEATURES = 1 << 1 | 1 << 3 | 1 << 24;

    /** Leaf 0x80000021: LFENCE is serializing, loading a null selector clears the base. */
    private static final int LEAF_NULL_SELECTOR = 1 << 2 | 1 << 6;

    public CpuModel {
        if (cpus < 1 || cpus > 255) {
            throw new IllegalArgumentException("cpus: " + cpus + " is not in 1 to 255");
        }
    }

    /**
     * The values of a leaf.
     *
     * @param result receives EAX, EBX, ECX and EDX
     */
    void cpuid(Cpu cpu, int leaf, int subleaf, int[] result) {
        Arrays.fill(result, 0);
        switch (leaf >>> 28) {
            case 4 -> hypervisor(leaf, result);
            case 8 -> extended(leaf, result);
            default -> basic(cpu, Integer.compareUnsigned(leaf, MAX_BASIC) > 0 ? MAX_BASIC : leaf, subleaf, result);
        }
    }

    /** Family, model and stepping as leaf 1 and EDX after reset have them. */
    int signature() {
        return SIGNATURE;
    }

    /** Bits of an APIC ID that number the cores of the package. */
    private int coreShift() {
        return 32 - Integer.numberOfLeadingZeros(cpus - 1);
    }

    private void basic(Cpu cpu, int leaf, int subleaf, int[] out) {
        switch (leaf) {
            case 0 -> set(out, MAX_BASIC, 0x756e6547, 0x6c65746e, 0x49656e69); // GenuineIntel
            case 1 -> {
                int count = 1 << coreShift();
                int apic = cpu.number << 24 | Math.min(count, 255) << 16 | 8 << 8;
                int multiple = cpus > 1 ? 1 << 28 : 0;
                set(out, SIGNATURE, apic, LEAF_1_ECX | (PCID ? 1 << 17 : 0), LEAF_1_EDX | multiple);
            }
            case 2 -> out[0] = 0xff01; // see leaf 4
            case 4 -> cache(subleaf, out);
            case 6 -> out[0] = 1 << 2; // the APIC's timer always runs
            case 7 -> {
                if (subleaf == 0) {
                    int chosen = (PCID ? LEAF_7_EBX_PCID : 0) | (sha ? LEAF_7_EBX_SHA : 0);
                    set(out, 0, LEAF_7_EBX | chosen, LEAF_7_ECX, LEAF_7_EDX);
                }
            }
            case 0xb -> {
                int level = subleaf & 0xff;
                switch (subleaf) {
                    case 0 -> set(out, 0, 1, 1 << 8, cpu.number);
                    case 1 -> set(out, coreShift(), cpus, 2 << 8 | 1, cpu.number);
                    default -> set(out, 0, 0, level, cpu.number);
                }
            }
            case 0x15 -> crystal(out);
            case 0x16 -> set(out, tscKhz / 1000, tscKhz / 1000, 100, 0);
            default -> {}
        }
    }

    /** Leaf 4: 32 KiB of level 1 for data and for code, 2 MiB of level 2, 16 MiB of level 3 for all. */
    private void cache(int subleaf, int[] out) {
        int cores = Math.min((1 << coreShift()) - 1, 63) << 26;
        switch (subleaf) {
            case 0 -> set(out, cores | 1 << 8 | 1 << 5 | 1, 7 << 22 | 63, 63, 0);
            case 1 -> set(out, cores | 1 << 8 | 1 << 5 | 2, 7 << 22 | 63, 63, 0);
            case 2 -> set(out, cores | 1 << 8 | 2 << 5 | 3, 15 << 22 | 63, 2047, 0);
            case 3 -> {
                int sharing = (1 << coreShift()) - 1 << 14;
                set(out, cores | sharing | 1 << 8 | 3 << 5 | 3, 15 << 22 | 63, 16383, 0);
            }
            default -> {}
        }
    }

    /** Leaf 0x15: the TSC's rate is crystal * EBX / EAX. Linux computes in 32 bits, so the ratio is reduced. */
    private void crystal(int[] out) {
        int divisor = gcd(tscKhz, lapicKhz);
        set(out, lapicKhz / divisor, tscKhz / divisor, lapicKhz * 1000, 0);
    }

    private static int gcd(int a, int b) {
        return b == 0 ? a : gcd(b, a % b);
    }

    private void hypervisor(int leaf, int[] out) {
        switch (leaf) {
            case 0x40000000 -> set(out, MAX_HYPERVISOR, 0x4b4d564b, 0x564b4d56, 0x4d); // KVMKVMKVM
            case 0x40000001 -> out[0] = KVM_FEATURES;
            case 0x40000010 -> set(out, tscKhz, lapicKhz, 0, 0);
            default -> {}
        }
    }

    private void extended(int leaf, int[] out) {
        switch (leaf) {
            case 0x80000000 -> out[0] = MAX_EXTENDED;
            case 0x80000001 -> set(out, 0, 0, LEAF_EXTENDED_ECX, LEAF_EXTENDED_EDX);
            case 0x80000002, 0x80000003, 0x80000004 -> brand(leaf - 0x80000002, out);
            case 0x80000006 -> out[2] = 2048 << 16 | 8 << 12 | 64;
            case 0x80000007 -> out[3] = 1 << 8; // invariant TSC
            case 0x80000008 -> out[0] = LINEAR_BITS << 8 | PHYSICAL_BITS;
            case 0x80000021 -> out[0] = LEAF_NULL_SELECTOR;
            default -> {}
        }
    }

    private static void brand(int part, int[] out) {
        ByteBuffer text = ByteBuffer.allocate(48).order(ByteOrder.LITTLE_ENDIAN);
        text.put(0, BRAND.getBytes(StandardCharsets.US_ASCII));
        for (int n = 0; n < 4; n++) {
            out[n] = text.getInt(part * 16 + n * 4);
        }
    }

    private static void set(int[] out, int eax, int ebx, int ecx, int edx) {
        out[0] = eax;
        out[1] = ebx;
        out[2] = ecx;
        out[3] = edx;
    }
}
