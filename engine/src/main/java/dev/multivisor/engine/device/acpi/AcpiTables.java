package dev.multivisor.engine.device.acpi;

import dev.multivisor.engine.device.i8042.ResetControl;
import dev.multivisor.engine.device.ioapic.IoApic;
import dev.multivisor.engine.device.irq.InterruptRouter;
import dev.multivisor.engine.device.lapic.LocalApics;
import dev.multivisor.engine.device.pci.PciBus;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/**
 * The tables by which a guest finds the board (ACPI specification 6.5, section 5.2): RSDP, XSDT, FADT, FACS, MADT,
 * MCFG and DSDT. Full ACPI rather than the hardware-reduced kind, with which Linux would set up neither PIC nor PIT.
 */
public final class AcpiTables {
    /** The I/O APIC's identification. */
    public static final int IO_APIC_ID = 0;

    private static final int HEADER = 36;
    private static final int RSDP_SIZE = 36;
    private static final int FACS_SIZE = 64;
    private static final int FADT_SIZE = 276;

    // FADT, table 5.9: bits of IAPC_BOOT_ARCH and the fixed feature flags.
    private static final int BOOT_LEGACY_DEVICES = 1;
    private static final int BOOT_NO_VGA = 1 << 2;
    private static final int FLAG_WBINVD = 1;
    private static final int FLAG_PROC_C1 = 1 << 2;
    private static final int FLAG_NO_SLEEP_BUTTON = 1 << 5;
    private static final int FLAG_NO_FIXED_RTC = 1 << 6;
    private static final int FLAG_TIMER_32_BITS = 1 << 8;
    private static final int FLAG_RESET_REGISTER = 1 << 10;

    /** Active high and level-triggered, in an MPS INTI flags field. */
    private static final int LEVEL_HIGH = 0xd;

    private final long base;
    private final ByteBuffer out = ByteBuffer.allocate(0x10000).order(ByteOrder.LITTLE_ENDIAN);

    private AcpiTables(long base) {
        this.base = base;
    }

    /**
     * Builds them.
     *
     * @param address where the bytes are to be put in guest memory, below 4 GiB and a multiple of 64; the RSDP is at
     *     their beginning
     * @param generation whether the machine has a VM generation ID
     */
    public static byte[] build(long address, int cpus, boolean generation) {
        return new AcpiTables(address).build(cpus, generation);
    }

    private byte[] build(int cpus, boolean generation) {
        out.position(RSDP_SIZE);
        align(64);
        final long facs = here();
        facs();
        final long dsdt = table("DSDT", 2, Dsdt.content(cpus, generation));
        final long fadt = table("FACP", 6, fadt(facs, dsdt));
        final long madt = table("APIC", 5, madt(cpus));
        final long mcfg = table("MCFG", 1, mcfg());
        ByteBuffer pointers = body(24).putLong(fadt).putLong(madt).putLong(mcfg);
        rsdp(table("XSDT", 1, pointers.array()));
        byte[] result = new byte[out.position()];
        out.get(0, result);
        return result;
    }

    private static ByteBuffer body(int size) {
        return ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
    }

    private long here() {
        return base + out.position();
    }

    private void align(int size) {
        out.position(out.position() + size - 1 & -size);
    }

    private static byte[] ascii(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }

    private void checksum(int start, int length, int at) {
        byte sum = 0;
        for (int i = 0; i < length; i++) {
            sum += out.get(start + i);
        }
        out.put(at, (byte) (out.get(at) - sum));
    }

    /** Appends a table with its header (section 5.2.6) and returns its address. */
    private long table(String signature, int revision, byte[] content) {
        align(16);
        final int start = out.position();
        out.put(ascii(signature))
                .putInt(HEADER + content.length)
                .put((byte) revision)
                .put((byte) 0);
        out.put(ascii("MLTVSR"))
                .put(ascii("MULTIVSR"))
                .putInt(1)
                .put(ascii("MLTV"))
                .putInt(1);
        out.put(content);
        checksum(start, HEADER + content.length, start + 9);
        return base + start;
    }

    private void rsdp(long xsdt) {
        out.put(0, ascii("RSD PTR ")).put(9, ascii("MLTVSR")).put(15, (byte) 2);
        out.putInt(20, RSDP_SIZE).putLong(24, xsdt);
        checksum(0, 20, 8);
        checksum(0, RSDP_SIZE, 32);
    }

    private void facs() {
        int start = out.position();
        out.put(ascii("FACS")).putInt(FACS_SIZE);
        out.put(start + 32, (byte) 2);
        out.position(start + FACS_SIZE);
    }

    /** Generic address of a port (section 5.2.3.2). */
    private static void port(ByteBuffer table, int offset, int port, int bytes, int accessSize) {
        int at = offset - HEADER;
        table.put(at, (byte) 1)
                .put(at + 1, (byte) (bytes * 8))
                .put(at + 3, (byte) accessSize)
                .putLong(at + 4, port);
    }

    /** Section 5.2.9; offsets are those of the specification. */
    private static byte[] fadt(long facs, long dsdt) {
        ByteBuffer t = body(FADT_SIZE - HEADER);
        t.putInt(36 - HEADER, (int) facs);
        t.putInt(40 - HEADER, (int) dsdt);
        t.putShort(46 - HEADER, (short) AcpiPm.SCI);
        t.putInt(56 - HEADER, AcpiPm.EVENT_PORT);
        t.putInt(64 - HEADER, AcpiPm.CONTROL_PORT);
        t.putInt(76 - HEADER, AcpiPm.TIMER_PORT);
        t.putInt(80 - HEADER, AcpiPm.GPE_PORT);
        t.put(88 - HEADER, (byte) 4)
                .put(89 - HEADER, (byte) 2)
                .put(91 - HEADER, (byte) 4)
                .put(92 - HEADER, (byte) 4);
        // No C2 and no C3.
        t.putShort(96 - HEADER, (short) 0xfff);
        t.putShort(98 - HEADER, (short) 0xfff);
        t.put(108 - HEADER, (byte) 0x32);
        t.putShort(109 - HEADER, (short) (BOOT_LEGACY_DEVICES | BOOT_NO_VGA));
        t.putInt(
                112 - HEADER,
                FLAG_WBINVD
                        | FLAG_PROC_C1
                        | FLAG_NO_SLEEP_BUTTON
                        | FLAG_NO_FIXED_RTC
                        | FLAG_TIMER_32_BITS
                        | FLAG_RESET_REGISTER);
        port(t, 116, ResetControl.RESET_PORT, 1, 1);
        t.put(128 - HEADER, (byte) ResetControl.RESET_VALUE);
        t.put(131 - HEADER, (byte) 5);
        t.putLong(140 - HEADER, dsdt);
        port(t, 148, AcpiPm.EVENT_PORT, 4, 2);
        port(t, 172, AcpiPm.CONTROL_PORT, 2, 2);
        port(t, 208, AcpiPm.TIMER_PORT, 4, 3);
        port(t, 220, AcpiPm.GPE_PORT, 4, 1);
        t.put(268 - HEADER, ascii("MLTVSR"));
        return t.array();
    }

    /** Section 5.2.12. */
    private static byte[] madt(int cpus) {
        ByteBuffer t = body(8 + 8 * cpus + 12 + 10 + 10 + 6);
        // Flags: there are 8259s too.
        t.putInt((int) LocalApics.ADDRESS).putInt(1);
        for (int cpu = 0; cpu < cpus; cpu++) {
            t.put((byte) 0).put((byte) 8).put((byte) cpu).put((byte) cpu).putInt(1);
        }
        t.put((byte) 1)
                .put((byte) 12)
                .put((byte) IO_APIC_ID)
                .put((byte) 0)
                .putInt((int) IoApic.ADDRESS)
                .putInt(0);
        override(t, 0, InterruptRouter.TIMER_PIN, 0);
        override(t, AcpiPm.SCI, AcpiPm.SCI, LEVEL_HIGH);
        // NMI at LINT1 of every processor.
        t.put((byte) 4).put((byte) 6).put((byte) 0xff).putShort((short) 0).put((byte) 1);
        return t.array();
    }

    private static void override(ByteBuffer table, int irq, int pin, int flags) {
        table.put((byte) 2)
                .put((byte) 10)
                .put((byte) 0)
                .put((byte) irq)
                .putInt(pin)
                .putShort((short) flags);
    }

    /** PCI Firmware Specification 3.0, table 4-2. */
    private static byte[] mcfg() {
        return body(24).putLong(0).putLong(PciBus.ECAM).array();
    }
}
