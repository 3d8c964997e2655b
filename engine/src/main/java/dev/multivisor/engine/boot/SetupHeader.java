package dev.multivisor.engine.boot;

import static dev.multivisor.engine.boot.ImageReader.hex;

/**
 * The setup header of a Linux bzImage (Linux, Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header").
 *
 * @param kernelOffset where the protected-mode kernel begins in the file
 * @param end where the header ends in the file, and in the zero page
 */
record SetupHeader(
        ImageReader file,
        long kernelOffset,
        long end,
        int version,
        long kernelAlignment,
        boolean relocatable,
        int xloadflags,
        long initrdAddrMax,
        long cmdlineSize,
        long payloadOffset,
        long payloadLength,
        long prefAddress,
        long initSize) {
    /** Where the header begins, in the file and in the zero page. */
    static final int START = 0x1f1;

    /** struct boot_params has room for the header up to here. */
    private static final int MAX_END = 0x290;

    /** The first version of the protocol with a 64-bit entry point (xloadflags). */
    private static final int VERSION_64 = 0x20c;

    private static final int LOADED_HIGH = 1, XLF_KERNEL_64 = 1;

    static boolean isLinux(ImageReader file) {
        return file.has(0x202, 4) && file.u32(0x202, "header") == 0x53726448L;
    }

    static SetupHeader parse(ImageReader file) {
        int bootFlag = file.u16(0x1fe, "boot_flag");
        file.check(bootFlag == 0xaa55, "boot_flag", "%s instead of 0xaa55", hex(bootFlag));
        int version = file.u16(0x206, "version");
        file.check(
                version >= VERSION_64,
                "version",
                "boot protocol %d.%02d has no 64-bit entry point; 2.12 is the least",
                version >>> 8,
                version & 0xff);
        int setupSects = file.u8(0x1f1, "setup_sects");
        long kernelOffset = ((setupSects == 0 ? 4 : setupSects) + 1) * 512L;
        long end = 0x202 + file.u8(0x201, "jump");
        file.check(end >= 0x268 && end <= MAX_END, "jump", "the header ends at %s", hex(end));
        file.slice(0, end, "jump");
        file.slice(0, kernelOffset, "setup_sects");
        int loadflags = file.u8(0x211, "loadflags");
        file.check((loadflags & LOADED_HIGH) != 0, "loadflags", "%s: a zImage is not supported", hex(loadflags));
        int xloadflags = file.u16(0x236, "xloadflags");
        file.check((xloadflags & XLF_KERNEL_64) != 0, "xloadflags", "%s: no 64-bit kernel", hex(xloadflags));
        var header = new SetupHeader(
                file,
                kernelOffset,
                end,
                version,
                file.u32(0x230, "kernel_alignment"),
                file.u8(0x234, "relocatable_kernel") != 0,
                xloadflags,
                file.u32(0x22c, "initrd_addr_max"),
                file.u32(0x238, "cmdline_size"),
                file.u32(0x248, "payload_offset"),
                file.u32(0x24c, "payload_length"),
                file.u64(0x258, "pref_address"),
                file.u32(0x260, "init_size"));
        header.check();
        return header;
    }

    private void check() {
        long kernelSize = file.u32(0x1f4, "syssize") * 16;
        file.check(kernelSize > 0, "syssize", "is zero");
        // syssize is the size rounded up: the last paragraph may be cut.
        file.check(
                file.has(kernelOffset, kernelSize - 15),
                "syssize",
                "%d bytes at %s go beyond the end of the file, %d bytes",
                kernelSize,
                hex(kernelOffset),
                file.size());
        file.check(
                Long.bitCount(kernelAlignment) == 1 && kernelAlignment >= 4096,
                "kernel_alignment",
                "%s is no power of two from 4096 on",
                hex(kernelAlignment));
        file.check(
                prefAddress >= 0x100000 && prefAddress < 1L << 32 && prefAddress % kernelAlignment == 0,
                "pref_address",
                "%s is no multiple of kernel_alignment between 1 MiB and 4 GiB",
                hex(prefAddress));
        file.check(initSize > 0, "init_size", "is zero");
        file.check(cmdlineSize > 0, "cmdline_size", "is zero");
        file.check(initrdAddrMax >= 0x100000, "initrd_addr_max", "%s is too low", hex(initrdAddrMax));
        file.check(
                payloadOffset + payloadLength <= kernelSize && file.has(kernelOffset + payloadOffset, payloadLength),
                "payload_length",
                "%d bytes at %s go beyond the kernel, %d bytes",
                payloadLength,
                hex(payloadOffset),
                kernelSize);
        file.check(payloadLength > 8, "payload_length", "%d bytes are too few", payloadLength);
    }
}
