package dev.multivisor.watch;

import dev.multivisor.api.GuestMemory;
import dev.multivisor.host.PageTracker;
import dev.multivisor.host.VirtualMachine;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;

/**
 * A running guest's Linux kernel: where its parts are, and its symbols. Found without any file, and wherever KASLR has
 * put it: the MSR LSTAR points into its code (entry_SYSCALL_64), a walk of the page tables tells where that is in memory,
 * and behind the code are the kernel's own symbols ({@link Kallsyms}). The image is one piece in memory as it is in the
 * linear address space, so that the distance of one byte is that of all.
 */
final class GuestKernel {
    private static final String BANNER = "Linux version ";

    /** From the system call's entry to the symbols it is less than this. */
    private static final int WINDOW = 32 << 20;

    private static final int WORD = 8;

    /** A guest that has run for less than this may have a kernel yet. */
    private static final Duration FIRMWARE = Duration.ofSeconds(10);

    /** SYSTEM_RUNNING of enum system_states; before, the kernel changes its own code in place (init/main.c). */
    private static final int RUNNING = 3;

    private static final String TEXT = "_stext", TEXT_END = "_etext", IDT = "idt_table", SYSCALLS = "sys_call_table";
    private static final String IA32 = "ia32_sys_call_table", X32 = "x32_sys_call_table";
    private static final String LINUX = "linux_banner", STATE = "system_state";
    private static final String TABLES = "init_top_pgt", INIT_MM = "init_mm", POKING = "poking_mm", MODULES = "modules";
    private static final List<String> NEEDED = List.of(TEXT, TEXT_END, IDT, SYSCALLS, LINUX, STATE, TABLES);
    private static final int IDT_BYTES = 4096;

    /** What is watched of it. Addresses are linear. */
    record Range(Alteration.Part part, String name, long start, long size) {}

    private final Kallsyms symbols;

    /** Linear minus guest-physical address of the image. */
    private final long distance;

    private final Map<String, Long> known;
    private final AddressSpace space;
    private final String banner;
    private final OptionalLong poking;
    private final List<Range> ranges = new ArrayList<>();

    private GuestKernel(VirtualMachine machine, Kallsyms symbols, long distance, int levels) {
        this.symbols = symbols;
        this.distance = distance;
        Set<String> wanted = new HashSet<>(NEEDED);
        wanted.addAll(List.of(IA32, X32, INIT_MM, POKING, MODULES));
        known = symbols.addresses(wanted);
        for (String name : NEEDED) {
            if (!known.containsKey(name)) {
                throw unknown(machine, "its symbols lack " + name);
            }
        }
        space = new AddressSpace(machine.pages(), known.get(TABLES) - distance, levels);
        byte[] text = new byte[256];
        if (!space.load(known.get(LINUX), text) || !string(text).startsWith(BANNER)) {
            throw unknown(machine, LINUX + " is none");
        }
        banner = string(text).lines().findFirst().orElse("").strip();
        poking = pokingTables();
        range(Alteration.Part.TEXT, TEXT, known.get(TEXT_END) - known.get(TEXT));
        range(Alteration.Part.IDT, IDT, IDT_BYTES);
        for (String name : List.of(SYSCALLS, IA32, X32)) {
            if (known.containsKey(name)) {
                range(Alteration.Part.SYSCALLS, name, symbols.next(known.get(name)) - known.get(name));
            }
        }
    }

    private void range(Alteration.Part part, String name, long size) {
        ranges.add(new Range(part, name, known.get(name), size));
    }

    /**
     * Looks at a machine.
     *
     * @throws WatchException if it runs no such kernel, or none yet
     */
    static GuestKernel of(VirtualMachine machine) {
        Map<String, Long> registers = machine.systemRegisters(0);
        if (registers.isEmpty()) {
            return search(machine);
        }
        long entry = registers.get("LSTAR");
        if (Long.compareUnsigned(entry, Kallsyms.LOWEST) < 0) {
            throw unknown(machine, "the processor's LSTAR is 0x" + Long.toHexString(entry));
        }
        int levels = (registers.get("CR4") & 1 << 12) != 0 ? 5 : 4;
        long tables = registers.get("CR3");
        OptionalLong physical = new AddressSpace(machine.pages(), tables, levels).physical(entry);
        if (physical.isEmpty()) {
            throw unknown(machine, "the entry of system calls is not mapped");
        }
        Kallsyms symbols = Kallsyms.find(window(machine.pages(), physical.getAsLong() & -4096L, new byte[WINDOW]))
                .orElseThrow(() -> unknown(machine, "no table of kernel symbols was found"));
        return new GuestKernel(machine, symbols, entry - physical.getAsLong(), levels);
    }

    /**
     * On an engine that does not tell registers, all of memory is looked through for symbols and then for the text that
     * they call linux_banner; the page tables, init_top_pgt, must confirm the place.
     */
    private static GuestKernel search(VirtualMachine machine) {
        // One for all of it: those who watch already are not to wait while the JVM collects that much garbage.
        byte[] buffer = new byte[WINDOW];
        for (GuestMemory.Region region : machine.pages().regions()) {
            long end = region.guestAddress() + region.size();
            for (long start = region.guestAddress(); start < end; start += WINDOW / 2) {
                Optional<Kallsyms> symbols = Kallsyms.find(window(machine.pages(), start, buffer));
                // The banner is in the same section as the symbols, before or behind.
                for (long from = start - WINDOW / 2; from <= start && symbols.isPresent(); from += WINDOW / 2) {
                    Optional<GuestKernel> kernel =
                            at(machine, symbols.get(), from, window(machine.pages(), from, buffer));
                    if (kernel.isPresent()) {
                        return kernel.get();
                    }
                }
            }
        }
        throw unknown(machine, "no table of kernel symbols was found that fits its page tables");
    }

    private static Optional<GuestKernel> at(VirtualMachine machine, Kallsyms symbols, long start, byte[] window) {
        Map<String, Long> known = symbols.addresses(Set.of(LINUX, TEXT, TABLES));
        if (known.size() < 3) {
            return Optional.empty();
        }
        byte[] banner = BANNER.getBytes(StandardCharsets.US_ASCII);
        for (int at = 0; at + banner.length <= window.length; at++) {
            if (window[at] == banner[0] && Arrays.equals(window, at, at + banner.length, banner, 0, banner.length)) {
                long distance = known.get(LINUX) - start - at;
                for (int levels = 4; levels <= 5; levels++) {
                    AddressSpace space = new AddressSpace(machine.pages(), known.get(TABLES) - distance, levels);
                    OptionalLong text = space.physical(known.get(TEXT));
                    if (text.isPresent() && text.getAsLong() == known.get(TEXT) - distance) {
                        return Optional.of(new GuestKernel(machine, symbols, distance, levels));
                    }
                }
            }
        }
        return Optional.empty();
    }

    /** A buffer that has been filled, or a shorter array at the end of memory. */
    private static byte[] window(PageTracker memory, long start, byte[] buffer) {
        for (GuestMemory.Region region : memory.regions()) {
            long left = region.guestAddress() + region.size() - start;
            if (start >= region.guestAddress() && left > 0) {
                byte[] bytes = left < buffer.length ? new byte[(int) left] : buffer;
                memory.read(start, bytes);
                return bytes;
            }
        }
        return new byte[0];
    }

    private static WatchException unknown(VirtualMachine machine, String why) {
        return new WatchException(
                "machine " + machine.name() + ": has no Linux kernel that is recognised (" + why + ")",
                machine.status().guestTime().compareTo(FIRMWARE) < 0);
    }

    private static String string(byte[] bytes) {
        int end = 0;
        while (end < bytes.length && bytes[end] != 0) {
            end++;
        }
        return new String(bytes, 0, end, StandardCharsets.US_ASCII);
    }

    /**
     * The tables that the kernel changes its own code by (arch/x86/kernel/alternative.c, __text_poke): those of
     * poking_mm. Which field of struct mm_struct names them depends on the kernel's configuration; in init_mm it is the
     * one that has the address of init_top_pgt.
     */
    private OptionalLong pokingTables() {
        byte[] mm = new byte[256];
        if (!known.containsKey(POKING) || !known.containsKey(INIT_MM) || !space.load(known.get(INIT_MM), mm)) {
            return OptionalLong.empty();
        }
        for (int at = 0; at < mm.length; at += WORD) {
            if (word(mm, at) == known.get(TABLES)) {
                OptionalLong user = space.load(known.get(POKING));
                OptionalLong tables = user.isPresent() ? space.load(user.getAsLong() + at) : user;
                return tables.isPresent() ? space.physical(tables.getAsLong()) : tables;
            }
        }
        return OptionalLong.empty();
    }

    static long word(byte[] bytes, int at) {
        long word = 0;
        for (int n = WORD - 1; n >= 0; n--) {
            word = word << 8 | bytes[at + n] & 0xff;
        }
        return word;
    }

    /** Whether its start is over: before, it patches itself, and memory of its image is given back. */
    boolean started() {
        OptionalLong state = space.load(known.get(STATE) & -WORD);
        long shift = (known.get(STATE) & WORD - 1) * 8;
        return state.isPresent() && (int) (state.getAsLong() >>> shift) >= RUNNING;
    }

    /** What it says it is, such as {@code Linux version 6.1.0-56-cloud-amd64 (...)}. */
    String banner() {
        return banner;
    }

    List<Range> ranges() {
        return List.copyOf(ranges);
    }

    /** The guest-physical address of a byte of the image. */
    long physical(long linear) {
        return linear - distance;
    }

    long linear(long physical) {
        return physical + distance;
    }

    /** Whether a vCPU with this CR3 uses the mapping that the kernel makes to change its own code. */
    boolean pokes(long cr3) {
        return poking.isPresent() && poking.getAsLong() == (cr3 & AddressSpace.PHYSICAL);
    }

    /** A byte of a watched range, as a person would call it. */
    String name(Range range, long linear) {
        long inside = linear - range.start();
        return switch (range.part()) {
            case TEXT -> symbols.symbol(linear).orElse("");
            case IDT -> entry(range, inside, 16);
            case SYSCALLS -> entry(range, inside, 8);
        };
    }

    private static String entry(Range range, long inside, int size) {
        long rest = inside % size;
        return range.name() + "[" + inside / size + "]" + (rest == 0 ? "" : "+" + rest);
    }

    /** Whether a linear address is in the kernel's code. */
    boolean own(long linear) {
        return Long.compareUnsigned(linear, known.get(TEXT)) >= 0
                && Long.compareUnsigned(linear, known.get(TEXT_END)) < 0;
    }

    /** Whose code is at a linear address: the kernel's function, or {@code [module]}; empty if it is neither. */
    String code(long linear) {
        if (own(linear)) {
            return symbols.symbol(linear).orElse("");
        }
        return Optional.ofNullable(known.get(MODULES))
                .flatMap(list -> new GuestModules(space, list).of(linear))
                .map(name -> "[" + name + "]")
                .orElse("");
    }
}
