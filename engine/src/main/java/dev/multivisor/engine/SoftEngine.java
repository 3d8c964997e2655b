package dev.multivisor.engine;

import dev.multivisor.api.Boot;
import dev.multivisor.api.Engine;
import dev.multivisor.api.EngineInfo;
import dev.multivisor.api.GuestMemory;
import dev.multivisor.api.Machine;
import dev.multivisor.api.MachineSpec;
import dev.multivisor.api.Resources;
import dev.multivisor.api.StateFormat;
import dev.multivisor.engine.machine.SoftMachine;
import java.lang.module.ModuleDescriptor;
import java.time.Duration;
import java.util.List;

/** The engine as the base finds it: an interpreter in pure Java. */
public final class SoftEngine implements Engine {
    private static final String NAME = "multivisor";
    /** The module's version, which the build gives it along with the one in the JAR's manifest. */
    private static final String VERSION = version();

    private static final EngineInfo INFO =
            new EngineInfo(NAME, VERSION, Engine.CONTRACT, SoftMachine.parameters(), SoftMachine.stateFormat());

    /** Called by the service loader. */
    public SoftEngine() {}

    private static String version() {
        ModuleDescriptor descriptor = SoftEngine.class.getModule().getDescriptor();
        return descriptor == null ? "unknown" : descriptor.rawVersion().orElse("unknown");
    }

    @Override
    public EngineInfo info() {
        return INFO;
    }

    @Override
    public Machine create(MachineSpec spec, Boot boot, Resources resources) {
        return SoftMachine.create(NAME + " " + VERSION, spec, boot, resources);
    }

    @Override
    public List<String> refusals(MachineSpec spec, StateFormat format) {
        return SoftMachine.refusals(spec, format);
    }

    @Override
    public boolean tracksPages() {
        return true;
    }

    @Override
    public Machine restore(MachineSpec spec, byte[] state, Resources resources) {
        return SoftMachine.restore(NAME + " " + VERSION, spec, state, resources);
    }

    @Override
    public void prepare(MachineSpec spec, byte[] hotCode, GuestMemory memory, Duration limit) {
        SoftMachine.prepare(spec, hotCode, memory, limit);
    }
}
