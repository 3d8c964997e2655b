package dev.multivisor.engine.cpu;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Guest instructions per second, to be run by hand with the launcher's JVM flags. Without arguments, small loops; with
 * a static ELF program linked at 4 MiB, that one: it reports by OUT to port 0xe9 with RSI at the name of what it did.
 */
final class InterpreterBench {
    private static final PrintStream OUT = System.out;

    private static final String[][] LOOPS = {
        {"alu", """
            mov $20000000, %ecx; 1: add %rax, %rbx; xor %rbx, %rdx; lea 3(%rax,%rdx,2), %rax; dec %ecx; jnz 1b; hlt"""},
        {"crc", """
            mov $30, %ebx
            2: mov $0x200000, %esi; mov $0x80000, %ecx
            1: movzbl (%rsi), %edx; xor %al, %dl; movzbl %dl, %edx; shr $8, %eax; xor 0x180000(,%rdx,4), %eax
            inc %rsi; dec %ecx; jnz 1b; dec %ebx; jnz 2b; hlt"""},
        {"copy", """
            mov $40, %ebx
            2: mov $0x200000, %esi; mov $0x80000, %ecx
            1: mov (%rsi), %rax; add $8, %rsi; mov %rax, -16(%rsi); cmp $0x600000, %rsi; dec %ecx; jnz 1b
            dec %ebx; jnz 2b; hlt"""},
        {"calls", """
            mov $5000000, %ebx
            1: call 2f; dec %ebx; jnz 1b; hlt
            2: push %rbp; mov %rsp, %rbp; call 3f; leave; ret
            3: push %rbx; mov 8(%rsp), %rax; pop %rbx; ret"""},
    };

    private InterpreterBench() {}

    public static void main(String[] arguments) throws IOException {
        if (arguments.length > 0) {
            program(Path.of(arguments[0]));
            return;
        }
        for (int round = 0; round < 3; round++) {
            for (String[] loop : LOOPS) {
                TestCpu guest = new TestCpu().program(loop[1]);
                long start = System.nanoTime();
                guest.run();
                report(loop[0], guest.cpu.instructions, System.nanoTime() - start);
            }
        }
    }

    private static void report(String name, long instructions, long nanoseconds) {
        OUT.printf("%-10s %8.3f s %8.1f MIPS%n", name, nanoseconds * 1e-9, instructions * 1e3 / nanoseconds);
    }

    private static void program(Path program) throws IOException {
        Reporter reporter = new Reporter();
        TestCpu guest = new TestCpu(128 << 20, reporter);
        reporter.cpu = guest.cpu;
        ByteBuffer elf = ByteBuffer.wrap(Files.readAllBytes(program)).order(ByteOrder.LITTLE_ENDIAN);
        int header = (int) elf.getLong(32);
        for (int n = 0; n < elf.getShort(56); n++, header += 56) {
            if (elf.getInt(header) == 1) {
                int length = (int) elf.getLong(header + 32);
                guest.memory.write(elf.getLong(header + 16), elf.array(), (int) elf.getLong(header + 8), length);
            }
        }
        guest.cpu.r[Cpu.RIP] = elf.getLong(24);
        while (!guest.cpu.halted) {
            guest.cpu.clearAttention();
            guest.interpreter.run(1 << 20);
            if (guest.cpu.shutdown) {
                throw new IllegalStateException("shut down at " + Long.toHexString(guest.cpu.r[Cpu.RIP]));
            }
        }
    }

    private static final class Reporter extends TestPlatform {
        private Cpu cpu;
        private long instructions;
        private long time = System.nanoTime();

        @Override
        public void out(int port, int size, int value) {
            StringBuilder name = new StringBuilder();
            for (long at = cpu.r[Cpu.RSI]; at >= 0x400000 && cpu.mmu.load8(at) != 0; at++) {
                name.append((char) cpu.mmu.load8(at));
            }
            long now = System.nanoTime();
            report(name.toString(), cpu.instructions - instructions, now - time);
            instructions = cpu.instructions;
            time = now;
        }
    }
}
