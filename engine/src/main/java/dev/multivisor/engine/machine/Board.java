package dev.multivisor.engine.machine;

import dev.multivisor.api.GuestMemory;
import dev.multivisor.api.Resources;
import dev.multivisor.engine.cpu.CodePages;
import dev.multivisor.engine.cpu.Cpu;
import dev.multivisor.engine.cpu.CpuModel;
import dev.multivisor.engine.cpu.CpuReset;
import dev.multivisor.engine.cpu.CpuState;
import dev.multivisor.engine.device.MachineControl;
import dev.multivisor.engine.device.PortBus;
import dev.multivisor.engine.device.Timers;
import dev.multivisor.engine.device.acpi.AcpiPm;
import dev.multivisor.engine.device.acpi.AcpiTables;
import dev.multivisor.engine.device.clock.KvmClock;
import dev.multivisor.engine.device.debug.DebugConsole;
import dev.multivisor.engine.device.debug.DebugExit;
import dev.multivisor.engine.device.fwcfg.FwCfg;
import dev.multivisor.engine.device.i8042.I8042;
import dev.multivisor.engine.device.i8042.ResetControl;
import dev.multivisor.engine.device.ioapic.IoApic;
import dev.multivisor.engine.device.irq.InterruptRouter;
import dev.multivisor.engine.device.lapic.LocalApic;
import dev.multivisor.engine.device.lapic.LocalApics;
import dev.multivisor.engine.device.pci.PciBus;
import dev.multivisor.engine.device.pic.Pic;
import dev.multivisor.engine.device.pit.Pit;
import dev.multivisor.engine.device.rtc.Rtc;
import dev.multivisor.engine.device.serial.Serial;
import dev.multivisor.engine.device.vmgenid.VmGeneration;
import dev.multivisor.engine.mmu.Mmu;
import dev.multivisor.engine.mmu.MmuState;
import dev.multivisor.engine.mmu.PhysicalMemory;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.IntConsumer;

/** The parts of a machine and the wires between them: built new, or from a state. */
final class Board {
    private static final long BELOW_4G = 1L << 32;

    final PhysicalMemory memory;
    final CodePages codePages;
    final Timers timers;
    final MachineTime time;

    private final List<Cpu> cpus = new ArrayList<>();
    private final Tsc tsc;
    private final LocalApics apics;
    private final Pic pic;
    private final IoApic ioApic;
    private final InterruptRouter router;
    private final Pit pit;
    private final Rtc rtc;
    private final AcpiPm acpi;
    private final Serial serial;
    private final I8042 i8042;
    private final FwCfg fwCfg;
    private final KvmClock kvmClock;
    private final PortBus ports = new PortBus();
    private final PciBus pci;
    private final MachineRandom random;
    private final Optional<VmGeneration> generation;
    private boolean connected;

    /** How the board reaches the machine around it. */
    record Wiring(MachineControl control, IntConsumer wake) {}

    /** A new board as after power-on. */
    Board(Settings settings, Resources resources, MachineTime time, Wiring wiring) {
        CpuModel model = settings.cpuModel();
        int count = model.cpus();
        this.time = time;
        random = new MachineRandom(time.counted());
        memory = new PhysicalMemory(resources.memory());
        codePages = new CodePages(memory);
        timers = new Timers(() -> wiring.wake.accept(0));
        tsc = new Tsc(time, new long[count]);
        apics = new LocalApics(count, time, tsc, wiring.wake);
        pic = new Pic(apics::externalInterrupt);
        ioApic = new IoApic(apics, AcpiTables.IO_APIC_ID);
        router = new InterruptRouter(pic, ioApic);
        pit = new Pit(time, timers, router.line(Pit.IRQ));
        rtc = new Rtc(time, timers, router.line(Rtc.IRQ), below4G(resources.memory()), above4G(resources.memory()));
        acpi = new AcpiPm(time, timers, router.line(AcpiPm.SCI), wiring.control);
        serial = new Serial(resources.serial(), router.line(Serial.IRQ));
        i8042 = new I8042(wiring.control);
        fwCfg = new FwCfg(count, size(resources.memory()), new TreeMap<>());
        kvmClock = new KvmClock(count, time, memory, tsc::at, Tsc.KHZ * 1000L);
        pci = new PciBus(ports, memory, router::line, new ResetControl(wiring.control));
        generation = settings.generation()
                .map(id -> new VmGeneration(
                        memory, () -> acpi.event(VmGeneration.EVENT), id.orElseGet(random::identifier)));
        connect(resources, wiring);
        for (int number = 0; number < count; number++) {
            Cpu cpu = new Cpu(
                    number, new Mmu(memory), new BoardPlatform(ports, tsc, apics.apic(number), kvmClock, random));
            cpu.model = model;
            CpuReset.powerOn(cpu);
            cpu.waitForSipi = number != 0;
            cpus.add(cpu);
        }
        start();
    }

    /** A board in the state that another one saved. */
    Board(Settings settings, Resources resources, MachineTime time, Wiring wiring, BoardState state) {
        CpuModel model = settings.cpuModel();
        int count = model.cpus();
        this.time = time;
        random = new MachineRandom(time.counted());
        memory = new PhysicalMemory(resources.memory());
        codePages = new CodePages(memory);
        timers = new Timers(() -> wiring.wake.accept(0));
        tsc = new Tsc(time, state.time().tscOffsets().clone());
        apics = new LocalApics(count, time, tsc, wiring.wake, state.apics());
        pic = new Pic(apics::externalInterrupt, state.pic());
        ioApic = new IoApic(apics, state.ioApic());
        router = new InterruptRouter(pic, ioApic, state.router());
        pit = new Pit(time, timers, router.line(Pit.IRQ), state.pit());
        rtc = new Rtc(time, timers, router.line(Rtc.IRQ), state.rtc());
        acpi = new AcpiPm(time, timers, router.line(AcpiPm.SCI), wiring.control, state.acpi());
        serial = new Serial(resources.serial(), router.line(Serial.IRQ), state.serial());
        i8042 = new I8042(wiring.control, state.i8042());
        fwCfg = new FwCfg(count, size(resources.memory()), new TreeMap<>(), state.fwCfg());
        kvmClock = new KvmClock(count, time, memory, tsc::at, Tsc.KHZ * 1000L, state.kvmClock());
        pci = new PciBus(ports, memory, router::line, new ResetControl(wiring.control), state.pci());
        generation = state.generation()
                .map(told -> new VmGeneration(
                        memory,
                        () -> acpi.event(VmGeneration.EVENT),
                        settings.generation().flatMap(id -> id).orElseGet(() -> VmGeneration.id(told)),
                        told));
        connect(resources, wiring);
        for (int number = 0; number < count; number++) {
            Mmu mmu = new Mmu(memory, state.mmus().get(number));
            Cpu cpu = new Cpu(number, mmu, new BoardPlatform(ports, tsc, apics.apic(number), kvmClock, random));
            cpu.model = model;
            state.cpus().get(number).restore(cpu);
            cpus.add(cpu);
        }
        start();
    }

    private void connect(Resources resources, Wiring wiring) {
        apics.onExternalAcknowledge(pic::acknowledge);
        memory.map(LocalApics.ADDRESS, LocalApics.SIZE, apics);
        memory.map(IoApic.ADDRESS, IoApic.SIZE, ioApic);
        pic.map(ports);
        pit.map(ports);
        rtc.map(ports);
        acpi.map(ports);
        serial.map(ports);
        i8042.map(ports);
        pci.map();
        new DebugConsole(resources.debug()).map(ports);
        new DebugExit(wiring.control).map(ports);
        fwCfg.map(ports);
    }

    private void start() {
        Cpu first = cpus.get(0);
        time.count(() -> first.instructions);
    }

    /**
     * Takes from now on what comes from outside, and tells the guest what has changed there: not while building, so that
     * a restored machine that never runs leaves everything as it is.
     */
    void connect() {
        if (!connected) {
            connected = true;
            serial.listen();
            generation.ifPresent(VmGeneration::connect);
        }
    }

    List<Cpu> cpus() {
        return cpus;
    }

    LocalApic apic(int cpu) {
        return apics.apic(cpu);
    }

    /** The state of everything. Changes nothing. */
    BoardState save() {
        List<CpuState> cpuStates = new ArrayList<>();
        List<MmuState> mmuStates = new ArrayList<>();
        for (Cpu cpu : cpus) {
            cpuStates.add(CpuState.save(cpu));
            mmuStates.add(cpu.mmu.save());
        }
        return new BoardState(
                new BoardState.TimeState(cpus.size(), time.counted(), time.skipped(), tsc.offsets()),
                cpuStates,
                mmuStates,
                apics.save(),
                pic.save(),
                ioApic.save(),
                router.save(),
                pit.save(),
                rtc.save(),
                acpi.save(),
                serial.save(),
                i8042.save(),
                fwCfg.save(),
                kvmClock.save(),
                pci.save(),
                generation.map(VmGeneration::save));
    }

    private static long size(GuestMemory memory) {
        return memory.regions().stream().mapToLong(GuestMemory.Region::size).sum();
    }

    private static long below4G(GuestMemory memory) {
        return memory.regions().stream()
                .filter(region -> region.guestAddress() < BELOW_4G)
                .mapToLong(GuestMemory.Region::size)
                .sum();
    }

    private static long above4G(GuestMemory memory) {
        return size(memory) - below4G(memory);
    }
}
