package dev.multivisor.engine.boot;

import dev.multivisor.api.Boot;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * Loads Linux by its 64-bit boot protocol (Documentation/arch/x86/boot.rst, "64-bit Boot Protocol";
 * zero-page.rst). A bzImage's payload is unpacked here and entered at the kernel proper's startup_64, as its own
 * decompressor would do; this leaves out its choice of a random address.
 */
final class LinuxLoader {
    /** Where 64-bit code enters a bzImage, behind the 32-bit entry point. */
    private static final long STARTUP_64 = 0x200;

    /** No kernel is larger; a wrong size must not cost memory. */
    private static final long MAX_UNPACKED = 512L << 20;

    /** struct boot_params and its members. */
    private static final int ZERO_PAGE_SIZE = 4096,
            ACPI_RSDP_ADDR = 0x70,
            E820_ENTRIES = 0x1e8,
            E820_TABLE = 0x2d0,
            E820_MAX = 128,
            BOOT_FLAG = 0x1fe,
            VID_MODE = 0x1fa,
            HEADER = 0x202,
            VERSION = 0x206,
            TYPE_OF_LOADER = 0x210,
            LOADFLAGS = 0x211,
            RAMDISK_IMAGE = 0x218,
            RAMDISK_SIZE = 0x21c,
            CMD_LINE_PTR = 0x228,
            KERNEL_ALIGNMENT = 0x230;

    private static final long STACK_SIZE = 4096;

    /** What a kernel without a setup header can take. */
    private static final long DEFAULT_INITRD_MAX = 0x7fffffffL, DEFAULT_CMDLINE_SIZE = 2047;

    private final GuestWriter memory;
    private final Boot boot;
    private final long rsdp;
    private final ImageReader file;

    LinuxLoader(GuestWriter memory, Boot boot, long rsdp, ImageReader file) {
        this.memory = memory;
        this.boot = boot;
        this.rsdp = rsdp;
        this.file = file;
    }

    /** Loads a bzImage, unpacked or as it is. */
    EntryState loadBzImage(boolean unpack) {
        SetupHeader header = SetupHeader.parse(file);
        return unpack ? loadPayload(header) : loadCompressed(header);
    }

    private EntryState loadPayload(SetupHeader header) {
        long start = header.kernelOffset() + header.payloadOffset();
        MemorySegment packed = file.slice(start, header.payloadLength(), "payload_length");
        long entry;
        long end;
        try (Arena arena = Arena.ofShared()) {
            ElfImage elf = Unpacker.format(packed).equals("none")
                    ? ElfImage.parse(new ImageReader(file.name() + ": payload", packed))
                    : unpack(header, packed, arena);
            file.check(elf.wide() && elf.machine() == ElfImage.EM_X86_64, "payload", "is not a 64-bit x86-64 kernel");
            elf.load(memory);
            entry = elf.entry();
            end = elf.end();
        }
        long room = header.prefAddress() + header.initSize();
        if (end < room && end > header.prefAddress()) {
            memory.claim(file.name() + ": init_size", end, room - end);
        }
        return enter(entry, header);
    }

    private ElfImage unpack(SetupHeader header, MemorySegment packed, Arena arena) {
        // For gzip the size is part of the format, for the others it was appended.
        long length = packed.byteSize();
        long unpacked = file.u32(header.kernelOffset() + header.payloadOffset() + length - 4, "payload's size");
        // The decompressor works in place, so the kernel's own area has room for all of it.
        long limit = Math.min(MAX_UNPACKED, header.initSize());
        file.check(unpacked > 0 && unpacked <= limit, "payload's size", "%d is not in 1 to %d", unpacked, limit);
        MemorySegment in = Unpacker.format(packed).equals("gzip") ? packed : packed.asSlice(0, length - 4);
        try {
            MemorySegment out = Unpacker.unpack(in, (int) unpacked, arena);
            return ElfImage.parse(new ImageReader(file.name() + ": payload", out));
        } catch (IOException e) {
            throw file.error("payload", "%s", e.getMessage());
        }
    }

    private EntryState loadCompressed(SetupHeader header) {
        long size = file.size() - header.kernelOffset();
        long room = Math.max(size, header.initSize());
        memory.claim(file.name() + ": init_size", header.prefAddress(), room);
        memory.write(header.prefAddress(), file.slice(header.kernelOffset(), size, "syssize"));
        return enter(header.prefAddress() + STARTUP_64, header);
    }

    /** Loads a vmlinux, which has no setup header. */
    EntryState loadElf(ElfImage elf) {
        file.check(elf.machine() == ElfImage.EM_X86_64, "e_machine", "%d is not x86-64", elf.machine());
        elf.load(memory);
        return enter(elf.entry(), null);
    }

    private EntryState enter(long entry, SetupHeader header) {
        long zeroPage = memory.allocateLow("zero page", ZERO_PAGE_SIZE, 0x1000, MemoryMap.BASE_MEMORY_END);
        if (header == null) {
            memory.put16(zeroPage + VID_MODE, 0xffff);
            memory.put16(zeroPage + BOOT_FLAG, 0xaa55);
            memory.put32(zeroPage + HEADER, 0x53726448L);
            memory.put16(zeroPage + VERSION, 0x20f);
            memory.put8(zeroPage + LOADFLAGS, 1);
            memory.put32(zeroPage + KERNEL_ALIGNMENT, 0x1000000);
        } else {
            long length = header.end() - SetupHeader.START;
            memory.write(zeroPage + SetupHeader.START, file.slice(SetupHeader.START, length, "header"));
        }
        memory.put8(zeroPage + TYPE_OF_LOADER, 0xff);
        memory.put64(zeroPage + ACPI_RSDP_ADDR, rsdp);
        initrd(zeroPage, header == null ? DEFAULT_INITRD_MAX : header.initrdAddrMax());
        commandLine(zeroPage, header == null ? DEFAULT_CMDLINE_SIZE : header.cmdlineSize());
        memoryMap(zeroPage);

        long gdt = memory.allocateLow("GDT", EntryState.GDT_SIZE, 0x1000, MemoryMap.BASE_MEMORY_END);
        EntryState.writeGdt(memory, gdt, true);
        long stack = memory.allocateLow("stack", STACK_SIZE, 0x1000, MemoryMap.BASE_MEMORY_END);
        return new EntryState(true, entry, stack + STACK_SIZE - 16, 0, 0, zeroPage, identityTables(), gdt);
    }

    private void initrd(long zeroPage, long max) {
        List<Boot.Image> modules = boot.modules();
        file.check(modules.size() <= 1, "modules", "Linux takes one initial RAM disk, not %d", modules.size());
        if (modules.isEmpty()) {
            return;
        }
        Boot.Image initrd = modules.getFirst();
        long size = initrd.bytes().byteSize();
        if (size == 0) {
            return;
        }
        long address = memory.allocateHigh(initrd.name(), size, Math.min(max + 1, 1L << 32));
        memory.write(address, initrd.bytes());
        memory.put32(zeroPage + RAMDISK_IMAGE, address);
        memory.put32(zeroPage + RAMDISK_SIZE, size);
    }

    private void commandLine(long zeroPage, long max) {
        byte[] line = BootLoader.commandLine(boot);
        file.check(
                line.length - 1 <= max,
                "cmdline_size",
                "the command line has %d bytes, more than %d",
                line.length - 1,
                max);
        long address = memory.allocateLow("command line", line.length, 0x1000, MemoryMap.BASE_MEMORY_END);
        memory.write(address, line);
        memory.put32(zeroPage + CMD_LINE_PTR, address);
    }

    private void memoryMap(long zeroPage) {
        List<MemoryMap.Range> ranges = memory.map().ranges();
        file.check(ranges.size() <= E820_MAX, "E820 table", "has %d entries, more than %d", ranges.size(), E820_MAX);
        memory.put8(zeroPage + E820_ENTRIES, ranges.size());
        long at = zeroPage + E820_TABLE;
        for (MemoryMap.Range range : ranges) {
            memory.put64(at, range.start());
            memory.put64(at + 8, range.size());
            memory.put32(at + 16, range.kind().code);
            at += 20;
        }
    }

    /** Maps the first 4 GiB to themselves with pages of 2 MiB (SDM vol. 3, 4.5). */
    private long identityTables() {
        long pml4 = memory.allocateLow("page tables", 6 * 4096, 0x1000, MemoryMap.BASE_MEMORY_END);
        long pdpt = pml4 + 4096;
        long pd = pdpt + 4096;
        memory.put64(pml4, pdpt | 3);
        for (int i = 0; i < 4; i++) {
            memory.put64(pdpt + 8 * i, pd + 4096L * i | 3);
        }
        for (int i = 0; i < 4 * 512; i++) {
            memory.put64(pd + 8 * i, (long) i << 21 | 0x83);
        }
        return pml4;
    }
}
