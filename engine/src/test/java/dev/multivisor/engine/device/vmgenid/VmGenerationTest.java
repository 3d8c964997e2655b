package dev.multivisor.engine.device.vmgenid;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.multivisor.api.GuestMemory;
import dev.multivisor.engine.machine.StateTravel;
import dev.multivisor.engine.mmu.PhysicalMemory;
import java.lang.foreign.MemorySegment;
import java.util.HexFormat;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class VmGenerationTest {
    private static final UUID FIRST = UUID.fromString("00112233-4455-6677-8899-aabbccddeeff");
    private static final UUID SECOND = UUID.fromString("f0e0d0c0-b0a0-9080-7060-504030201000");
    private static final String FIRST_BYTES = "33221100554477668899aabbccddeeff";
    private static final String SECOND_BYTES = "c0d0e0f0a0b080907060504030201000";

    private final PhysicalMemory memory = new PhysicalMemory(new GuestMemory() {
        private final MemorySegment bytes = MemorySegment.ofArray(new byte[1 << 20]);

        @Override
        public MemorySegment bytes() {
            return bytes;
        }

        @Override
        public List<Region> regions() {
            return List.of(new Region(0, 0, 1 << 20));
        }
    });
    private final AtomicInteger events = new AtomicInteger();

    private String stored() {
        byte[] bytes = new byte[16];
        memory.read(VmGeneration.ADDRESS, bytes, 0, 16);
        return HexFormat.of().formatHex(bytes);
    }

    private static VmGenerationState travelled(VmGeneration device) {
        return StateTravel.read(StateTravel.write(device.save()), VmGenerationState.class);
    }

    @Test
    void isInMemoryFromTheStartAndNoEvent() {
        VmGeneration device = new VmGeneration(memory, events::incrementAndGet, FIRST);
        device.connect();
        assertEquals(FIRST_BYTES, stored());
        assertEquals(0, events.get());
    }

    /** Until the machine runs, nothing has changed: the restore may still be given up. */
    @Test
    void anotherIsToldOnceWhenTheMachineRuns() {
        VmGenerationState state = travelled(new VmGeneration(memory, events::incrementAndGet, FIRST));
        VmGeneration copy = new VmGeneration(memory, events::incrementAndGet, SECOND, state);
        assertEquals(FIRST_BYTES, stored());
        assertEquals(state, copy.save());
        copy.connect();
        copy.connect();
        assertEquals(SECOND_BYTES, stored());
        assertEquals(1, events.get());
        assertEquals(SECOND, VmGeneration.id(travelled(copy)));
    }

    @Test
    void theSameIsNotTold() {
        VmGenerationState state = travelled(new VmGeneration(memory, events::incrementAndGet, FIRST));
        new VmGeneration(memory, events::incrementAndGet, FIRST, state).connect();
        assertEquals(0, events.get());
    }
}
