package dev.multivisor.server;

import dev.multivisor.host.EngineCatalog;
import dev.multivisor.host.EngineJar;
import dev.multivisor.host.EnginePool;
import dev.multivisor.host.HandoverReport;
import dev.multivisor.host.HostException;
import dev.multivisor.host.MachineEvent;
import dev.multivisor.host.MachineHost;
import dev.multivisor.host.UpgradeRequest;
import dev.multivisor.host.VirtualMachine;
import dev.multivisor.snapshots.SnapshotRequest;
import dev.multivisor.snapshots.SnapshotStore;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import java.util.function.Supplier;

/** What is asked of machines and engines. */
final class MachineRoutes {
    private final MachineHost host;

    MachineRoutes(MachineHost host) {
        this.host = host;
    }

    List<Route> routes() {
        return List.of(
                new Route("GET", "/v1/machines", this::machines),
                new Route("GET", "/v1/machines/{name}", call -> show(call, machine(call))),
                new Route("GET", "/v1/machines/{name}/code", this::code),
                new Route("POST", "/v1/machines/{name}/upgrade", this::upgrade),
                new Route("POST", "/v1/machines/{name}/rollback", this::rollBack),
                new Route("POST", "/v1/machines/{name}/pause", call -> change(call, VirtualMachine::pause)),
                new Route("POST", "/v1/machines/{name}/resume", call -> change(call, VirtualMachine::resume)),
                new Route("POST", "/v1/machines/{name}/stop", this::stop),
                new Route("POST", "/v1/machines/{name}/snapshot", this::snapshot),
                new Route("GET", "/v1/engines", this::engines));
    }

    private void machines(Call call) {
        List<MachineView> views = host.machines().stream().map(MachineView::of).toList();
        call.answer(200, Map.of("machines", views));
    }

    /** The machine that the path names. */
    VirtualMachine machine(Call call) {
        String name = call.name("name");
        return host.machines().stream()
                .filter(machine -> machine.name().equals(name))
                .findFirst()
                .orElseThrow(() -> new ControlException(
                        ControlException.NOT_FOUND, "machine " + name + ": there is none of this name"));
    }

    private static void show(Call call, VirtualMachine machine) {
        call.answer(200, MachineView.of(machine));
    }

    private void code(Call call) {
        VirtualMachine machine = machine(call);
        requireGoingOn(machine);
        OptionalLong address = call.address("address");
        Optional<String> asked = address.stream()
                .mapToObj(linear -> "0x" + Long.toHexString(linear))
                .findFirst();
        String engine = machine.status().engine();
        String text = machine.explain(address)
                .orElseThrow(() -> new ControlException(
                        ControlException.NOT_FOUND,
                        "machine " + machine.name() + ": "
                                + asked.map(linear -> "no compiled code holds " + linear)
                                        .orElse("nothing is compiled yet")));
        call.answer(200, new CodeView(machine.name(), engine, asked, text));
    }

    private static void requireGoingOn(VirtualMachine machine) {
        if (machine.ended()) {
            throw new ControlException(ControlException.CONFLICT, "machine " + machine.name() + ": has ended");
        }
    }

    private void change(Call call, Consumer<VirtualMachine> change) {
        VirtualMachine machine = machine(call);
        requireGoingOn(machine);
        change.accept(machine);
        show(call, machine);
    }

    private void stop(Call call) {
        change(call, machine -> machine.stop(ControlServer.STOPPED));
    }

    private void upgrade(Call call) throws IOException {
        VirtualMachine machine = machine(call);
        MoveRequest asked = call.body(MoveRequest.class);
        String to = asked.to()
                .orElseThrow(() -> new ControlException(
                        ControlException.BAD_REQUEST,
                        "to: is missing; it is an engine's version, or \"" + MoveRequest.NEWEST + "\""));
        UpgradeRequest request = asked.checked();
        try (EnginePool.Lease lease = lease(to)) {
            if (asked.dryRun().orElse(false)) {
                List<String> reasons = machine.preflight(lease.engine(), request.parameters());
                call.answer(
                        200,
                        MoveView.preflight(
                                machine.status().engine(), lease.engine().jar().version(), reasons));
            } else {
                call.answer(200, timed(machine, () -> machine.upgrade(lease.engine(), request)));
            }
        }
    }

    private EnginePool.Lease lease(String version) {
        try {
            return host.lease(version.equals(MoveRequest.NEWEST) ? "" : version);
        } catch (HostException e) {
            throw new ControlException(ControlException.BAD_REQUEST, e.getMessage());
        }
    }

    private void rollBack(Call call) throws IOException {
        VirtualMachine machine = machine(call);
        RollbackRequest asked = call.body(RollbackRequest.class);
        Duration deadline =
                MoveRequest.time("deadlineMillis", asked.deadlineMillis(), UpgradeRequest.STANDARD.deadline(), 1);
        call.answer(200, timed(machine, () -> machine.rollBack(deadline)));
    }

    /** Moves a machine, and takes the time of the rehearsal: from its event to the end, less the stop. */
    private MoveView timed(VirtualMachine machine, Supplier<HandoverReport> move) {
        AtomicLong rehearsing = new AtomicLong();
        AtomicLong end = new AtomicLong();
        Consumer<MachineEvent> watch = event -> {
            if (event.machine().equals(machine.name())) {
                (event.kind() == MachineEvent.Kind.REHEARSING ? rehearsing : end).compareAndSet(0, System.nanoTime());
            }
        };
        host.onEvent(watch);
        try {
            HandoverReport report = move.get();
            boolean rehearsed = rehearsing.get() != 0 && end.get() != 0;
            return MoveView.of(report, rehearsed ? end.get() - rehearsing.get() - report.stopped() : 0);
        } finally {
            host.offEvent(watch);
        }
    }

    private void snapshot(Call call) throws IOException {
        VirtualMachine machine = machine(call);
        SnapshotAsked asked = call.body(SnapshotAsked.class);
        SnapshotStore store = SnapshotStore.open();
        SnapshotRequest request = asked.checked(machine, store);
        call.answer(200, SnapshotView.of(store.create(machine, request)));
    }

    private void engines(Call call) {
        EngineCatalog catalog = host.engines();
        List<EngineView> views = catalog.engines().stream().map(this::view).toList();
        call.answer(200, Map.of("engines", views, "problems", catalog.problems()));
    }

    private EngineView view(EngineJar jar) {
        List<String> on = host.machines().stream()
                .filter(machine -> machine.engine().jar().equals(jar))
                .map(VirtualMachine::name)
                .toList();
        return new EngineView(jar.version(), jar.contract(), jar.path().toString(), on);
    }
}
