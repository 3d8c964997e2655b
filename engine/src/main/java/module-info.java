/** The execution engine: exports nothing and provides one service. */
module dev.multivisor.engine {
    requires dev.multivisor.api;
    requires tools.jackson.databind;
    requires tools.jackson.dataformat.cbor;
    requires org.apache.commons.compress;
    requires org.tukaani.xz;

    // State records travel as CBOR.
    opens dev.multivisor.engine.device.acpi to
            tools.jackson.databind;
    opens dev.multivisor.engine.device.clock to
            tools.jackson.databind;
    opens dev.multivisor.engine.device.fwcfg to
            tools.jackson.databind;
    opens dev.multivisor.engine.device.i8042 to
            tools.jackson.databind;
    opens dev.multivisor.engine.device.ioapic to
            tools.jackson.databind;
    opens dev.multivisor.engine.device.irq to
            tools.jackson.databind;
    opens dev.multivisor.engine.device.lapic to
            tools.jackson.databind;
    opens dev.multivisor.engine.device.pci to
            tools.jackson.databind;
    opens dev.multivisor.engine.device.pic to
            tools.jackson.databind;
    opens dev.multivisor.engine.device.pit to
            tools.jackson.databind;
    opens dev.multivisor.engine.device.rtc to
            tools.jackson.databind;
    opens dev.multivisor.engine.device.serial to
            tools.jackson.databind;
    opens dev.multivisor.engine.cpu to
            tools.jackson.databind;
    opens dev.multivisor.engine.mmu to
            tools.jackson.databind;
    opens dev.multivisor.engine.machine to
            tools.jackson.databind;

    provides dev.multivisor.api.Engine with
            dev.multivisor.engine.SoftEngine;
}
