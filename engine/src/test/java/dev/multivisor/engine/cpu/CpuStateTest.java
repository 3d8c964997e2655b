package dev.multivisor.engine.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.multivisor.api.EngineException;
import dev.multivisor.engine.machine.StateTravel;
import dev.multivisor.engine.mmu.Mmu;
import java.util.Random;
import org.junit.jupiter.api.Test;

class CpuStateTest {
    private static Cpu scrambled(long seed) {
        Random random = new Random(seed);
        Cpu cpu = FlatGuest.longMode().cpu;
        cpu.dr[7] = 0x455;
        cpu.lstar = random.nextLong() >> 16;
        for (int n = 0; n < 16; n++) {
            cpu.r[n] = random.nextLong();
        }
        for (int n = 0; n < 32; n++) {
            cpu.xmm[n] = random.nextLong();
        }
        for (int n = 0; n < 8; n++) {
            cpu.stSignificand[n] = random.nextLong();
            cpu.stExponent[n] = random.nextInt(1 << 16);
        }
        cpu.setFlags(random.nextLong() & (Cpu.ARITHMETIC | Cpu.IF | Cpu.DF | Cpu.AC | Cpu.ID) | 2);
        cpu.star = random.nextLong();
        cpu.msrs.tscAdjust = random.nextLong();
        cpu.msrs.mtrrFixed[10] = random.nextLong();
        cpu.fpuTags = random.nextInt(256);
        cpu.nmiBlocked = true;
        cpu.halted = true;
        cpu.instructions = 12345;
        return cpu;
    }

    @Test
    void restoredStateIsTheSameBytes() {
        for (int seed = 0; seed < 50; seed++) {
            byte[] saved = StateTravel.write(CpuState.save(scrambled(seed)));
            Cpu copy = new FlatGuest().cpu;
            StateTravel.read(saved, CpuState.class).restore(copy);
            assertArrayEquals(saved, StateTravel.write(CpuState.save(copy)));
            assertEquals(64, copy.codeSize);
        }
    }

    @Test
    void badFieldsAreNamed() {
        Cpu cpu = scrambled(1);
        cpu.cr4 |= 1 << 30;
        CpuState state = CpuState.save(cpu);
        Cpu target = new FlatGuest().cpu;
        EngineException e = assertThrows(EngineException.class, () -> state.restore(target));
        assertTrue(e.getMessage().contains("control.cr4"), e.getMessage());
        assertEquals(0xfff0, target.r[Cpu.RIP], "nothing was changed");
        cpu.cr4 &= ~(1L << 30);
        CpuState good = CpuState.save(cpu);
        CpuState cut = new CpuState(
                0, good.general(), good.segments(), good.control(), good.fpu(), null, good.msrs(), good.run());
        e = assertThrows(EngineException.class, () -> cut.restore(target));
        assertEquals("vCPU state: sse is missing", e.getMessage());
        cpu.cr4 = 0;
        e = assertThrows(EngineException.class, () -> CpuState.save(cpu).restore(target));
        assertTrue(e.getMessage().contains("control.cr4"), e.getMessage());
    }

    @Test
    void resetAndStartUp() {
        Cpu cpu = scrambled(2);
        CpuReset.powerOn(cpu);
        assertArrayEquals(StateTravel.write(CpuState.save(new FlatGuest().cpu)), StateTravel.write(CpuState.save(cpu)));
        assertEquals(0xfffffff0L, cpu.segmentBase[Cpu.CS] + cpu.r[Cpu.RIP]);
        Cpu second = new Cpu(1, new Mmu(cpu.mmu.memory()), cpu.platform);
        CpuReset.powerOn(second);
        assertTrue(second.waitForSipi);
        CpuReset.startUp(second, 0x9a);
        assertEquals(0x9a000, second.segmentBase[Cpu.CS] + second.r[Cpu.RIP]);
        assertEquals(0x9a00, second.selector[Cpu.CS]);
        second.star = 5;
        second.xmm[3] = 7;
        CpuReset.init(second);
        assertEquals(5, second.star);
        assertEquals(7, second.xmm[3]);
    }
}
