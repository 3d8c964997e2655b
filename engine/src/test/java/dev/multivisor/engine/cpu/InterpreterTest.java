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
        guest.program("rep lodsb; hlt");
        cpu.r[Cpu.RCX] = 100_000_000;
        cpu.r[Cpu.RSI] = TestCpu.DATA;
        cpu.systemFlags |= Cpu.DF;
        cpu.r[Cpu.RSI] = TestCpu.DATA + 150_000;
        cpu.interrupt();
        guest.interpreter.run(1000);
        assertEquals(100_000_000, cpu.r[Cpu.RCX]);
        guest.interpreter.step();
        assertEquals(TestCpu.CODE, cpu.r[Cpu.RIP]);
        assertEquals(0, cpu.instructions);
        assertEquals(cpu.r[Cpu.RCX] - 100_000_000, cpu.r[Cpu.RSI] - TestCpu.DATA - 150_000);
        assertTrue(cpu.r[Cpu.RCX] < 100_000_000);
    }

    @Test
    void aFaultInARepetitionCanBeRestarted() {
        guest.program("rep movsl; hlt");
        guest.present(0x600000, false);
        cpu.r[Cpu.RCX] = 100;
        cpu.r[Cpu.RSI] = TestCpu.DATA;
        cpu.r[Cpu.RDI] = 0x600000 - 40 * 4;
        guest.run();
        assertEquals(CpuFault.PF, guest.vector());
        assertEquals(60, cpu.r[Cpu.RCX]);
        assertEquals(0x600000, cpu.r[Cpu.RDI]);
        assertEquals(TestCpu.DATA + 160, cpu.r[Cpu.RSI]);
        assertEquals(0x600000, cpu.cr2);
        assertEquals(TestCpu.CODE, guest.stack(1));
        assertEquals(1 + 1, cpu.instructions); // the exception, and the handler's HLT
        guest.present(0x600000, true);
        cpu.r[Cpu.RIP] = guest.stack(1);
        guest.run();
        assertEquals(0, cpu.r[Cpu.RCX]);
        assertEquals(-1, guest.vector());
    }

    @Test
    void faultsCountWhatWasDoneAndChangeNothing() {
        guest.program("mov $7, %eax; add $1, %eax; add 0x600000, %eax; hlt");
        guest.present(0x600000, false);
        guest.run();
        assertEquals(CpuFault.PF, guest.vector());
        assertEquals(8, cpu.r[Cpu.RAX]);
        assertEquals(2 + 1 + 1, cpu.instructions); // of which one is the exception, one the handler's HLT
        assertEquals(TestCpu.CODE + 8, guest.stack(1));
    }

    @Test
    void trapFlagTrapsAfterEachInstruction() {
        guest.program("pushf; orl $0x100, (%rsp); popf; nop; hlt").run();
        assertEquals(CpuFault.DB, guest.vector());
        assertEquals(Debug.DR6_BS, cpu.dr[6] & Debug.DR6_BS);
        long next = guest.stack(0);
        assertEquals(TestCpu.CODE + 10, next);
        assertEquals(0, cpu.systemFlags & Cpu.TF);
    }

    @Test
    void instructionBreakpointsStopBeforeTheInstruction() {
        guest.program("mov $1, %eax; mov $2, %eax; hlt");
        cpu.dr[1] = TestCpu.CODE + 5;
        cpu.dr[7] = 0x400 | 1 << 2;
        guest.run();
        assertEquals(CpuFault.DB, guest.vector());
        assertEquals(2, cpu.dr[6] & 15);
        assertEquals(1, cpu.r[Cpu.RAX]);
        // RF is the handler's to set (Intel SDM vol. 3, 18.3.1.1). With it the program goes on; after that it is clear.
        assertEquals(0, guest.stack(2) & Cpu.RF);
        cpu.r[Cpu.RIP] = TestCpu.CODE + 5;
        cpu.systemFlags |= Cpu.RF;
        guest.run();
        assertEquals(2, cpu.r[Cpu.RAX]);
        assertEquals(-1, guest.vector());
        assertEquals(0, cpu.systemFlags & Cpu.RF);
    }

    @Test
    void runNeverReturnsInAnInterruptShadow() {
        guest.program("sti; nop; hlt");
        cpu.interrupt();
        guest.interpreter.run(1);
        assertEquals(0, cpu.instructions);
        cpu.clearAttention();
        guest.interpreter.run(1);
        assertFalse(cpu.interruptShadow);
        assertEquals(2, cpu.instructions);
    }

    @Test
    void anotherCpuSeesModifiedCode() throws InterruptedException {
        // The second one spins on a branch to itself, until the first has overwritten it.
        guest.program("1: jmp 1b; nop; mov $5, %ebx; hlt");
        Cpu second = guest.addCpu(1);
        Interpreter other = new Interpreter(second, guest.pages, TestCompiler.CHOSEN, true, AheadCode.NONE);
        Thread thread = Thread.ofPlatform().start(() -> {
            while (!second.halted) {
                second.clearAttention();
                other.run(1_000_000);
            }
        });
        byte[] writer = TestCpu.assemble("movw $0x9090, 0x100000; hlt");
        guest.memory.write(0x180000, writer, 0, writer.length);
        cpu.r[Cpu.RIP] = 0x180000;
        guest.run();
        thread.join(20_000);
        assertTrue(second.halted);
        assertEquals(5, second.r[Cpu.RBX]);
    }

    @Test
    void lockedAdditionsOfTwoCpusAreAllCounted() throws InterruptedException {
        guest.program("""
                mov $200000, %ecx
            1:  lock incq 0x200000
                lock addw $1, 0x200013
                mov $1, %eax
                lock xadd %eax, 0x200020
                dec %ecx
                jnz 1b
                hlt
            """);
        Cpu second = guest.addCpu(1);
        Interpreter other = new Interpreter(second, guest.pages, TestCompiler.CHOSEN, true, AheadCode.NONE);
        Thread thread = Thread.ofPlatform().start(() -> {
            while (!second.halted) {
                second.clearAttention();
                other.run(1_000_000);
            }
        });
        guest.run();
        thread.join(20_000);
        assertEquals(400_000, guest.memory.load(TestCpu.DATA, 8));
        assertEquals(400_000 & 0xffff, guest.memory.load(TestCpu.DATA + 0x13, 2));
        assertEquals(400_000, guest.memory.load(TestCpu.DATA + 0x20, 4));
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
