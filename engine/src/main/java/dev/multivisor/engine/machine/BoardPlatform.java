package dev.multivisor.engine.machine;

import dev.multivisor.engine.cpu.Cpu;
import dev.multivisor.engine.cpu.CpuFault;
import dev.multivisor.engine.cpu.Platform;
import dev.multivisor.engine.device.InvalidMsrException;
import dev.multivisor.engine.device.PortBus;
import dev.multivisor.engine.device.clock.KvmClock;
import dev.multivisor.engine.device.lapic.LocalApic;

/** What one vCPU finds on the board. */
record BoardPlatform(PortBus ports, Tsc tsc, LocalApic apic, KvmClock kvmClock, MachineRandom random)
        implements Platform {
    @Override
    public int in(int port, int size) {
        return ports.in(port, size);
    }

    @Override
    public void out(int port, int size, int value) {
        ports.out(port, size, value);
    }

    @Override
    public long tsc(Cpu cpu) {
        return tsc.read(cpu.number);
    }

    @Override
    public void setTsc(Cpu cpu, long value) {
        tsc.write(cpu.number, value);
        apic.tscChanged();
        kvmClock.tscChanged(cpu.number);
    }

    @Override
    public long readMsr(Cpu cpu, int index) {
        try {
            if (LocalApic.owns(index)) {
                return apic.readMsr(index);
            }
            if (KvmClock.owns(index)) {
                return kvmClock.readMsr(cpu.number, index);
            }
        } catch (InvalidMsrException e) {
            throw cpu.fault(CpuFault.GP);
        }
        throw cpu.fault(CpuFault.GP);
    }

    @Override
    public void writeMsr(Cpu cpu, int index, long value) {
        try {
            if (LocalApic.owns(index)) {
                apic.writeMsr(index, value);
                return;
            }
            if (KvmClock.owns(index)) {
                kvmClock.writeMsr(cpu.number, index, value);
                return;
            }
        } catch (InvalidMsrException e) {
            throw cpu.fault(CpuFault.GP);
        }
        throw cpu.fault(CpuFault.GP);
    }

    @Override
    public long random(Cpu cpu) {
        return random.next(cpu.instructions);
    }

    @Override
    public int taskPriority(Cpu cpu) {
        return apic.taskPriority();
    }

    @Override
    public void setTaskPriority(Cpu cpu, int priority) {
        apic.taskPriority(priority);
    }
}
