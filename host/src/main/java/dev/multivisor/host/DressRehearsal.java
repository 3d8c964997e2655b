package dev.multivisor.host;

import dev.multivisor.api.EngineException;
import dev.multivisor.api.MachineSpec;
import java.time.Duration;

/**
 * Moves a machine that stands in for another one while it runs, vCPU threads and all. So the JVM has loaded and compiled
 * every step of a handover, with the state of a guest in the middle of its work, when the machine itself is moved.
 */
final class DressRehearsal {
    /** How often to move it there and back: the JVM's quick compiler compiles the base after some ten calls. */
    private static final int ROUNDS = 40;

    private static final Duration PATIENCE = Duration.ofSeconds(2);

    private final LoadedEngine from;
    private final MachineSpec spec;
    private final LoadedEngine to;
    private final MachineSpec toSpec;

    DressRehearsal(LoadedEngine from, MachineSpec spec, LoadedEngine to, MachineSpec toSpec) {
        this.from = from;
        this.spec = spec;
        this.to = to;
        this.toSpec = toSpec;
    }

    /**
     * Moves it until it was moved often enough or it is the end, but once at least.
     *
     * @return how often it was on the target
     * @throws HostException if it cannot be moved there
     */
    int run(long end) {
        VirtualMachine.Settings settings = new VirtualMachine.Settings(
                "rehearsal", BuiltinGuest.MEMORY, spec, StandIn.Deaf.CONSOLE, StandIn.Deaf.CONSOLE);
        try (VirtualMachine standIn = VirtualMachine.create(from, settings, BuiltinGuest.boot("quiet vary"))) {
            standIn.start();
            int moves = 0;
            boolean back;
            do {
                move(standIn, to, toSpec);
                moves++;
                back = leadsBack(standIn);
                if (back) {
                    move(standIn, from, spec);
                }
            } while (back && moves < ROUNDS && System.nanoTime() < end);
            return moves;
        }
    }

    private boolean leadsBack(VirtualMachine standIn) {
        try {
            standIn.home().machine().format(from.info().state());
            return true;
        } catch (EngineException e) {
            // A rollback says so.
            return false;
        }
    }

    private void move(VirtualMachine standIn, LoadedEngine engine, MachineSpec toSpec) {
        String problem;
        try {
            problem = standIn.rehearseHandover(engine, toSpec, PATIENCE).reason();
        } catch (HostException e) {
            problem = e.getMessage();
        }
        if (standIn.ended()) {
            problem = standIn.status().end().map(end -> end.exit().detail()).orElse(problem);
        }
        if (!problem.isEmpty()) {
            throw new HostException("engine " + to.jar().version() + ": failed while rehearsing: " + problem);
        }
    }
}
