package dev.multivisor.engine.boot;

import static dev.multivisor.engine.boot.ImageReader.hex;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.OptionalLong;

/**
 * A kernel as a statically linked ELF file of 32 or 64 bits (System V ABI, chapters 4 and 5).
 *
 * @param segments what is to be loaded, by ascending physical address
 * @param entry the physical address of the entry point
 * @param pvhEntry the physical address of the 32-bit entry point that a PVH note names
 */
record ElfImage(
        ImageReader file, boolean wide, int machine, List<Segment> segments, long entry, OptionalLong pvhEntry) {
    static final int EM_386 = 3, EM_X86_64 = 62;
    private static final int ET_EXEC = 2, ET_DYN = 3, PT_LOAD = 1, PT_INTERP = 3, PT_NOTE = 4;

    /** XEN_ELFNOTE_PHYS32_ENTRY (Xen, public/elfnote.h). */
    private static final int PHYS32_ENTRY = 18;

    private static final int MAX_HEADERS = 128;

    /** A program header with type PT_LOAD. */
    record Segment(int index, long offset, long virtual, long physical, long fileSize, long memorySize) {
        boolean containsPhysical(long address) {
            return address >= physical && address - physical < memorySize;
        }
    }

    static boolean isElf(ImageReader file) {
        return file.has(0, 4) && file.u32(0, "e_ident") == 0x464c457fL;
    }

    static ElfImage parse(ImageReader file) {
        file.check(isElf(file), "e_ident", "not an ELF file");
        int elfClass = file.u8(4, "e_ident[EI_CLASS]");
        file.check(elfClass == 1 || elfClass == 2, "e_ident[EI_CLASS]", "%d is neither 32 nor 64 bits", elfClass);
        boolean wide = elfClass == 2;
        int data = file.u8(5, "e_ident[EI_DATA]");
        file.check(data == 1, "e_ident[EI_DATA]", "%d is not little-endian", data);
        int type = file.u16(16, "e_type");
        file.check(type == ET_EXEC || type == ET_DYN, "e_type", "%d is not an executable", type);
        int machine = file.u16(18, "e_machine");
        file.check(machine == EM_X86_64 || machine == EM_386, "e_machine", "%d is neither x86-64 nor i386", machine);
        long entry = wide ? file.u64(24, "e_entry") : file.u32(24, "e_entry");
        long headers = wide ? file.u64(32, "e_phoff") : file.u32(28, "e_phoff");
        int headerSize = file.u16(wide ? 54 : 42, "e_phentsize");
        file.check(headerSize >= (wide ? 56 : 32), "e_phentsize", "%d bytes are too few", headerSize);
        int count = file.u16(wide ? 56 : 44, "e_phnum");
        file.check(count > 0 && count <= MAX_HEADERS, "e_phnum", "%d is not in 1 to %d", count, MAX_HEADERS);
        file.slice(headers, (long) headerSize * count, "e_phoff");

        var segments = new ArrayList<Segment>();
        OptionalLong pvh = OptionalLong.empty();
        for (int i = 0; i < count; i++) {
            long at = headers + (long) i * headerSize;
            long headerType = file.u32(at, "p_type");
            if (headerType == PT_LOAD) {
                Segment segment = segment(file, wide, at, i);
                if (segment.memorySize > 0) {
                    segments.add(segment);
                }
            } else if (headerType == PT_NOTE && pvh.isEmpty()) {
                pvh = pvhEntry(file, segment(file, wide, at, i), wide ? file.u64(at + 48, "p_align") : 4);
            } else {
                file.check(headerType != PT_INTERP, "p_type", "a program that needs an interpreter is no kernel");
            }
        }
        file.check(!segments.isEmpty(), "e_phnum", "nothing to load (no PT_LOAD)");
        segments.sort(Comparator.comparingLong(Segment::physical));
        return new ElfImage(file, wide, machine, List.copyOf(segments), physical(file, segments, entry), pvh);
    }

    private static Segment segment(ImageReader file, boolean wide, long at, int index) {
        String name = "program header " + index + " ";
        Segment segment = wide
                ? new Segment(
                        index,
                        file.u64(at + 8, name + "p_offset"),
                        file.u64(at + 16, name + "p_vaddr"),
                        file.u64(at + 24, name + "p_paddr"),
                        file.u64(at + 32, name + "p_filesz"),
                        file.u64(at + 40, name + "p_memsz"))
                : new Segment(
                        index,
                        file.u32(at + 4, name + "p_offset"),
                        file.u32(at + 8, name + "p_vaddr"),
                        file.u32(at + 12, name + "p_paddr"),
                        file.u32(at + 16, name + "p_filesz"),
                        file.u32(at + 20, name + "p_memsz"));
        file.slice(segment.offset, segment.fileSize, name + "p_filesz");
        file.check(
                segment.memorySize >= segment.fileSize,
                name + "p_memsz",
                "%s is less than p_filesz, %s",
                hex(segment.memorySize),
                hex(segment.fileSize));
        return segment;
    }

    /** The entry point may be given as a virtual address. */
    private static long physical(ImageReader file, List<Segment> segments, long entry) {
        for (Segment segment : segments) {
            if (segment.containsPhysical(entry)) {
                return entry;
            }
        }
        for (Segment segment : segments) {
            if (entry - segment.virtual >= 0 && entry - segment.virtual < segment.memorySize) {
                return entry - segment.virtual + segment.physical;
            }
        }
        throw file.error("e_entry", "%s is in no loaded segment", hex(entry));
    }

    private static OptionalLong pvhEntry(ImageReader file, Segment notes, long alignment) {
        long mask = (alignment == 8 ? 8 : 4) - 1;
        long end = notes.offset + notes.fileSize;
        long at = notes.offset;
        while (end - at >= 12) {
            long nameSize = file.u32(at, "note n_namesz");
            long contentSize = file.u32(at + 4, "note n_descsz");
            long type = file.u32(at + 8, "note n_type");
            long content = at + 12 + (nameSize + mask & ~mask);
            long next = content + (contentSize + mask & ~mask);
            file.check(
                    content + contentSize <= end, "note n_descsz", "the note at %s goes beyond its segment", hex(at));
            if (type == PHYS32_ENTRY && nameSize == 4 && name(file, at + 12).equals("Xen\0")) {
                file.check(
                        contentSize == 4 || contentSize == 8, "XEN_ELFNOTE_PHYS32_ENTRY", "has %d bytes", contentSize);
                return OptionalLong.of(
                        contentSize == 4
                                ? file.u32(content, "XEN_ELFNOTE_PHYS32_ENTRY")
                                : file.u64(content, "XEN_ELFNOTE_PHYS32_ENTRY"));
            }
            at = next;
        }
        return OptionalLong.empty();
    }

    private static String name(ImageReader file, long offset) {
        return new String(file.array(offset, 4, "note name"), StandardCharsets.ISO_8859_1);
    }

    /** Puts the segments at their physical addresses. */
    void load(GuestWriter memory) {
        for (Segment segment : segments) {
            memory.claim(
                    file.name() + ": program header " + segment.index + " p_paddr",
                    segment.physical,
                    segment.memorySize);
        }
        for (Segment segment : segments) {
            memory.write(segment.physical, file.slice(segment.offset, segment.fileSize, "p_filesz"));
        }
    }

    /** The first physical address after the last segment. */
    long end() {
        long end = 0;
        for (Segment segment : segments) {
            end = Math.max(end, segment.physical + segment.memorySize);
        }
        return end;
    }

    void checkEntry(long address, String field) {
        boolean inside = false;
        for (Segment segment : segments) {
            inside |= segment.containsPhysical(address);
        }
        file.check(inside, field, "%s is in no loaded segment", hex(address));
    }
}
