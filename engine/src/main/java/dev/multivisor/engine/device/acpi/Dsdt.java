package dev.multivisor.engine.device.acpi;

import static dev.multivisor.engine.device.acpi.Aml.busRange;
import static dev.multivisor.engine.device.acpi.Aml.device;
import static dev.multivisor.engine.device.acpi.Aml.eisaId;
import static dev.multivisor.engine.device.acpi.Aml.integer;
import static dev.multivisor.engine.device.acpi.Aml.irq;
import static dev.multivisor.engine.device.acpi.Aml.join;
import static dev.multivisor.engine.device.acpi.Aml.memory;
import static dev.multivisor.engine.device.acpi.Aml.memoryRange;
import static dev.multivisor.engine.device.acpi.Aml.method;
import static dev.multivisor.engine.device.acpi.Aml.name;
import static dev.multivisor.engine.device.acpi.Aml.notification;
import static dev.multivisor.engine.device.acpi.Aml.packageOf;
import static dev.multivisor.engine.device.acpi.Aml.portRange;
import static dev.multivisor.engine.device.acpi.Aml.ports;
import static dev.multivisor.engine.device.acpi.Aml.resources;
import static dev.multivisor.engine.device.acpi.Aml.scope;
import static dev.multivisor.engine.device.acpi.Aml.string;

import dev.multivisor.engine.device.pci.PciBus;
import dev.multivisor.engine.device.rtc.Rtc;
import dev.multivisor.engine.device.serial.Serial;
import dev.multivisor.engine.device.vmgenid.VmGeneration;

/** What the DSDT says: how to sleep, and the devices that cannot be found by asking. */
final class Dsdt {
    private static final int PCI_SLOTS = 32;

    private Dsdt() {}

    /** @param generation whether the machine has a VM generation ID */
    static byte[] content(int cpus, boolean generation) {
        byte[] off = integer(AcpiPm.SLEEP_TYPE_OFF);
        return join(
                name("_S5", packageOf(off, off, integer(0), integer(0))),
                scope("_SB", pciHost(), board(), serialPort(), clock(), processors(cpus)),
                generation ? generation() : new byte[0]);
    }

    /** Linux knows it by either compatible name, Windows by the longer one. */
    private static byte[] generation() {
        byte[] device = device(
                "VGEN",
                name("_HID", string("MLTV0001")),
                name("_CID", packageOf(string("VM_Gen_Counter"), string("VMGENCTR"))),
                name("_DDN", string("VM_Gen_Counter")),
                name("ADDR", packageOf(integer(VmGeneration.ADDRESS), integer(0))));
        // The method's name says the event and that it is an edge.
        byte[] event = method(String.format("_E%02X", VmGeneration.EVENT), notification("\\_SB.VGEN", 0x80));
        return join(scope("_SB", device), scope("_GPE", event));
    }

    private static byte[] pciHost() {
        byte[] windows = resources(
                busRange(0, 0),
                ports(0xcf8, 8),
                portRange(0x0000, 0x0cf7),
                portRange(0x0d00, 0xffff),
                memoryRange(PciBus.MEMORY_WINDOW, PciBus.MEMORY_WINDOW + PciBus.MEMORY_WINDOW_SIZE - 1));
        byte[][] routes = new byte[PCI_SLOTS - 1][];
        for (int slot = 1; slot < PCI_SLOTS; slot++) {
            // Address, pin A, no link device, global system interrupt.
            routes[slot - 1] =
                    packageOf(integer((long) slot << 16 | 0xffff), integer(0), integer(0), integer(PciBus.irq(slot)));
        }
        return device(
                "PCI0",
                name("_HID", eisaId("PNP0A08")),
                name("_CID", eisaId("PNP0A03")),
                name("_UID", integer(0)),
                name("_SEG", integer(0)),
                name("_BBN", integer(0)),
                name("_CRS", windows),
                name("_PRT", packageOf(routes)));
    }

    /** What is taken already: Linux accepts ECAM only if somebody claims it. */
    private static byte[] board() {
        return device(
                "MRES",
                name("_HID", eisaId("PNP0C02")),
                name("_CRS", resources(memory(PciBus.ECAM, PciBus.ECAM_SIZE), ports(AcpiPm.EVENT_PORT, AcpiPm.PORTS))));
    }

    private static byte[] serialPort() {
        return device(
                "COM1",
                name("_HID", eisaId("PNP0501")),
                name("_UID", integer(1)),
                name("_CRS", resources(ports(Serial.PORT, 8), irq(Serial.IRQ))));
    }

    private static byte[] clock() {
        return device("RTC0", name("_HID", eisaId("PNP0B00")), name("_CRS", resources(ports(0x70, 2), irq(Rtc.IRQ))));
    }

    private static byte[] processors(int cpus) {
        byte[][] devices = new byte[cpus][];
        for (int cpu = 0; cpu < cpus; cpu++) {
            devices[cpu] =
                    device(String.format("C%03X", cpu), name("_HID", string("ACPI0007")), name("_UID", integer(cpu)));
        }
        return join(devices);
    }
}
