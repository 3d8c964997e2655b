package dev.multivisor.host;

import dev.multivisor.api.Machine;
import dev.multivisor.api.MachineSpec;
import dev.multivisor.host.Execution.Residence;
import dev.multivisor.host.MachineStatus.Phase;
import java.time.Duration;
import java.util.List;

/**
 * A machine in a handover.
 *
 * @param before the phase that it is in
 * @param target where it may go
 * @param trial how long the target is on probation
 */
record HandoverSubject(
        VirtualMachine machine,
        Execution execution,
        Phase before,
        LoadedEngine target,
        MachineSpec spec,
        Duration patience,
        Duration trial)
        implements Mover.Subject {
    @Override
    public void begin(Handover attempt) {
        if (before == Phase.RUNNING) {
            execution.beginHandover(attempt);
        }
    }

    @Override
    public List<Integer> hostThreads() {
        return execution.hostThreads();
    }

    @Override
    public boolean expected() {
        return execution.phase() == before;
    }

    @Override
    public Runnable arrival(Machine arrived) {
        Residence there = Residence.of(target, spec, arrived);
        Probation probation = trial.isPositive() ? new Probation(machine, there, trial, patience) : null;
        return () -> execution.moveTo(there, probation);
    }

    @Override
    public void replaceThread(int cpu) {
        execution.replaceThread(cpu);
    }

    @Override
    public EngineTracking tracking() {
        return machine.pages().engines();
    }
}
