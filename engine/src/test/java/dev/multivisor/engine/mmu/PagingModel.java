package dev.multivisor.engine.mmu;

import dev.multivisor.engine.cpu.Cpu;

/**
 * Paging written down once more, as slowly and literally as the manual's tables have it (Intel SDM vol. 3, 4.3 to
 * 4.8), on a copy of memory.
 */
final class PagingModel {
    final byte[] content;

    /** The error code of a fault, or -1. */
    int error = -1;

    private final Cpu cpu;

    PagingModel(Cpu cpu, byte[] memory) {
        this.cpu = cpu;
        content = memory.clone();
    }

    private boolean control(long register, long bit) {
        return (register & bit) != 0;
    }

    long translate(long linear, int kind, boolean asUser, boolean userData) {
        if (!control(cpu.cr0, Cpu.CR0_PG)) {
            return linear;
        }
        boolean pae = control(cpu.cr4, Cpu.CR4_PAE);
        boolean four = control(cpu.efer, Cpu.EFER_LMA);
        boolean nxe = pae && control(cpu.efer, Cpu.EFER_NXE);
        int bytes = pae ? 8 : 4;
        int indexBits = pae ? 9 : 10;
        int code = (kind == Tlb.WRITE ? 2 : 0)
                | (asUser ? 4 : 0)
                | (kind == Tlb.EXECUTE && (nxe || control(cpu.cr4, Cpu.CR4_SMEP)) ? 16 : 0);
        int levels = four ? 4 : 2;
        long table = four ? cpu.cr3 & 0x3ffffffff000L : cpu.cr3 & 0xfffff000L;
        if (pae && !four) {
            long pointer = load((cpu.cr3 & 0xffffffe0L) + (linear >>> 30) * 8, 8);
            if ((pointer & 1) == 0) {
                error = code;
                return -1;
            }
            table = pointer & 0x3ffffffff000L;
        }
        boolean writable = true;
        boolean user = true;
        boolean executable = true;
        long[] addresses = new long[5];
        long physical = -1;
        int level = levels;
        for (; level >= 1; level--) {
            int shift = 12 + indexBits * (level - 1);
            long index = linear >>> shift & (1 << indexBits) - 1;
            addresses[level] = table + index * bytes;
            long entry = load(addresses[level], bytes);
            if ((entry & 1) == 0) {
                error = code;
                return -1;
            }
            boolean large = level > 1 && (entry & 0x80) != 0 && (pae || control(cpu.cr4, Cpu.CR4_PSE));
            if (reserved(entry, level, large, pae, four, nxe)) {
                error = code | 1 | 8;
                return -1;
            }
            writable &= (entry & 2) != 0;
            user &= (entry & 4) != 0;
            executable &= !pae || entry >= 0;
            if (large || level == 1) {
                long base = entry & (pae ? 0x3ffffffff000L : 0xfffff000L);
                if (large && !pae) {
                    base = entry & 0xffc00000L | (entry >>> 13 & 0xff) << 32;
                }
                long inside = (1L << shift) - 1;
                physical = base & ~inside | linear & inside;
                break;
            }
            table = entry & (pae ? 0x3ffffffff000L : 0xfffff000L);
        }
        if (!permitted(kind, asUser, userData, writable, user, executable)) {
            error = code | 1;
            return -1;
        }
        for (int n = levels; n >= level; n--) {
            if (addresses[n] < content.length) {
                content[(int) addresses[n]] |= (byte) (0x20 | (n == level && kind == Tlb.WRITE ? 0x40 : 0));
            }
        }
        return physical;
    }

    private boolean reserved(long entry, int level, boolean large, boolean pae, boolean four, boolean nxe) {
        if (!pae) {
            return large && (entry & 1 << 21) != 0;
        }
        if (entry < 0 && !nxe || (entry & 0x000fc00000000000L) != 0) {
            return true;
        }
        if (!four && (entry & 0x7ff0000000000000L) != 0) {
            return true;
        }
        return switch (level) {
            case 4 -> (entry & 0x80) != 0;
            case 3 -> large && (entry & 0x3fffe000) != 0;
            case 2 -> large && (entry & 0x1fe000) != 0;
            default -> false;
        };
    }

    private boolean permitted(
            int kind, boolean asUser, boolean userData, boolean writable, boolean user, boolean executable) {
        boolean wp = control(cpu.cr0, Cpu.CR0_WP);
        boolean smap = control(cpu.cr4, Cpu.CR4_SMAP);
        boolean smep = control(cpu.cr4, Cpu.CR4_SMEP);
        if (asUser) {
            return user && (kind == Tlb.READ || kind == Tlb.WRITE && writable || kind == Tlb.EXECUTE && executable);
        }
        if (kind == Tlb.EXECUTE) {
            return executable && !(user && smep);
        }
        if (user && smap && !userData) {
            return false;
        }
        return kind == Tlb.READ || writable || !wp;
    }

    private long load(long address, int bytes) {
        return address >= content.length ? -1L >>> 64 - bytes * 8 : PageWalkTest.little(content, (int) address, bytes);
    }
}
