package dev.multivisor.engine.cpu;

import dev.multivisor.api.GuestMemory;
import dev.multivisor.engine.mmu.Mmu;
import dev.multivisor.engine.mmu.PhysicalMemory;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;

/** A vCPU with some memory in 64-bit mode, addresses mapped one to one, and programs given as assembly or bytes. */
final class TestCpu {
    static final long SIZE = 16 << 20, CODE = 0x100000, DATA = 0x200000, STACK = 0x300000;
    static final long HANDLERS = 0x30000;
    private static final long TABLES = 0x10000, GDT = 0x20000, IDT = 0x21000;

    final PhysicalMemory memory;
    final CodePages pages;
    final Cpu cpu;
    final Platform platform;
    final Interpreter interpreter;

    TestCpu() {
        this(SIZE, new TestPlatform());
    }

    TestCpu(CodeCompiler compiler) {
        this(compiler, AheadCode.NONE);
    }

    TestCpu(CodeCompiler compiler, AheadCode ahead) {
        this(SIZE, new TestPlatform(), compiler, ahead);
    }

    TestCpu(long size, Platform platform) {
        this(size, platform, TestCompiler.CHOSEN, AheadCode.NONE);
    }

    private TestCpu(long size, Platform platform, CodeCompiler compiler, AheadCode ahead) {
        this.platform = platform;
        MemorySegment bytes = Arena.ofAuto().allocate(size, 4096);
        memory = new PhysicalMemory(new Memory(bytes, List.of(new GuestMemory.Region(0, 0, size))));
        pages = new CodePages(memory);
        memory.store(TABLES, 8, TABLES + 0x1000 | 7);
        memory.store(TABLES + 0x1000, 8, TABLES + 0x2000 | 7);
        for (int n = 0; n < 512; n++) {
            memory.store(TABLES + 0x2000 + 8 * n, 8, (long) n << 21 | 0x87);
        }
        memory.store(GDT + 8, 8, 0x00af9b000000ffffL);
        memory.store(GDT + 16, 8, 0x00cf93000000ffffL);
        for (int vector = 0; vector < 32; vector++) {
            long handler = HANDLERS + 16 * vector;
            memory.store(IDT + 16 * vector, 8, handler & 0xffff | 8 << 16 | 0x8e00L << 32 | (handler >>> 16) << 48);
            memory.store(handler, 1, 0xf4);
        }
        cpu = addCpu(0);
        interpreter = new Interpreter(cpu, pages, compiler, false, ahead);
    }

    /** Another vCPU of the same machine in the same state. */
    Cpu addCpu(int number) {
        Cpu more = new Cpu(number, new Mmu(memory), platform);
        more.cr0 = Cpu.CR0_PE | Cpu.CR0_PG | Cpu.CR0_ET | Cpu.CR0_NE;
        more.cr3 = TABLES;
        more.cr4 = Cpu.CR4_PAE | Cpu.CR4_OSFXSR;
        more.efer = Cpu.EFER_LME | Cpu.EFER_LMA;
        more.gdtrBase = GDT;
        more.gdtrLimit = 23;
        more.idtrBase = IDT;
        more.idtrLimit = 32 * 16 - 1;
        more.selector[Cpu.CS] = 8;
        more.selector[Cpu.SS] = 16;
        more.segmentAccess[Cpu.CS] = 0xa09b;
        more.segmentAccess[Cpu.SS] = 0xc093;
        more.updateMode();
        more.r[Cpu.RIP] = CODE;
        more.r[Cpu.RSP] = STACK;
        return more;
    }

    /** Puts a program at {@link #CODE} and points RIP to it. */
    TestCpu program(String assembly) {
        return program(assemble(assembly));
    }

    TestCpu program(byte[] bytes) {
        memory.write(CODE, bytes, 0, bytes.length);
        cpu.r[Cpu.RIP] = CODE;
        return this;
    }

    /** Runs until HLT, or fails after many instructions. */
    TestCpu run() {
        cpu.halted = false;
        while (!cpu.halted) {
            cpu.clearAttention();
            interpreter.run(100_000_000);
            if (cpu.instructions > 2_000_000_000L || cpu.shutdown) {
                throw new AssertionError("no end at " + Long.toHexString(cpu.r[Cpu.RIP]));
            }
        }
        return this;
    }

    /** Maps a 2 MiB page to another one's memory. */
    void map(long address, long physical) {
        enter(address, physical & -1L << 21 | 0x87);
    }

    private void enter(long address, long entry) {
        memory.store(TABLES + 0x2000 + 8 * (address >>> 21), 8, entry);
        cpu.mmu.flushAll();
    }

    /** The exception whose handler has halted, or -1. */
    int vector() {
        long handler = cpu.r[Cpu.RIP] - 1 - HANDLERS;
        return handler >= 0 && handler < 32 * 16 && (handler & 15) == 0 ? (int) handler >>> 4 : -1;
    }

    /** The value on the stack some quadwords above the top. */
    long stack(int quadwords) {
        return memory.load(cpu.r[Cpu.RSP] + 8L * quadwords, 8);
    }

    /** Makes a 2 MiB page present or not. */
    void present(long address, boolean present) {
        enter(address, present ? address & -1L << 21 | 0x87 : 0);
    }

    /** Machine code of some assembly in AT&T syntax, which starts at {@link #CODE}. */
    static byte[] assemble(String assembly) {
        try {
            Path folder = Files.createTempDirectory("multivisor-as");
            try {
                Path source = Files.writeString(folder.resolve("a.s"), assembly + "\n");
                Path object = folder.resolve("a.o");
                Path linked = folder.resolve("a.elf");
                Path binary = folder.resolve("a.bin");
                execute("as", "--64", "-o", object.toString(), source.toString());
                String start = "-Ttext=" + Long.toHexString(CODE);
                execute("ld", start, "-e", "0", "-o", linked.toString(), object.toString());
                execute("objcopy", "-O", "binary", "-j", ".text", linked.toString(), binary.toString());
                return Files.readAllBytes(binary);
            } finally {
                try (var files = Files.list(folder)) {
                    for (Path file : files.toList()) {
                        Files.delete(file);
                    }
                }
                Files.delete(folder);
            }
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private static void execute(String... command) throws IOException {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes());
        try {
            if (process.waitFor() != 0) {
                throw new AssertionError(String.join(" ", command) + ": " + output);
            }
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    static byte[] hex(String bytes) {
        return HexFormat.of().parseHex(bytes.replace(" ", ""));
    }

    private record Memory(MemorySegment bytes, List<GuestMemory.Region> regions) implements GuestMemory {}
}
