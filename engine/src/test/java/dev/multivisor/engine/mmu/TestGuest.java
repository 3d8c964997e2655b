package dev.multivisor.engine.mmu;

import dev.multivisor.api.GuestMemory;
import dev.multivisor.engine.cpu.Cpu;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;

/** Memory and vCPUs without a machine around them. */
final class TestGuest {
    final PhysicalMemory memory;
    final Cpu cpu;
    final Mmu mmu;

    TestGuest(long size) {
        this(size, List.of(new GuestMemory.Region(0, 0, size)));
    }

    TestGuest(long size, List<GuestMemory.Region> regions) {
        memory = new PhysicalMemory(new Memory(Arena.ofAuto().allocate(size, 4096), regions));
        mmu = new Mmu(memory);
        cpu = new Cpu(0, mmu, null);
    }

    Cpu addCpu(int number) {
        return new Cpu(number, new Mmu(memory), null);
    }

    record Memory(MemorySegment bytes, List<GuestMemory.Region> regions) implements GuestMemory {}
}
