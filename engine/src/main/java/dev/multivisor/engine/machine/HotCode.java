package dev.multivisor.engine.machine;

import dev.multivisor.api.EngineException;
import dev.multivisor.api.GuestMemory;
import dev.multivisor.engine.cpu.AheadCode;
import dev.multivisor.engine.cpu.CodeCompiler;
import dev.multivisor.engine.cpu.HotRegion;
import dev.multivisor.engine.cpu.Interpreter;
import dev.multivisor.engine.mmu.PhysicalMemory;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.WeakHashMap;
import java.util.stream.Stream;

/**
 * Which code of a machine is hot, as one engine tells another, in the same container as state. It is no state: a machine
 * without it is the same machine, only slower at first.
 *
 * @param regions the hottest first
 */
record HotCode(List<HotRegion> regions) {
    private static final String SECTION = "hotCode";

    /** Also of how regions are chosen: what was chosen worse is not to live on in what is kept on disk. */
    private static final int VERSION = 2;

    /** More regions are not taken, nor passed on. */
    private static final int MOST = Interpreter.MOST_HOT;

    /** What was readied for a machine in some memory, until it is made. */
    private static final Map<GuestMemory, AheadCode> READY = new WeakHashMap<>();

    HotCode {
        regions = List.copyOf(regions);
    }

    /** What is hot on a machine's vCPUs, and then what was known before to be. */
    static HotCode of(List<Interpreter> vcpus, AheadCode ahead) {
        Set<ByteBuffer> seen = new HashSet<>();
        List<HotRegion> regions = Stream.concat(
                        vcpus.stream()
                                .flatMap(vcpu -> vcpu.hotRegions().stream())
                                .sorted(Comparator.comparingLong(HotRegion::instructions)
                                        .reversed()),
                        ahead.regions().stream())
                .filter(region -> seen.add(ByteBuffer.wrap(region.digest())))
                .limit(MOST)
                .toList();
        return new HotCode(regions);
    }

    byte[] toBytes(String producer) {
        return StateContainer.of(producer, Set.of()).put(SECTION, VERSION, this).toBytes();
    }

    /** @throws EngineException naming what is wrong with it */
    static HotCode parse(byte[] bytes) {
        StateContainer container = StateContainer.parse(bytes);
        HotCode code = container.take(SECTION, VERSION, HotCode.class);
        container.finish();
        return code;
    }

    /**
     * Readies code for the machine that is to be made in this memory, in the calling thread.
     *
     * @throws EngineException if it cannot be read
     */
    static void prepare(Settings settings, byte[] hotCode, GuestMemory memory, Duration limit) {
        if (settings.compiler() == CodeCompiler.NONE) {
            return;
        }
        HotCode code = parse(hotCode);
        AheadCode ahead = new AheadCode(code.regions.stream().limit(MOST).toList());
        if (limit.isPositive()) {
            ahead.compile(settings.compiler(), new PhysicalMemory(memory), settings.cpus() > 1, limit.toNanos());
        }
        synchronized (READY) {
            READY.put(memory, ahead);
        }
    }

    /** What was readied for a machine that is being made. */
    static AheadCode take(GuestMemory memory) {
        synchronized (READY) {
            AheadCode ahead = READY.remove(memory);
            return ahead == null ? AheadCode.NONE : ahead;
        }
    }
}
