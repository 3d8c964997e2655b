package dev.multivisor.engine.boot;

import dev.multivisor.api.Boot;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** Enters a kernel by the PVH protocol (Xen, docs/misc/pvh.pandoc; public/arch-x86/hvm/start_info.h). */
final class PvhLoader {
    private static final long XEN_HVM_START_MAGIC_VALUE = 0x336ec578L;

    /** Sizes of struct hvm_start_info, hvm_modlist_entry and hvm_memmap_table_entry. */
    private static final int START_INFO = 56, MODULE = 32, RANGE = 24;

    private PvhLoader() {}

    static EntryState load(GuestWriter memory, Boot boot, long rsdp, ElfImage elf) {
        long entry = elf.pvhEntry().orElseThrow();
        elf.load(memory);
        elf.checkEntry(entry, "XEN_ELFNOTE_PHYS32_ENTRY");

        List<Boot.Image> modules = boot.modules();
        List<MemoryMap.Range> ranges = memory.map().ranges();
        byte[] line = BootLoader.commandLine(boot);
        long limit = MemoryMap.BASE_MEMORY_END;
        long size = START_INFO + (long) MODULE * modules.size() + (long) RANGE * ranges.size();
        long info = memory.allocateLow("hvm_start_info", size, 0x1000, limit);
        long moduleList = info + START_INFO;
        long map = moduleList + (long) MODULE * modules.size();
        long commandLine = memory.allocateLow("command line", line.length, 0x1000, limit);
        memory.write(commandLine, line);

        memory.put32(info, XEN_HVM_START_MAGIC_VALUE);
        memory.put32(info + 4, 1);
        memory.put32(info + 12, modules.size());
        memory.put64(info + 16, modules.isEmpty() ? 0 : moduleList);
        memory.put64(info + 24, commandLine);
        memory.put64(info + 32, rsdp);
        memory.put64(info + 40, map);
        memory.put32(info + 48, ranges.size());
        for (Boot.Image module : modules) {
            byte[] name = (module.name() + "\0").getBytes(StandardCharsets.UTF_8);
            long bytes = module.bytes().byteSize();
            long address = memory.allocateHigh(module.name(), bytes, 1L << 32);
            memory.write(address, module.bytes());
            long nameAddress = memory.allocateLow("module name", name.length, 0x1000, limit);
            memory.write(nameAddress, name);
            memory.put64(moduleList, address);
            memory.put64(moduleList + 8, bytes);
            memory.put64(moduleList + 16, nameAddress);
            moduleList += MODULE;
        }
        for (MemoryMap.Range range : ranges) {
            memory.put64(map, range.start());
            memory.put64(map + 8, range.size());
            memory.put32(map + 16, range.kind().code);
            map += RANGE;
        }
        long gdt = memory.allocateLow("GDT", EntryState.GDT_SIZE, 0x1000, limit);
        EntryState.writeGdt(memory, gdt, false);
        return new EntryState(false, entry, 0, 0, info, 0, 0, gdt);
    }
}
