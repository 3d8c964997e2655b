package dev.multivisor.engine.boot;

import static dev.multivisor.engine.boot.ImageReader.hex;

import dev.multivisor.api.Boot;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.OptionalLong;

/** Loads a kernel by the Multiboot Specification, version 0.6.96. */
final class MultibootLoader {
    /** How far into the file the header may be, and how it is aligned. */
    private static final int SEARCH = 8192, ALIGNMENT = 4;

    private static final long HEADER_MAGIC = 0x1badb002L, BOOTLOADER_MAGIC = 0x2badb002L;

    /** Bits of the header's flags. */
    private static final int PAGE_ALIGN = 1, MEMORY_INFO = 2, VIDEO_MODE = 4, AOUT_KLUDGE = 1 << 16;

    /** Bits of the information's flags. */
    private static final int INFO_MEMORY = 1,
            INFO_CMDLINE = 1 << 2,
            INFO_MODS = 1 << 3,
            INFO_MEM_MAP = 1 << 6,
            INFO_BOOT_LOADER_NAME = 1 << 9;

    private static final int INFO_SIZE = 120, MODULE_SIZE = 16, MMAP_SIZE = 24;

    private static final String LOADER_NAME = "Multivisor";

    private final GuestWriter memory;
    private final Boot boot;
    private final ImageReader file;

    MultibootLoader(GuestWriter memory, Boot boot, ImageReader file) {
        this.memory = memory;
        this.boot = boot;
        this.file = file;
    }

    /** Where the file has a Multiboot header, if it has one. */
    static OptionalLong header(ImageReader file) {
        for (long at = 0; at <= SEARCH - 12 && file.has(at, 12); at += ALIGNMENT) {
            if (file.u32(at, "magic") == HEADER_MAGIC) {
                long sum = HEADER_MAGIC + file.u32(at + 4, "flags") + file.u32(at + 8, "checksum");
                if ((int) sum == 0) {
                    return OptionalLong.of(at);
                }
            }
        }
        return OptionalLong.empty();
    }

    EntryState load(long header) {
        long flags = file.u32(header + 4, "flags");
        file.check((flags & VIDEO_MODE) == 0, "flags", "%s asks for a video mode, and there is none", hex(flags));
        long unknown = flags & 0xffff & ~(PAGE_ALIGN | MEMORY_INFO | VIDEO_MODE);
        file.check(unknown == 0, "flags", "%s requires something unknown, %s", hex(flags), hex(unknown));
        long entry;
        if ((flags & AOUT_KLUDGE) != 0) {
            entry = loadByHeader(header);
        } else {
            file.check(ElfImage.isElf(file), "flags", "%s without address fields needs an ELF file", hex(flags));
            ElfImage elf = ElfImage.parse(file);
            elf.load(memory);
            entry = elf.entry();
        }
        file.check(entry < 1L << 32, "entry", "%s is beyond 32 bits", hex(entry));
        long info = information();
        long gdt = memory.allocateLow("GDT", EntryState.GDT_SIZE, 0x1000, MemoryMap.BASE_MEMORY_END);
        EntryState.writeGdt(memory, gdt, false);
        return new EntryState(false, entry, 0, BOOTLOADER_MAGIC, info, 0, 0, gdt);
    }

    /** Loads by the header's own address fields (3.1.3). */
    private long loadByHeader(long header) {
        long headerAddress = file.u32(header + 12, "header_addr");
        long loadAddress = file.u32(header + 16, "load_addr");
        long loadEnd = file.u32(header + 20, "load_end_addr");
        long bssEnd = file.u32(header + 24, "bss_end_addr");
        long entry = file.u32(header + 28, "entry_addr");
        long offset = header - (headerAddress - loadAddress);
        file.check(
                headerAddress >= loadAddress && offset >= 0,
                "header_addr",
                "%s does not fit load_addr, %s",
                hex(headerAddress),
                hex(loadAddress));
        file.check(
                loadEnd == 0 || loadEnd > loadAddress,
                "load_end_addr",
                "%s is below load_addr, %s",
                hex(loadEnd),
                hex(loadAddress));
        long size = loadEnd == 0 ? file.size() - offset : loadEnd - loadAddress;
        MemorySegment content = file.slice(offset, size, "load_end_addr");
        long end = loadAddress + size;
        file.check(bssEnd == 0 || bssEnd >= end, "bss_end_addr", "%s is below %s", hex(bssEnd), hex(end));
        memory.claim(file.name() + ": load_addr", loadAddress, Math.max(end, bssEnd) - loadAddress);
        file.check(entry >= loadAddress && entry < end, "entry_addr", "%s is not in what is loaded", hex(entry));
        memory.write(loadAddress, content);
        return entry;
    }

    /** Builds the Multiboot information structure (3.3). */
    private long information() {
        List<Boot.Image> modules = boot.modules();
        List<MemoryMap.Range> ranges = memory.map().ranges();
        long mapLength = (long) MMAP_SIZE * ranges.size();
        long moduleLength = (long) MODULE_SIZE * modules.size();
        long info = low("Multiboot information", INFO_SIZE + mapLength + moduleLength);
        long map = info + INFO_SIZE;
        long list = map + mapLength;

        long flags = INFO_MEMORY | INFO_CMDLINE | INFO_MEM_MAP | INFO_BOOT_LOADER_NAME;
        long upper = 0;
        for (MemoryMap.Range range : memory.map().ram()) {
            if (range.start() == 0x100000) {
                upper = Math.min(range.end(), 1L << 32) - range.start() >>> 10;
            }
        }
        memory.put32(info + 4, MemoryMap.BASE_MEMORY_END >>> 10);
        memory.put32(info + 8, upper);
        // As other loaders do it, the kernel's name is the first word.
        memory.put32(info + 16, text("command line", file.name() + " " + boot.commandLine()));
        if (!modules.isEmpty()) {
            flags |= INFO_MODS;
            memory.put32(info + 20, modules.size());
            memory.put32(info + 24, list);
        }
        memory.put32(info + 44, mapLength);
        memory.put32(info + 48, map);
        memory.put32(info + 64, text("boot loader name", LOADER_NAME));
        memory.put32(info, flags);
        for (MemoryMap.Range range : ranges) {
            memory.put32(map, MMAP_SIZE - 4);
            memory.put64(map + 4, range.start());
            memory.put64(map + 12, range.size());
            memory.put32(map + 20, range.kind().code);
            map += MMAP_SIZE;
        }
        for (Boot.Image module : modules) {
            long size = module.bytes().byteSize();
            long address = memory.allocateLow(module.name(), size, 0x100000, 1L << 32);
            memory.write(address, module.bytes());
            memory.put32(list, address);
            memory.put32(list + 4, address + size);
            memory.put32(list + 8, text("module name", module.name()));
            list += MODULE_SIZE;
        }
        return info;
    }

    private long text(String name, String text) {
        byte[] bytes = (text + "\0").getBytes(StandardCharsets.UTF_8);
        long address = low(name, bytes.length);
        memory.write(address, bytes);
        return address;
    }

    private long low(String name, long size) {
        return memory.allocateLow(name, size, 0x1000, MemoryMap.BASE_MEMORY_END);
    }
}
