package dev.multivisor.engine.machine;

import dev.multivisor.api.EngineException;
import dev.multivisor.api.Exit;
import dev.multivisor.api.VirtualCpu;
import dev.multivisor.engine.cpu.AheadCode;
import dev.multivisor.engine.cpu.CodePages;
import dev.multivisor.engine.cpu.Counters;
import dev.multivisor.engine.cpu.Cpu;
import dev.multivisor.engine.cpu.CpuReset;
import dev.multivisor.engine.cpu.Exceptions;
import dev.multivisor.engine.cpu.Interpreter;
import dev.multivisor.engine.device.lapic.LocalApic;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;

/**
 * A vCPU: what happens between runs of the interpreter. Each round looks at kicks, requests of other vCPUs, timers, INIT, SIPI,
 * NMI and interrupts, in this order, then runs the guest for a slice of instructions. Whoever has news for a vCPU makes
 * it pending first and calls {@link #wake} then; the round clears the sign of attention before it looks, so
 * that nothing is overlooked.
 */
final class Vcpu implements VirtualCpu {
    /** Instructions in one go while the clock is the count of instructions. */
    private static final long COUNTED_SLICE = 10_000_000;

    /** Instructions between two looks at the host's clock: 10,000 take about a tenth of a millisecond. */
    private final long slice;

    private final SoftMachine machine;
    private final Cpu cpu;
    private final LocalApic apic;
    private final Interpreter interpreter;
    private final AtomicBoolean kicked = new AtomicBoolean();
    private final AtomicBoolean running = new AtomicBoolean();
    private volatile Thread thread;
    private volatile boolean dead;

    /** Whether it is halted or waits to be started, also while nobody runs it. */
    private volatile boolean waiting;

    /** The most instructions that anybody was told of. */
    private final AtomicLong told = new AtomicLong();

    /** Instructions executed before it came here. */
    private final long before;

    /** The most answers of the compiler that anybody was told of. Guarded by this. */
    private long answered;

    /** Runs that ended by a kick. */
    private long kicks;

    /** The count of instructions at which {@link #runFor} ends. */
    private long end = Long.MAX_VALUE;

    /** Whether the guest is being executed, which an error of the engine leaves at an instruction. */
    private boolean executing;

    /** What failed in the middle of something, so that there is no state to be saved; empty else. */
    private volatile String broken = "";

    /** Set by {@link #wake}, unlike attention, which is also drawn to what can wait until the vCPU wakes up. */
    private volatile boolean woken;

    Vcpu(SoftMachine machine, Cpu cpu, LocalApic apic, CodePages codePages, Settings settings, AheadCode ahead) {
        slice = settings.slice();
        this.machine = machine;
        this.cpu = cpu;
        this.apic = apic;
        interpreter = new Interpreter(cpu, codePages, settings.compiler(), settings.cpus() > 1, ahead);
        before = cpu.instructions;
        waiting = cpu.waitForSipi || cpu.halted;
    }

    Interpreter interpreter() {
        return interpreter;
    }

    int number() {
        return cpu.number;
    }

    boolean running() {
        return running.get();
    }

    @Override
    public void kick() {
        kicked.set(true);
        wake();
    }

    @Override
    public boolean waiting() {
        return waiting;
    }

    @Override
    public long instructions() {
        return told.accumulateAndGet(cpu.progress(), Math::max);
    }

    @Override
    public Map<String, Long> systemRegisters() {
        return Map.of(
                "CR0", cpu.cr0,
                "CR3", cpu.cr3,
                "CR4", cpu.cr4,
                "EFER", cpu.efer,
                "LSTAR", cpu.lstar,
                "GDTR", cpu.gdtrBase,
                "IDTR", cpu.idtrBase);
    }

    /** Adds what has happened since it was made or restored here. */
    void addTo(Map<String, Long> sums) {
        sums.merge("instructions", instructions() - before, Long::sum);
        cpu.counters.addTo(sums);
        sums.merge("compileAnswers", answered(), Long::sum);
        sums.merge("kicks", kicks, Long::sum);
    }

    /**
     * Regions that it no longer waits for. While it does not run, that is all that it asked for: it may be about to be
     * left, and what it then still waits for will never come.
     */
    private synchronized long answered() {
        Counters counters = cpu.counters;
        answered = Math.max(answered, running() ? counters.compileAnswers : counters.compileRequests);
        return answered;
    }

    /** Makes the vCPU look for what there is to do: from any thread, after it was made pending. */
    void wake() {
        woken = true;
        cpu.interrupt();
        LockSupport.unpark(thread);
    }

    @Override
    public Exit run() {
        if (!running.compareAndSet(false, true)) {
            throw new IllegalStateException("vCPU " + cpu.number + " is running already");
        }
        thread = Thread.currentThread();
        try {
            cpu.mmu.enter();
            if (cpu.number == 0) {
                machine.connect();
            }
            return loop();
        } catch (RuntimeException e) {
            if (!executing || cpu.torn) {
                broken = e.toString();
            }
            throw e;
        } catch (Error e) {
            broken = e.toString();
            throw e;
        } finally {
            executing = false;
            cpu.mmu.leave();
            thread = null;
            running.set(false);
        }
    }

    /** Runs for so many instructions, exactly if the clock is their count, or until something happens. For tests. */
    Exit runFor(long instructions) {
        end = cpu.instructions + instructions;
        try {
            return run();
        } finally {
            end = Long.MAX_VALUE;
        }
    }

    private Exit loop() {
        while (true) {
            woken = false;
            cpu.clearAttention();
            if (cpu.shutdown) {
                machine.finish(new Exit(
                        Exit.Reason.TRIPLE_FAULT,
                        0,
                        "vCPU " + cpu.number + " at RIP 0x" + Long.toHexString(cpu.r[Cpu.RIP])));
            }
            // Before the kick, which may be a handover's: the guest's last word must not be lost with this machine.
            Exit exit = machine.exit();
            if (exit != null) {
                return exit;
            }
            if (kicked.compareAndSet(true, false) || cpu.instructions >= end) {
                kicks++;
                return new Exit(Exit.Reason.KICKED, 0, "");
            }
            cpu.mmu.handleRequests();
            machine.serveTimers(cpu.number);
            takeSignals();
            if (cpu.waitForSipi || cpu.halted && !interruptible()) {
                waiting = true;
                sleep();
                continue;
            }
            if (waiting) {
                waiting = false;
            }
            if (interruptible()) {
                deliver();
            }
            cpu.interruptWindow = apic.pending();
            execute();
        }
    }

    /** A slice: in counted time it ends at the next deadline to the instruction, wherever blocks are cut. */
    private void execute() {
        executing = true;
        if (machine.counted()) {
            long counted = Math.min(COUNTED_SLICE, machine.instructionsToDeadline(cpu.number));
            interpreter.runExactly(Math.min(counted, end - cpu.instructions));
        } else {
            interpreter.run(slice);
        }
        executing = false;
    }

    /** @throws EngineException if it failed in the middle of something */
    void requireWhole() {
        if (!broken.isEmpty()) {
            throw new EngineException("vCPU " + cpu.number + ": failed in the middle of an instruction ("
                    + InvalidFieldException.shown(broken) + "), so that there is no whole state");
        }
    }

    private void takeSignals() {
        if (apic.takeInit()) {
            CpuReset.init(cpu);
            cpu.waitForSipi = cpu.number != 0;
            cpu.halted = false;
        }
        int sipi = apic.takeStartup();
        if (sipi >= 0 && cpu.waitForSipi) {
            CpuReset.startUp(cpu, sipi);
            cpu.waitForSipi = false;
        }
        if (!cpu.waitForSipi && !cpu.nmiBlocked && !cpu.interruptShadow && apic.takeNmi()) {
            cpu.halted = false;
            Exceptions.nonMaskable(cpu);
        }
    }

    /** Whether an external interrupt is pending and would be taken now. */
    private boolean interruptible() {
        return (cpu.systemFlags & Cpu.IF) != 0 && !cpu.interruptShadow && apic.interruptPending();
    }

    private void deliver() {
        int vector = apic.acknowledge();
        if (vector >= 0) {
            cpu.halted = false;
            Exceptions.interrupt(cpu, vector);
        }
    }

    /** Waits for a wake-up or a deadline; finds out when nothing can ever wake the guest. */
    private void sleep() {
        dead = cpu.waitForSipi || (cpu.systemFlags & Cpu.IF) == 0;
        if (dead && machine.allDead()) {
            machine.finish(new Exit(Exit.Reason.HALTED, 0, "every vCPU is halted with interrupts off"));
        } else {
            cpu.mmu.leave();
            machine.sleepUntilDeadline(cpu.number, dead, cpu::attention);
            cpu.mmu.enter();
        }
        dead = false;
    }

    /** Whether it sleeps and only INIT, SIPI or NMI could wake it. */
    boolean dead() {
        return dead && !woken;
    }
}
