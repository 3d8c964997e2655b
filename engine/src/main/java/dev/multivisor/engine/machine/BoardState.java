package dev.multivisor.engine.machine;

import dev.multivisor.api.EngineException;
import dev.multivisor.engine.cpu.CpuState;
import dev.multivisor.engine.device.acpi.AcpiPmState;
import dev.multivisor.engine.device.clock.KvmClockState;
import dev.multivisor.engine.device.fwcfg.FwCfgState;
import dev.multivisor.engine.device.i8042.I8042State;
import dev.multivisor.engine.device.ioapic.IoApicState;
import dev.multivisor.engine.device.irq.InterruptRouterState;
import dev.multivisor.engine.device.lapic.LocalApicState;
import dev.multivisor.engine.device.pci.PciBusState;
import dev.multivisor.engine.device.pic.PicState;
import dev.multivisor.engine.device.pit.PitState;
import dev.multivisor.engine.device.rtc.RtcState;
import dev.multivisor.engine.device.serial.SerialState;
import dev.multivisor.engine.device.vmgenid.VmGenerationState;
import dev.multivisor.engine.mmu.MmuState;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** The state of a whole machine, a component for each section. */
record BoardState(
        TimeState time,
        List<CpuState> cpus,
        List<MmuState> mmus,
        List<LocalApicState> apics,
        PicState pic,
        IoApicState ioApic,
        InterruptRouterState router,
        PitState pit,
        RtcState rtc,
        AcpiPmState acpi,
        SerialState serial,
        I8042State i8042,
        FwCfgState fwCfg,
        KvmClockState kvmClock,
        PciBusState pci,
        Optional<VmGenerationState> generation) {

    /** What this engine reads and writes. */
    static final StateSchema SCHEMA = new StateSchema(
            List.of(
                    SectionKind.of("time"),
                    SectionKind.of("cpu"),
                    SectionKind.of("mmu"),
                    SectionKind.of("localApic"),
                    SectionKind.of("pic"),
                    SectionKind.of("ioApic"),
                    SectionKind.of("interruptRouter"),
                    SectionKind.of("pit"),
                    SectionKind.of("rtc"),
                    SectionKind.of("acpiPm"),
                    SectionKind.of("serial"),
                    SectionKind.of("i8042"),
                    SectionKind.of("fwCfg"),
                    SectionKind.of("kvmClock"),
                    PciBusSection.KIND,
                    SectionKind.of("vmGeneration").onlyWith(Settings.GENERATION_FEATURE)),
            Set.of(Settings.SHA_FEATURE, Settings.GENERATION_FEATURE));

    /**
     * State that is the machine's own.
     *
     * @param cpus how many vCPUs there are
     * @param counted whether time passes by instructions
     * @param skipped nanoseconds passed in HLT, when counted
     * @param tscOffsets by vCPU, what its time-stamp counter is ahead of guest time
     */
    record TimeState(int cpus, boolean counted, long skipped, long[] tscOffsets) {}

    /** The parts by name. */
    Map<String, Record> sections() {
        Map<String, Record> sections = new LinkedHashMap<>();
        sections.put("time", time);
        for (int cpu = 0; cpu < cpus.size(); cpu++) {
            sections.put("cpu." + cpu, cpus.get(cpu));
            sections.put("mmu." + cpu, mmus.get(cpu));
            sections.put("localApic." + cpu, apics.get(cpu));
        }
        sections.put("pic", pic);
        sections.put("ioApic", ioApic);
        sections.put("interruptRouter", router);
        sections.put("pit", pit);
        sections.put("rtc", rtc);
        sections.put("acpiPm", acpi);
        sections.put("serial", serial);
        sections.put("i8042", i8042);
        sections.put("fwCfg", fwCfg);
        sections.put("kvmClock", kvmClock);
        sections.put("pciBus", pci);
        generation.ifPresent(state -> sections.put("vmGeneration", state));
        return sections;
    }

    /**
     * Checks what a machine has become of this state.
     *
     * @throws EngineException naming the section and field that differ
     */
    void requireSame(BoardState restored) {
        Map<String, Record> others = restored.sections();
        sections()
                .forEach((name, state) -> RecordCodec.of(state.getClass())
                        .difference(state, others.get(name))
                        .ifPresent(difference -> {
                            throw new EngineException(
                                    "state: section '" + name + "': " + difference + " after it was restored");
                        }));
    }

    /**
     * @param generation whether the machine has a VM generation ID
     * @throws EngineException naming the section and field that cannot be taken
     */
    static BoardState read(StateSchema.Reader in, int expectedCpus, boolean generation) {
        TimeState time = in.take("time", TimeState.class);
        if (time.cpus != expectedCpus) {
            throw new EngineException(
                    "state: section 'time': cpus: " + time.cpus + ", the machine has " + expectedCpus);
        }
        if (time.tscOffsets.length != expectedCpus) {
            throw new EngineException("state: section 'time': tscOffsets: " + time.tscOffsets.length
                    + " values, the machine has " + expectedCpus + " vCPUs");
        }
        List<CpuState> cpus = new ArrayList<>();
        List<MmuState> mmus = new ArrayList<>();
        List<LocalApicState> apics = new ArrayList<>();
        for (int cpu = 0; cpu < expectedCpus; cpu++) {
            cpus.add(in.take("cpu." + cpu, CpuState.class));
            mmus.add(in.take("mmu." + cpu, MmuState.class));
            apics.add(in.take("localApic." + cpu, LocalApicState.class));
        }
        BoardState state = new BoardState(
                time,
                cpus,
                mmus,
                apics,
                in.take("pic", PicState.class),
                in.take("ioApic", IoApicState.class),
                in.take("interruptRouter", InterruptRouterState.class),
                in.take("pit", PitState.class),
                in.take("rtc", RtcState.class),
                in.take("acpiPm", AcpiPmState.class),
                in.take("serial", SerialState.class),
                in.take("i8042", I8042State.class),
                in.take("fwCfg", FwCfgState.class),
                in.take("kvmClock", KvmClockState.class),
                in.take("pciBus", PciBusState.class),
                generation ? Optional.of(in.take("vmGeneration", VmGenerationState.class)) : Optional.empty());
        in.finish();
        return state;
    }
}
