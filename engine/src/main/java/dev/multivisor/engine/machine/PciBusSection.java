package dev.multivisor.engine.machine;

import dev.multivisor.engine.device.pci.PciBus;
import java.util.List;

/** The versions of section {@code pciBus}: 2 has the host bridge's configuration space, which 1 leaves out. */
final class PciBusSection {
    static final SectionKind KIND =
            SectionKind.of("pciBus").then(PciBusSection::addHostBridge, PciBusSection::dropHostBridge);

    private static final String BRIDGE = "hostBridge", CONFIG = "config";

    private PciBusSection() {}

    /** An engine that writes version 1 loses what a guest wrote there, so that nothing else can be meant. */
    private static void addHostBridge(SectionData bus) {
        bus.put(BRIDGE, SectionData.of(PciBus.powerOnHostBridge()));
    }

    /**
     * Every byte counts: a reader of version 1 starts with the bytes of power-on, and the guest can read them all. It
     * costs no guest its way back: while they look for devices, Linux 6.1 and 6.12 write the command register and BARs,
     * and put back at once what was there.
     */
    private static void dropHostBridge(SectionData bus) {
        SectionData bridge = bus.takeData(BRIDGE);
        SectionData powerOn = SectionData.of(PciBus.powerOnHostBridge());
        try {
            byte[] config = bridge.take(CONFIG, byte[].class);
            byte[] expected = powerOn.take(CONFIG, byte[].class);
            for (int i = 0; i < expected.length; i++) {
                if (config[i] != expected[i]) {
                    throw new InvalidFieldException(
                                    String.format("is 0x%02x, which the older version cannot hold", config[i] & 0xff))
                            .within("[" + i + "]")
                            .within(CONFIG);
                }
            }
            bridge.drop("interrupt", false);
            for (String none : List.of("msixTable", "msixPending")) {
                if (!bridge.take(none, List.class).isEmpty()) {
                    throw new InvalidFieldException("is not empty").within(none);
                }
            }
        } catch (InvalidFieldException e) {
            throw e.within(BRIDGE);
        }
    }
}
