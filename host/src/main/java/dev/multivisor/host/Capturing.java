package dev.multivisor.host;

import dev.multivisor.api.EngineException;
import dev.multivisor.api.StateFormat;
import dev.multivisor.host.Execution.Residence;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.BitSet;

/**
 * Captures a machine: state and memory as they are at one moment. The guest is held until both are written, or with
 * {@link CaptureRequest#live} until the state is; then it runs on, and a page that it is about to change is taken before.
 */
final class Capturing {
    private final VirtualMachine machine;
    private final Execution execution;
    private final PausableClock clock;
    private final GuestRam memory;

    Capturing(VirtualMachine machine, Execution execution, PausableClock clock, GuestRam memory) {
        this.machine = machine;
        this.execution = execution;
        this.clock = clock;
        this.memory = memory;
    }

    boolean live() {
        return false;
    }

    Capture run(CaptureRequest request) {
        try (GuestRam parent = request.parent().isEmpty()
                ? null
                : GuestRam.map(request.parent().get().memory())) {
            return stopped(request, parent == null ? null : parent.bytes());
        } catch (IOException e) {
            throw new HostException("machine " + machine.name() + ": its memory cannot be written (" + e + ")", e);
        }
    }

    private Capture stopped(CaptureRequest request, MemorySegment parent) throws IOException {
        MemoryWriter writer = new MemoryWriter(memory.bytes(), request.target(), null, parent);
        SavedMachine saved;
        PageRuns pages;
        execution.hold();
        clock.pause();
        try {
            saved = save();
            writer.run();
            pages = writer.finish();
        } finally {
            execution.release();
        }
        return new Capture(saved, pages, writer.checksum(), execution.heldNanos());
    }

    /** The state, for the engine that the machine is on; other engines get it by way of that one. */
    private SavedMachine save() {
        Residence home = execution.home();
        StateFormat reader = home.engine().info().state();
        try {
            byte[] state = home.machine().save(reader);
            return new SavedMachine(
                    home.engine().jar().version(),
                    home.engine().jar().contract(),
                    home.spec(),
                    home.machine().format(reader),
                    state,
                    memory.bytes().byteSize(),
                    // After saving: nothing in the state is later than this.
                    clock.nanoTime());
        } catch (EngineException e) {
            throw new HostException("machine " + machine.name() + ": " + e.getMessage(), e);
        }
    }
}
