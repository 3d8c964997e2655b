package dev.multivisor.host;

import dev.multivisor.api.EngineException;
import dev.multivisor.api.MachineSpec;
import dev.multivisor.api.StateFormat;
import dev.multivisor.host.Execution.Residence;
import dev.multivisor.host.HandoverReport.Outcome;
import dev.multivisor.host.VirtualMachine.Origin;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;

/** What comes before and after a handover: preflight, rehearsal, probation, and the way back. */
final class Upgrade {
    /** How long a preflight may take: a target that does not answer even that is no target. */
    private static final Duration PREFLIGHT = Duration.ofSeconds(5);

    /** How much longer than asked for a rehearsal may take before the target counts as lost. */
    private static final Duration GRACE = Duration.ofSeconds(10);

    /** How long a rollback waits for a move that is under way. */
    private static final Duration TURN = Duration.ofSeconds(5);

    /** How long an engine may take for what is known about hot code, without compiling any. */
    private static final Duration TELLING = Duration.ofSeconds(2);

    private static final System.Logger LOG = System.getLogger(Upgrade.class.getName());

    private final VirtualMachine machine;
    private final GuestRam memory;
    private final ReentrantLock turn = new ReentrantLock();

    /** How often it went back. Written in turn. */
    private volatile int returns;

    /** The last way back. Guarded by the turn. */
    private Optional<HandoverReport> returned = Optional.empty();

    /** Whether that was because of how the engine behaved that it led away from. Guarded by the turn. */
    private boolean left;

    /** What an engine said last of which code is hot. Guarded by the turn. */
    private byte[] hotCode = {};

    Upgrade(VirtualMachine machine, GuestRam memory) {
        this.machine = machine;
        this.memory = memory;
    }

    /** The machine's specification with changed parameters. */
    MachineSpec changed(Map<String, String> changes) {
        MachineSpec spec = machine.home().spec();
        Map<String, String> parameters = new TreeMap<>(spec.parameters());
        changes.forEach((name, value) -> {
            if (value.isEmpty()) {
                parameters.remove(name);
            } else {
                parameters.put(name, value);
            }
        });
        return new MachineSpec(spec.cpus(), spec.cpuModel(), parameters);
    }

    List<String> preflight(LoadedEngine target, MachineSpec spec) {
        Residence home = machine.home();
        target.retain();
        try {
            return Isolated.call("asking engine " + target.jar().version(), PREFLIGHT, () -> {
                List<String> reasons = new ArrayList<>();
                StateFormat reader = target.info().state();
                try {
                    reasons.addAll(target.engine().refusals(spec, home.machine().format(reader)));
                } catch (EngineException e) {
                    reasons.add(e.getMessage());
                }
                String watched = machine.pages().engines().refusal(target);
                if (!watched.isEmpty()) {
                    reasons.add(watched);
                }
                return reasons;
            });
        } catch (HostException e) {
            return List.of(e.getMessage());
        } finally {
            target.release();
        }
    }

    HandoverReport run(LoadedEngine target, UpgradeRequest request) {
        return inTurn(Duration.ZERO, () -> {
            HandoverReport report = move(target, changed(request.parameters()), request, false);
            left = left && !report.committed();
            return report;
        });
    }

    /**
     * Back to where it came from, at once or after the move that is under way. If that is the way back already, or if a
     * probation has taken it, that is the answer: another one would lead to the engine that was left.
     */
    HandoverReport back(Duration deadline) {
        return back(deadline, false);
    }

    /** The way back from an engine that misbehaves: nobody gets there again but by asking for it. */
    HandoverReport leave(Duration deadline) {
        return back(deadline, true);
    }

    private HandoverReport back(Duration deadline, boolean misbehaved) {
        // Before anything that waits for the move that is under way.
        int before = returns;
        return inTurn(TURN, () -> {
            if (returns == before && !left) {
                HandoverReport report = goBack(deadline);
                if (!report.committed()) {
                    return report;
                }
                returned = Optional.of(report);
                returns++;
                left = misbehaved;
            }
            return returned.orElseThrow();
        });
    }

    private HandoverReport goBack(Duration deadline) {
        Origin origin = machine.origin()
                .orElseThrow(() -> new HostException("machine " + machine.name()
                        + ": has been on no other engine, so there is nothing to roll back to"));
        machine.forgetCaptures(origin.engine());
        return move(
                origin.engine(),
                origin.spec(),
                new UpgradeRequest(Map.of(), deadline, Duration.ZERO, Duration.ZERO),
                true);
    }

    private HandoverReport inTurn(Duration patience, Supplier<HandoverReport> action) {
        try {
            if (!turn.tryLock(patience.toNanos(), TimeUnit.NANOSECONDS)) {
                throw new HostException("machine " + machine.name() + ": is being moved already");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new HostException("machine " + machine.name() + ": interrupted", e);
        }
        try {
            return action.get();
        } finally {
            turn.unlock();
        }
    }

    private HandoverReport move(LoadedEngine target, MachineSpec spec, UpgradeRequest request, boolean back) {
        LoadedEngine source = machine.home().engine();
        String from = source.jar().version();
        String to = target.jar().version();
        List<String> refusals = preflight(target, spec);
        if (!refusals.isEmpty()) {
            HandoverReport refused = HandoverReport.notBegun(from, to, Outcome.REFUSED, refusals);
            machine.event(MachineEvent.Kind.REFUSED, "engine " + to + ": " + refused.reason(), Optional.of(refused));
            return refused;
        }
        if (request.rehearsal().isPositive()) {
            Optional<HandoverReport> failed = prepare(target, spec, request);
            if (failed.isPresent()) {
                machine.event(MachineEvent.Kind.NOT_MOVED, failed.get().reason(), failed);
                return failed.get();
            }
        }
        try {
            if (back) {
                returnHotCode(target, spec);
            } else {
                passHotCode(target, spec, request.rehearsal());
                if (request.rehearsal().isPositive()) {
                    runAhead(target, spec, request.rehearsal());
                }
            }
        } catch (HostException e) {
            HandoverReport failed = HandoverReport.notBegun(from, to, Outcome.FAILED, List.of(e.getMessage()));
            machine.event(MachineEvent.Kind.NOT_MOVED, e.getMessage(), Optional.of(failed));
            return failed;
        }
        HandoverReport report = machine.handOver(target, spec, request.deadline(), request.probation());
        if (!report.committed()) {
            machine.event(MachineEvent.Kind.NOT_MOVED, report.reason(), Optional.of(report));
            return report;
        }
        machine.event(
                MachineEvent.Kind.MOVED,
                "from engine " + from + " to " + to + ", stopped for " + report.stopped() / 1000 + " µs",
                Optional.of(report));
        return report;
    }

    /** Makes the move warm; a report only if that failed. */
    private Optional<HandoverReport> prepare(LoadedEngine target, MachineSpec spec, UpgradeRequest request) {
        LoadedEngine source = machine.home().engine();
        String from = source.jar().version();
        String to = target.jar().version();
        // What was rehearsed once in a process stays warm there.
        if (!target.warmFrom(source, spec.cpus())) {
            machine.event(MachineEvent.Kind.REHEARSING, "engine " + to);
            try {
                rehearse(target, spec, request.rehearsal());
            } catch (HostException e) {
                return Optional.of(HandoverReport.notBegun(from, to, Outcome.FAILED, List.of(e.getMessage())));
            }
        }
        Optional<HandoverReport> copy = machine.copyState(target, spec, request.deadline());
        copy.filter(report -> report.outcome() == Outcome.POSSIBLE)
                .ifPresent(report -> machine.event(
                        MachineEvent.Kind.REHEARSING,
                        "engine " + to + ", with the machine's own state: stopped for " + report.stopped() / 1000
                                + " µs"));
        return copy.filter(report -> report.outcome() == Outcome.FAILED);
    }

    /**
     * Tells the target which code of the guest is hot, so that the guest is fast there at once. A source that does not tell
     * is no reason to stay there.
     *
     * @param limit how long the target may compile ahead
     * @throws HostException if the target fails at it
     */
    private void passHotCode(LoadedEngine target, MachineSpec spec, Duration limit) {
        Residence home = machine.home();
        home.engine().retain();
        target.retain();
        try {
            String source = "asking engine " + home.engine().jar().version() + " for hot code";
            byte[] told = Isolated.call(
                    source, TELLING, () -> Objects.requireNonNull(home.machine().hotCode()));
            // One that tells nothing leaves what another has said.
            hotCode = told.length > 0 ? told : hotCode;
        } catch (HostException e) {
            LOG.log(System.Logger.Level.DEBUG, "machine " + machine.name() + ": " + e.getMessage());
        } finally {
            home.engine().release();
        }
        try {
            readyHotCode(target, spec, limit, limit.plus(GRACE));
        } finally {
            target.release();
        }
    }

    /**
     * Lets a copy of the guest go ahead, which finds out which code is hot there, if there can be one.
     *
     * @param limit how long it may take
     * @throws HostException if the target fails with it
     */
    private void runAhead(LoadedEngine target, MachineSpec spec, Duration limit) {
        Residence home = machine.home();
        String engine = "engine " + target.jar().version();
        String obstacle = Forerunner.obstacle(machine);
        if (!obstacle.isEmpty()) {
            machine.event(MachineEvent.Kind.REHEARSING, engine + ", without a copy of the guest: " + obstacle);
            return;
        }
        byte[] known = hotCode;
        home.engine().retain();
        target.retain();
        try {
            Optional<Forerunner.Outcome> ran = Isolated.call(
                    "running a copy of the guest on " + engine,
                    limit.plus(GRACE),
                    () -> new Forerunner(machine, target, spec).run(known, limit));
            machine.event(
                    MachineEvent.Kind.REHEARSING,
                    ran.map(outcome -> String.format(
                                    Locale.ROOT,
                                    "%s, with a copy of the guest: %,d instructions in %.1f s",
                                    engine,
                                    outcome.instructions(),
                                    outcome.nanos() / 1e9))
                            .orElse(engine + ", without a copy of the guest: there was no time for one"));
            hotCode = ran.map(Forerunner.Outcome::hotCode)
                    .filter(told -> told.length > 0)
                    .orElse(known);
            readyHotCode(target, spec, limit, limit.plus(GRACE));
        } finally {
            target.release();
            home.engine().release();
        }
    }

    /** Reminds the engine that it came from of what it has said. In a hurry: the guest may stand still already. */
    private void returnHotCode(LoadedEngine target, MachineSpec spec) {
        try {
            readyHotCode(target, spec, Duration.ZERO, TELLING);
        } catch (HostException e) {
            LOG.log(System.Logger.Level.DEBUG, "machine " + machine.name() + ": " + e.getMessage());
        }
    }

    private void readyHotCode(LoadedEngine target, MachineSpec spec, Duration limit, Duration patience) {
        byte[] told = hotCode;
        if (told.length == 0) {
            return;
        }
        String engine = "engine " + target.jar().version();
        Isolated.call("readying code on " + engine, patience, () -> {
            try {
                target.engine().prepare(spec, told, memory, limit);
            } catch (EngineException e) {
                // Not every engine can read what another one says, nor has to.
                LOG.log(System.Logger.Level.DEBUG, engine + ": hot code: " + e.getMessage());
            }
            return null;
        });
    }

    /** Makes the source's saving and the target's restoring warm while the guest runs on. */
    private void rehearse(LoadedEngine target, MachineSpec spec, Duration limit) {
        Residence home = machine.home();
        home.engine().retain();
        target.retain();
        try {
            Isolated.call("rehearsing on engine " + target.jar().version(), limit.plus(GRACE), () -> {
                Rehearsal.run(home.engine(), home.spec(), target, spec, limit);
                return null;
            });
            target.warmedFrom(home.engine(), spec.cpus());
            home.engine().warmedFrom(target, spec.cpus());
        } finally {
            target.release();
            home.engine().release();
        }
    }
}
