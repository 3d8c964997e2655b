package dev.multivisor.engine.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Intel SDM vol. 3, 7.3. */
class TaskSwitchTest {
    private final FlatGuest guest = FlatGuest.protectedMode();
    private final Cpu cpu = guest.cpu;

    @BeforeEach
    void writeSecondTask() {
        put(0x20, 0x7000);
        put(0x24, 2 | Cpu.CF);
        put(0x28, 0xaaaa);
        put(0x38, 0x8000);
        int[] selectors = {
            FlatGuest.DATA0, FlatGuest.CODE0, FlatGuest.DATA0, FlatGuest.DATA0, 0, 0, FlatGuest.LDT_SELECTOR
        };
        for (int n = 0; n < selectors.length; n++) {
            put(0x48 + 4 * n, selectors[n]);
        }
        put(0x64, 0x680000);
    }

    private void put(int offset, int value) {
        guest.memory.store(FlatGuest.TSS2 + offset, 4, value & 0xffffffffL);
    }

    private int type(int selector) {
        return (int) guest.memory.load(FlatGuest.GDT + selector + 5, 1) & 15;
    }

    @Test
    void jump() {
        cpu.r[Cpu.RBX] = 0xbbbb;
        guest.step(0xea, 0, 0, 0, 0, FlatGuest.TASK2, 0);
        assertEquals(0x7000, cpu.r[Cpu.RIP]);
        assertEquals(0xaaaa, cpu.r[Cpu.RAX]);
        assertEquals(0, cpu.r[Cpu.RBX]);
        assertEquals(0x8000, cpu.r[Cpu.RSP]);
        assertEquals(2 | Cpu.CF, cpu.flags());
        assertEquals(FlatGuest.TASK2, cpu.selector[Cpu.TR]);
        assertEquals(FlatGuest.LDT, cpu.segmentBase[Cpu.LDTR]);
        assertTrue((cpu.cr0 & Cpu.CR0_TS) != 0);
        assertEquals(9, type(FlatGuest.TASK));
        assertEquals(11, type(FlatGuest.TASK2));
        assertEquals(FlatGuest.CODE + 7, guest.memory.load(FlatGuest.TSS + 0x20, 4));
        assertEquals(0xbbbb, guest.memory.load(FlatGuest.TSS + 0x34, 4));
    }

    @Test
    void callNestsAndReturnComesBack() {
        guest.step(0x9a, 0, 0, 0, 0, FlatGuest.TASK2, 0);
        assertEquals(2 | Cpu.CF | Cpu.NT, cpu.flags());
        assertEquals(FlatGuest.TASK, guest.memory.load(FlatGuest.TSS2, 2));
        assertEquals(11, type(FlatGuest.TASK));
        cpu.r[Cpu.RCX] = 0xcccc;
        guest.step(0xcf);
        assertEquals(FlatGuest.TASK, cpu.selector[Cpu.TR]);
        assertEquals(FlatGuest.CODE + 7, cpu.r[Cpu.RIP]);
        assertEquals(FlatGuest.STACK0, cpu.r[Cpu.RSP]);
        assertEquals(9, type(FlatGuest.TASK2));
        assertEquals(0x7001, guest.memory.load(FlatGuest.TSS2 + 0x20, 4));
        assertEquals(0xcccc, guest.memory.load(FlatGuest.TSS2 + 0x2c, 4));
        assertEquals(2, cpu.flags());
    }

    @Test
    void doubleFaultThroughATaskGate() {
        guest.gate(CpuFault.DF, FlatGuest.TASK2, 0, 5, 0);
        cpu.r[Cpu.RSP] = 0;
        cpu.segmentLimit[Cpu.SS] = 0xfff;
        guest.gate(CpuFault.GP, FlatGuest.CODE0, 0x7100, 14, 0);
        Exceptions.deliver(cpu, cpu.fault(CpuFault.GP, 0));
        assertEquals(FlatGuest.TASK2, cpu.selector[Cpu.TR]);
        assertEquals(0x7000, cpu.r[Cpu.RIP]);
        assertEquals(0x8000 - 4, cpu.r[Cpu.RSP]);
        assertEquals(0, guest.stack(0, 4));
        assertEquals(FlatGuest.CODE, guest.memory.load(FlatGuest.TSS + 0x20, 4));
    }

    @Test
    void busyTaskIsRefused() {
        guest.descriptor(FlatGuest.TASK2, FlatGuest.TSS2, 0x67, 0x8b);
        CpuFault fault = assertThrows(CpuFault.class, () -> guest.execute(0xea, 0, 0, 0, 0, FlatGuest.TASK2, 0));
        assertEquals(CpuFault.GP, fault.vector);
        assertEquals(FlatGuest.TASK2, fault.errorCode);
    }

    @Test
    void badSegmentFaultsInTheNewTask() {
        put(0x54, FlatGuest.ABSENT); // DS
        CpuFault fault = assertThrows(CpuFault.class, () -> guest.execute(0xea, 0, 0, 0, 0, FlatGuest.TASK2, 0));
        assertEquals(CpuFault.NP, fault.vector);
        assertEquals(FlatGuest.ABSENT, fault.errorCode);
        assertEquals(0x7000, cpu.r[Cpu.RIP]);
        assertEquals(FlatGuest.TASK2, cpu.selector[Cpu.TR]);
    }

    @Test
    void trapBit() {
        put(0x64, 0x680001);
        guest.gate(CpuFault.DB, FlatGuest.CODE0, 0x7200, 14, 0);
        guest.step(0xea, 0, 0, 0, 0, FlatGuest.TASK2, 0);
        assertEquals(0x7200, cpu.r[Cpu.RIP]);
        assertEquals(0x7000, guest.stack(0, 4));
        assertEquals(Debug.DR6_BT, cpu.dr[6] & Debug.DR6_BT);
    }

    @Test
    void sixteenBitTask() {
        guest.descriptor(FlatGuest.TASK2, FlatGuest.TSS2, 0x2b, 0x81);
        int[] words = {
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0x7000,
            2,
            1,
            2,
            3,
            4,
            0x8000,
            6,
            7,
            8,
            FlatGuest.DATA0,
            FlatGuest.CODE0,
            FlatGuest.DATA0,
            FlatGuest.DATA0,
            0
        };
        for (int n = 0; n < words.length; n++) {
            guest.memory.store(FlatGuest.TSS2 + 2 * n, 2, words[n]);
        }
        guest.step(0xea, 0, 0, 0, 0, FlatGuest.TASK2, 0);
        assertEquals(0x7000, cpu.r[Cpu.RIP]);
        assertEquals(1, cpu.r[Cpu.RAX] & 0xffff);
        assertEquals(0x8000, cpu.r[Cpu.RSP] & 0xffff);
        assertEquals(0, cpu.segmentAccess[Cpu.FS]);
    }
}
