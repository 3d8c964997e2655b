package dev.multivisor.engine.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

/** Intel SDM vol. 3, 5.5 to 5.7 and 5.10. */
class SegmentInstructionsTest {
    private static final int MOV_DS = 0xd8, MOV_SS = 0xd0, MOV_FS = 0xe0;

    private static void load(FlatGuest guest, int register, int selector) {
        guest.cpu.r[Cpu.RAX] = selector;
        guest.execute(0x8e, register);
    }

    private static void refuse(FlatGuest guest, int vector, int register, int selector) {
        guest.cpu.r[Cpu.RAX] = selector;
        CpuFault fault = assertThrows(CpuFault.class, () -> guest.execute(0x8e, register));
        assertEquals(vector, fault.vector);
        assertEquals(selector & 0xfffc, fault.errorCode);
    }

    @Test
    void dataSegments() {
        FlatGuest guest = FlatGuest.protectedMode();
        guest.descriptor(FlatGuest.DATA1, 0x12345000, 0x1234, 0x0092);
        load(guest, MOV_DS, FlatGuest.DATA1);
        assertEquals(0x12345000, guest.cpu.segmentBase[Cpu.DS]);
        assertEquals(0x1234, guest.cpu.segmentLimit[Cpu.DS]);
        assertEquals(0x93, guest.cpu.segmentAccess[Cpu.DS]);
        assertEquals(0x93, guest.memory.load(FlatGuest.GDT + FlatGuest.DATA1 + 5, 1));
        load(guest, MOV_DS, 3);
        assertEquals(0, guest.cpu.segmentAccess[Cpu.DS]);
        refuse(guest, CpuFault.GP, MOV_DS, 0x100); // beyond the table
        refuse(guest, CpuFault.GP, MOV_DS, FlatGuest.TASK);
        refuse(guest, CpuFault.NP, MOV_DS, FlatGuest.ABSENT);
        guest.enter(FlatGuest.CODE3, FlatGuest.DATA3, 3);
        refuse(guest, CpuFault.GP, MOV_DS, FlatGuest.DATA0);
        load(guest, MOV_DS, FlatGuest.CONFORMING | 3);
    }

    @Test
    void stackSegment() {
        FlatGuest guest = FlatGuest.protectedMode();
        load(guest, MOV_SS, FlatGuest.DATA0);
        assertTrue(guest.cpu.interruptShadow);
        refuse(guest, CpuFault.GP, MOV_SS, 0);
        refuse(guest, CpuFault.GP, MOV_SS, FlatGuest.CODE0);
        refuse(guest, CpuFault.GP, MOV_SS, FlatGuest.DATA3);
        refuse(guest, CpuFault.SS, MOV_SS, FlatGuest.ABSENT);
        FlatGuest wide = FlatGuest.longMode();
        load(wide, MOV_SS, 0);
        refuse(FlatGuest.userMode(), CpuFault.GP, MOV_SS, 3);
    }

    @Test
    void nullSelectorClearsTheBaseInLongMode() {
        FlatGuest guest = FlatGuest.longMode();
        guest.cpu.segmentBase[Cpu.FS] = 0x1234;
        load(guest, MOV_FS, 0);
        assertEquals(0, guest.cpu.segmentBase[Cpu.FS]);
    }

    @Test
    void realModeKeepsTheLimit() {
        FlatGuest guest = new FlatGuest();
        guest.cpu.segmentLimit[Cpu.DS] = -1;
        load(guest, MOV_DS, 0x1234);
        assertEquals(0x12340, guest.cpu.segmentBase[Cpu.DS]);
        assertEquals(-1, guest.cpu.segmentLimit[Cpu.DS]);
    }

    @Test
    void localTableAndTask() {
        FlatGuest guest = FlatGuest.protectedMode();
        guest.cpu.r[Cpu.RAX] = FlatGuest.LDT_SELECTOR;
        guest.execute(0x0f, 0x00, 0xd0);
        assertEquals(FlatGuest.LDT, guest.cpu.segmentBase[Cpu.LDTR]);
        guest.memory.store(FlatGuest.LDT + 8, 8, 0x00cf93000000ffffL);
        load(guest, MOV_DS, 12);
        refuse(guest, CpuFault.GP, MOV_DS, 0x104);
        guest.cpu.r[Cpu.RAX] = FlatGuest.TASK2;
        guest.execute(0x0f, 0x00, 0xd8);
        assertEquals(0x8b, guest.memory.load(FlatGuest.GDT + FlatGuest.TASK2 + 5, 1));
        CpuFault fault = assertThrows(CpuFault.class, () -> guest.execute(0x0f, 0x00, 0xd8)); // busy
        assertEquals(FlatGuest.TASK2, fault.errorCode);
    }

    @Test
    void taskRegisterHasSixteenBytesInLongMode() {
        FlatGuest guest = FlatGuest.longMode();
        guest.memory.store(FlatGuest.GDT + FlatGuest.TASK2 + 8, 8, 0xffff8000L);
        guest.cpu.r[Cpu.RAX] = FlatGuest.TASK2;
        guest.execute(0x0f, 0x00, 0xd8);
        assertEquals(0xffff800000005000L, guest.cpu.segmentBase[Cpu.TR]);
    }

    @Test
    void lookingAtDescriptors() {
        FlatGuest guest = FlatGuest.protectedMode();
        Cpu cpu = guest.cpu;
        cpu.r[Cpu.RAX] = FlatGuest.CODE0;
        guest.execute(0x0f, 0x02, 0xd8); // LAR EBX, EAX
        assertTrue(cpu.zf());
        assertEquals(0x00cf9b00, cpu.r[Cpu.RBX]);
        guest.execute(0x0f, 0x03, 0xd8); // LSL
        assertEquals(0xffffffffL, cpu.r[Cpu.RBX]);
        guest.execute(0x0f, 0x00, 0xe8); // VERW
        assertFalse(cpu.zf());
        guest.execute(0x0f, 0x00, 0xe0); // VERR
        assertTrue(cpu.zf());
        guest.enter(FlatGuest.CODE3, FlatGuest.DATA3, 3);
        guest.execute(0x0f, 0x02, 0xd8);
        assertFalse(cpu.zf());
        assertEquals(0xffffffffL, cpu.r[Cpu.RBX]);
        cpu.r[Cpu.RAX] = 0x40;
        cpu.r[Cpu.RBX] = 3;
        guest.execute(0x63, 0xd8); // ARPL AX, BX
        assertTrue(cpu.zf());
        assertEquals(0x43, cpu.r[Cpu.RAX]);
    }

    @Test
    void farPointer() {
        FlatGuest guest = FlatGuest.protectedMode();
        guest.memory.store(0x300, 4, 0xdeadbeefL);
        guest.memory.store(0x304, 2, FlatGuest.DATA0);
        guest.cpu.r[Cpu.RAX] = 0x300;
        guest.execute(0x0f, 0xb5, 0x18); // LGS EBX, [EAX]
        assertEquals(0xdeadbeefL, guest.cpu.r[Cpu.RBX]);
        assertEquals(FlatGuest.DATA0, guest.cpu.selector[Cpu.GS]);
    }
}
