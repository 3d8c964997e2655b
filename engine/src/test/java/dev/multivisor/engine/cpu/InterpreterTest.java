package dev.multivisor.engine.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class InterpreterTest {
    private final TestCpu guest = new TestCpu();
    private final Cpu cpu = guest.cpu;

    @Test
    void runsLoopsCallsAndTheStack() {
        guest.program("""
                mov $1000, %ecx
                xor %eax, %eax
            1:  push %rcx
                call add
                pop %rcx
                dec %ecx
                jnz 1b
                hlt
            add:
                add 8(%rsp), %rax
                ret
            """).run();
        assertEquals(500500, cpu.r[Cpu.RAX]);
        assertEquals(TestCpu.STACK, cpu.r[Cpu.RSP]);
        assertEquals(2 + 7 * 1000 + 1, cpu.instructions);
    }

    @Test
    void stepsOneInstruction() {
        guest.program("mov $5, %eax; add $3, %rax; mov %rax, 0x200000; hlt");
        guest.interpreter.step();
        assertEquals(5, cpu.r[Cpu.RAX]);
        guest.interpreter.step();
        assertEquals(8, cpu.r[Cpu.RAX]);
        assertEquals(0, guest.memory.load(TestCpu.DATA, 8));
        guest.interpreter.step();
        assertEquals(8, guest.memory.load(TestCpu.DATA, 8));
        assertEquals(3, cpu.instructions);
        assertFalse(cpu.halted);
        guest.interpreter.step();
        assertTrue(cpu.halted);
    }

    @Test
    void selfModifyingCodeTakesEffectAtTheNextInstruction() {
        guest.program("""
                movb $0x2, target+1(%rip)
            target:
                mov $1, %al
                hlt
            """).run();
        assertEquals(2, cpu.r[Cpu.RAX] & 0xff);
        assertEquals(3, cpu.instructions);
    }

    @Test
    void codeWrittenBetweenRunsIsDecodedAgain() {
        guest.program("mov $1, %eax; hlt").run();
        assertEquals(1, cpu.r[Cpu.RAX]);
        guest.program("mov $2, %eax; hlt").run();
        assertEquals(2, cpu.r[Cpu.RAX]);
    }

    @Test
    void anInstructionMayGoOnInTheNextPage() {
        byte[] code = TestCpu.assemble("movabs $0x1122334455667788, %rax; hlt");
        long start = TestCpu.CODE + 0x1000 - 4;
        for (int round = 0; round < 2; round++) {
            guest.memory.write(start, code, 0, code.length);
            cpu.r[Cpu.RIP] = start;
            guest.run();
            assertEquals(0x1122334455667788L - round, cpu.r[Cpu.RAX]);
            code[2]--;
        }
    }

    @Test
    void repeatedStringsLeaveRegistersBehindTheLastElement() {
        guest.memory.store(TestCpu.DATA, 8, 0x0807060504030201L);
        guest.program("""
                mov $0x200000, %esi
                mov $0x200fff, %edi
                mov $5000, %ecx
                rep movsb
                mov $0x210001, %edi
                mov $0x210000, %esi
                movb $0x5a, (%rsi)
                mov $10000, %ecx
                rep movsb
                mov $0x220000, %edi
                mov $0x1234, %eax
                mov $1000, %ecx
                rep stosw
                hlt
            """).run();
        assertEquals(1, guest.memory.load(TestCpu.DATA + 0xfff, 1));
        assertEquals(8, guest.memory.load(TestCpu.DATA + 0xfff + 7, 1));
        assertEquals(0x5a5a5a5a5a5a5a5aL, guest.memory.load(0x210000 + 9993, 8));
        assertEquals(0x5a, guest.memory.load(0x210000 + 10000, 1));
        assertEquals(0, guest.memory.load(0x210000 + 10001, 1));
        assertEquals(0x1234123412341234L, guest.memory.load(0x220000 + 1992, 8));
        assertEquals(0, guest.memory.load(0x220000 + 2000, 8));
        assertEquals(0x220000 + 2000, cpu.r[Cpu.RDI]);
        assertEquals(0, cpu.r[Cpu.RCX]);
        assertEquals(14, cpu.instructions);
    }

    @Test
    void aLongRepetitionReturnsWhenAttentionIsWanted() {
        guest.program("mov $0x7fffffff, %ecx; mov $0x200000, %edi; std; 1: rep lodsb; hlt");
        cpu.r[Cpu.RSI] = 0x200000;
        cpu.interrupt();
        guest.interpreter.run(1000);
        assertEquals(0, cpu.instructions);
        cpu.clearAttention();
        Thread other = Thread.ofVirtual().start(cpu::interrupt);
        guest.interpreter.run(1000);
        assertFalse(cpu.halted);
        other.interrupt();
    }

    @Test
    void conditionsFollowTheFlags() {
        // All conditions after comparing -1, 0, 1 and the smallest number with one another, against Java's.
        long[] values = {-1, 0, 1, Long.MIN_VALUE, Long.MAX_VALUE, 0x80};
        for (long a : values) {
            for (long b : values) {
                Alu.sub(cpu, a, b, 0);
                assertEquals(a == b, cpu.condition(4));
                assertEquals(Long.compareUnsigned(a, b) < 0, cpu.condition(2));
                assertEquals(Long.compareUnsigned(a, b) <= 0, cpu.condition(6));
                assertEquals(a < b, cpu.condition(12));
                assertEquals(a > b, cpu.condition(15));
                assertEquals(a - b < 0, cpu.condition(8));
                assertEquals((Long.bitCount((a - b) & 0xff) & 1) == 0, cpu.condition(10));
                long flags = cpu.flags();
                cpu.setFlags(flags);
                assertEquals(flags, cpu.flags());
            }
        }
    }
}
