package dev.multivisor.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.multivisor.host.MachineEvent;
import dev.multivisor.host.MachineStatus;
import dev.multivisor.watch.Alteration;
import io.swagger.v3.oas.models.media.Schema;
import io.swagger.v3.oas.models.parameters.Parameter;
import java.lang.reflect.RecordComponent;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The description and the program say the same. */
class OpenApiTest {
    private static final Map<Class<?>, String> SCHEMAS = Map.ofEntries(
            Map.entry(MachineView.class, "Machine"),
            Map.entry(MachineView.Cpu.class, "Cpu"),
            Map.entry(MachineView.Usage.class, "Usage"),
            Map.entry(CodeView.class, "Code"),
            Map.entry(MoveRequest.class, "MoveRequest"),
            Map.entry(RollbackRequest.class, "RollbackRequest"),
            Map.entry(MoveView.class, "Move"),
            Map.entry(EngineView.class, "Engine"),
            Map.entry(EventView.class, "Event"),
            Map.entry(SnapshotAsked.class, "SnapshotRequest"),
            Map.entry(SnapshotView.class, "Snapshot"),
            Map.entry(WatchView.class, "WatchLine"),
            Map.entry(WatchView.Change.class, "Change"));

    @TempDir
    Path work;

    private final Api api;

    OpenApiTest() throws Exception {
        api = new Api();
    }

    @Test
    void everyRouteIsDescribedAndEveryDescriptionIsServed() throws Exception {
        Set<String> described = new TreeSet<>();
        api.description
                .getPaths()
                .forEach((path, item) ->
                        item.readOperationsMap().keySet().forEach(method -> described.add(method + " " + path)));
        try (ServedMachine served = new ServedMachine(work)) {
            Set<String> routes = served.server.routes().stream()
                    .map(route -> route.method() + " " + route.path())
                    .collect(Collectors.toCollection(TreeSet::new));
            assertEquals(described, routes);
        }
    }

    @Test
    void everyFieldIsDescribed() {
        SCHEMAS.forEach((type, name) -> {
            Schema<?> schema = api.description.getComponents().getSchemas().get(name);
            Set<String> fields = new TreeSet<>();
            Set<String> required = new TreeSet<>();
            for (RecordComponent field : type.getRecordComponents()) {
                fields.add(field.getName());
                if (field.getType() != Optional.class) {
                    required.add(field.getName());
                }
            }
            assertEquals(fields, new TreeSet<>(schema.getProperties().keySet()), name);
            if (type == MoveRequest.class) {
                required.add("to");
            }
            assertEquals(
                    required,
                    new TreeSet<>(Optional.ofNullable(schema.getRequired()).orElse(List.of())),
                    name);
        });
    }

    @Test
    void everyPathNamesItsParameters() {
        api.description.getPaths().forEach((path, item) -> {
            List<Parameter> parameters =
                    Optional.ofNullable(item.getParameters()).orElse(List.of());
            assertEquals(path.contains("{name}"), !parameters.isEmpty(), path);
            assertTrue(path.replace("{name}", "").indexOf('{') < 0, path);
        });
    }

    @Test
    void everyValueOfAnEnumIsDescribed() {
        assertEquals(names(MachineEvent.Kind.values()), values("Event", "kind"));
        Set<String> phases = names(MachineStatus.Phase.values());
        // Shown as ended.
        phases.remove("closed");
        assertEquals(phases, values("Machine", "phase"));
        assertEquals(names(WatchView.Kind.values()), values("WatchLine", "kind"));
        assertEquals(names(Alteration.Part.values()), values("Change", "part"));
        assertEquals(names(Alteration.Means.values()), values("Change", "means"));
        assertEquals(names(dev.multivisor.host.HandoverReport.Outcome.values()), values("Move", "outcome"));
    }

    @Test
    void whatWatchTellsIsAsDescribed() {
        List<WatchView> lines = List.of(
                WatchView.example(),
                WatchView.of(WatchView.Kind.WATCHING, "Linux"),
                WatchView.of(WatchView.Kind.ENDED, ""));
        for (WatchView line : lines) {
            api.check(
                    "/v1/machines/{name}/watch",
                    "GET",
                    200,
                    "application/jsonl",
                    Json.STRICT.readTree(Json.STRICT.writeValueAsBytes(line)));
        }
    }

    private static Set<String> names(Enum<?>[] constants) {
        return Arrays.stream(constants)
                .map(constant -> constant.name().toLowerCase(Locale.ROOT))
                .collect(Collectors.toCollection(TreeSet::new));
    }

    private Set<String> values(String schema, String field) {
        Schema<?> property = (Schema<?>) api.description
                .getComponents()
                .getSchemas()
                .get(schema)
                .getProperties()
                .get(field);
        return property.getEnum().stream().map(String::valueOf).collect(Collectors.toCollection(TreeSet::new));
    }
}
