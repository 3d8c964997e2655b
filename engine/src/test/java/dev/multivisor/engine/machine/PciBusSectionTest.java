package dev.multivisor.engine.machine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.multivisor.api.EngineException;
import dev.multivisor.engine.device.PortBus;
import dev.multivisor.engine.device.TestMmio;
import dev.multivisor.engine.device.Wire;
import dev.multivisor.engine.device.pci.PciBus;
import dev.multivisor.engine.device.pci.PciBusState;
import dev.multivisor.engine.device.pci.PciFunctionState;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** The host bridge's configuration space travels, and back to engines that leave it out as long as that loses nothing. */
class PciBusSectionTest {
    /** The section as engine 0.1.0 has it. */
    private record FirstState(int address) {}

    private static final StateSchema FIRST = new StateSchema(List.of(SectionKind.of("pciBus")), Set.of());
    private static final StateSchema SECOND = new StateSchema(List.of(PciBusSection.KIND), Set.of());

    private final PortBus ports = new PortBus();
    private final PciBus bus = new PciBus(ports, new TestMmio(), irq -> new Wire(), new PortBus());

    PciBusSectionTest() {
        bus.map();
    }

    private void write(int offset, int size, int value) {
        ports.out(0xcf8, 4, 0x80000000 | offset & 0xfc);
        ports.out(0xcfc + (offset & 3), size, value);
    }

    private static byte[] write(StateSchema writer, Record state, StateSchema reader) {
        return writer.write("test", Map.of("pciBus", state), writer.formatFor(reader.format(), Set.of()));
    }

    private static <T extends Record> T read(StateSchema schema, byte[] state, Class<T> type) {
        return schema.read(state, Set.of()).take("pciBus", type);
    }

    @Test
    void whatTheGuestWroteTravels() {
        write(4, 2, 0x0400);
        write(0x3c, 1, 11);
        PciBusState state = bus.save();
        PciBusState travelled = read(SECOND, write(SECOND, state, SECOND), PciBusState.class);
        PciBus restored = new PciBus(new PortBus(), new TestMmio(), irq -> new Wire(), new PortBus(), travelled);
        byte[] config = restored.save().hostBridge().config();
        assertEquals(4, config[5]);
        assertEquals(11, config[0x3c]);
        RecordCodec.of(PciBusState.class).difference(state, restored.save()).ifPresent(difference -> {
            throw new AssertionError(difference);
        });
    }

    /** What Linux does to the bridge while it looks for devices leaves nothing behind. */
    @Test
    void aBootedGuestGoesBack() {
        write(4, 2, 0x0400);
        write(4, 2, 0);
        for (int bar : new int[] {0x10, 0x14, 0x18, 0x1c, 0x20, 0x24, 0x30}) {
            write(bar, 4, bar == 0x30 ? 0xfffff800 : -1);
            write(bar, 4, 0);
        }
        byte[] first = write(SECOND, bus.save(), FIRST);
        assertEquals(new FirstState(0x80000030), read(FIRST, first, FirstState.class));
        PciBusState again = read(SECOND, first, PciBusState.class);
        assertEquals(0x80000030, again.address());
        assertFalse(RecordCodec.of(PciFunctionState.class)
                .difference(PciBus.powerOnHostBridge(), again.hostBridge())
                .isPresent());
    }

    @Test
    void whatWouldBeLostIsNamed() {
        write(4, 2, 0x0104);
        assertRefusal("hostBridge.config[4]: is 0x04");
        write(4, 2, 0);
        write(0x0c, 1, 0x10);
        assertRefusal("hostBridge.config[12]: is 0x10");
        write(0x0c, 1, 0);
        write(SECOND, bus.save(), FIRST);
    }

    private void assertRefusal(String field) {
        assertEquals(
                "state: section 'pciBus' cannot be written in version 1: " + field
                        + ", which the older version cannot hold",
                assertThrows(EngineException.class, () -> write(SECOND, bus.save(), FIRST))
                        .getMessage());
    }
}
