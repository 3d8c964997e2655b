package dev.multivisor.server;

import dev.multivisor.host.EngineUsage;
import dev.multivisor.host.HandoverReport;
import dev.multivisor.host.MachineEvent;
import dev.multivisor.host.MachineHost;
import dev.multivisor.host.MachineStatus;
import dev.multivisor.host.VirtualMachine;
import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.Histogram;
import io.prometheus.metrics.expositionformats.PrometheusTextFormatWriter;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.prometheus.metrics.model.snapshots.CounterSnapshot;
import io.prometheus.metrics.model.snapshots.GaugeSnapshot;
import io.prometheus.metrics.model.snapshots.InfoSnapshot;
import io.prometheus.metrics.model.snapshots.Labels;
import io.prometheus.metrics.model.snapshots.MetricSnapshots;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;

/** What Prometheus is told of the machines. */
final class Metrics implements AutoCloseable {
    private static final double[] STOPPED_SECONDS = {
        0.0001, 0.0002, 0.0003, 0.0005, 0.00075, 0.001, 0.0015, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 1
    };

    private final MachineHost host;
    private final PrometheusRegistry registry = new PrometheusRegistry();
    private final PrometheusTextFormatWriter writer = PrometheusTextFormatWriter.create();
    private final Counter handovers;
    private final Histogram stopped;
    private final Consumer<MachineEvent> listener = this::count;

    Metrics(MachineHost host) {
        this.host = host;
        handovers = Counter.builder()
                .name("multivisor_handovers_total")
                .help("Attempts to move a machine to another engine.")
                .labelNames("machine", "from", "to", "outcome")
                .register(registry);
        stopped = Histogram.builder()
                .name("multivisor_handover_stopped_seconds")
                .help("How long the guest stood still in a handover.")
                .labelNames("machine")
                .classicOnly()
                .classicUpperBounds(STOPPED_SECONDS)
                .register(registry);
        registry.register(this::machines);
        host.events().forEach(this::count);
        host.onEvent(listener);
    }

    List<Route> routes() {
        return List.of(new Route("GET", "/metrics", this::metrics));
    }

    private void metrics(Call call) throws IOException {
        ByteArrayOutputStream text = new ByteArrayOutputStream();
        writer.write(text, registry.scrape());
        call.answer(200, PrometheusTextFormatWriter.CONTENT_TYPE, text.toByteArray());
    }

    private void count(MachineEvent event) {
        if (event.handover().isEmpty()) {
            return;
        }
        HandoverReport report = event.handover().get();
        String outcome = report.outcome().name().toLowerCase(Locale.ROOT);
        handovers
                .labelValues(event.machine(), report.from(), report.to(), outcome)
                .inc();
        if (report.committed()) {
            stopped.labelValues(event.machine()).observe(report.stopped() * 1e-9);
        }
    }

    private MetricSnapshots machines() {
        InfoSnapshot.Builder engine =
                InfoSnapshot.builder().name("multivisor_machine_engine").help("The engine that a machine is on.");
        GaugeSnapshot.Builder running = GaugeSnapshot.builder()
                .name("multivisor_machine_running")
                .help("Whether a machine runs: 1, or is paused or has ended: 0.");
        GaugeSnapshot.Builder memory =
                GaugeSnapshot.builder().name("multivisor_machine_memory_bytes").help("Guest memory.");
        CounterSnapshot.Builder instructions = CounterSnapshot.builder()
                .name("multivisor_instructions")
                .help("Guest instructions executed, by engine.");
        CounterSnapshot.Builder cpu = CounterSnapshot.builder()
                .name("multivisor_cpu_seconds")
                .help("Host CPU time of a machine's vCPUs, by engine.");
        CounterSnapshot.Builder guest =
                CounterSnapshot.builder().name("multivisor_guest_seconds").help("Guest time that passed, by engine.");
        CounterSnapshot.Builder failures = CounterSnapshot.builder()
                .name("multivisor_engine_failures")
                .help("How often an engine failed or stood still with a machine.");
        CounterSnapshot.Builder counters =
                CounterSnapshot.builder().name("multivisor_engine_events").help("The engine's own counters, by name.");
        for (VirtualMachine machine : host.machines()) {
            MachineStatus status = machine.status();
            Labels name = Labels.of("machine", status.name());
            boolean runs = status.phase() == MachineStatus.Phase.RUNNING;
            engine.dataPoint(InfoSnapshot.InfoDataPointSnapshot.builder()
                    .labels(name.add("version", status.engine()))
                    .build());
            running.dataPoint(gauge(name, runs ? 1 : 0));
            memory.dataPoint(gauge(name, status.memory()));
            for (EngineUsage usage : machine.usage()) {
                Labels labels = name.add("engine", usage.engine());
                instructions.dataPoint(counter(labels, usage.work().instructions()));
                cpu.dataPoint(counter(labels, usage.work().cpuNanos() * 1e-9));
                guest.dataPoint(counter(labels, usage.work().nanos() * 1e-9));
                failures.dataPoint(counter(labels, usage.failures()));
                usage.counters()
                        .forEach((counter, value) -> counters.dataPoint(counter(labels.add("name", counter), value)));
            }
        }
        return MetricSnapshots.of(
                engine.build(),
                running.build(),
                memory.build(),
                instructions.build(),
                cpu.build(),
                guest.build(),
                failures.build(),
                counters.build());
    }

    private static GaugeSnapshot.GaugeDataPointSnapshot gauge(Labels labels, double value) {
        return GaugeSnapshot.GaugeDataPointSnapshot.builder()
                .labels(labels)
                .value(value)
                .build();
    }

    private static CounterSnapshot.CounterDataPointSnapshot counter(Labels labels, double value) {
        return CounterSnapshot.CounterDataPointSnapshot.builder()
                .labels(labels)
                .value(Math.max(0, value))
                .build();
    }

    @Override
    public void close() {
        host.offEvent(listener);
    }
}
