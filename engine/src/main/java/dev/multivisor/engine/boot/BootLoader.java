package dev.multivisor.engine.boot;

import dev.multivisor.api.Boot;
import dev.multivisor.api.EngineException;
import dev.multivisor.api.GuestMemory;
import java.nio.charset.StandardCharsets;
import java.util.OptionalLong;

/**
 * Puts a kernel and what belongs to it into the memory of a new machine. The kind of kernel is found out from the
 * file: a Linux bzImage, an ELF file with a PVH note, a Multiboot kernel, or a Linux vmlinux.
 */
public final class BootLoader {
    private BootLoader() {}

    /**
     * Loads a kernel.
     *
     * @param memory must still be zero
     * @param map what the guest is told of its memory
     * @param rsdp the address of ACPI's root pointer, or 0
     * @param unpack whether a bzImage is unpacked here, else by the guest
     * @return how the first vCPU begins
     * @throws EngineException naming the image and the field that cannot be used
     */
    public static EntryState load(Boot boot, GuestMemory memory, MemoryMap map, long rsdp, boolean unpack) {
        var writer = new GuestWriter(memory, map);
        var file = new ImageReader(boot.kernel());
        file.check(file.size() > 0, "kernel", "the file is empty");
        if (SetupHeader.isLinux(file)) {
            return new LinuxLoader(writer, boot, rsdp, file).loadBzImage(unpack);
        }
        ElfImage elf = null;
        OptionalLong multiboot = MultibootLoader.header(file);
        if (ElfImage.isElf(file) && multiboot.isEmpty()) {
            elf = ElfImage.parse(file);
            if (elf.pvhEntry().isPresent()) {
                return PvhLoader.load(writer, boot, rsdp, elf);
            }
        }
        if (multiboot.isPresent()) {
            return new MultibootLoader(writer, boot, file).load(multiboot.getAsLong());
        }
        file.check(
                elf != null && elf.wide(),
                "kernel",
                elf == null
                        ? "neither a Linux bzImage nor an ELF file nor a Multiboot kernel"
                        : "a 32-bit ELF file with neither a PVH note nor a Multiboot header");
        return new LinuxLoader(writer, boot, rsdp, file).loadElf(elf);
    }

    /** The command line with its end mark. */
    static byte[] commandLine(Boot boot) {
        if (boot.commandLine().indexOf('\0') >= 0) {
            throw new EngineException("command line: has a NUL character");
        }
        return (boot.commandLine() + "\0").getBytes(StandardCharsets.UTF_8);
    }
}
