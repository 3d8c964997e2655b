package dev.multivisor.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** Every route over a real socket, as any HTTP client sees it, and bad input to each. */
@Timeout(120)
class ControlServerTest {
    private static final String QUICK = "\"rehearsalMillis\": 0, \"deadlineMillis\": 5000";

    @TempDir
    Path work;

    private final Api api;
    private ServedMachine served;

    ControlServerTest() throws Exception {
        api = new Api();
    }

    @BeforeEach
    void serve() throws Exception {
        served = new ServedMachine(work);
    }

    @AfterEach
    void close() {
        served.close();
    }

    private record Answer(int status, String type, String text) {
        JsonNode json() {
            return Json.LENIENT.readTree(text);
        }

        String error() {
            return json().get("error").asString();
        }
    }

    @Test
    void machinesAreShown() throws Exception {
        JsonNode all = ask("GET", "/v1/machines", "/v1/machines", "", 200).json();
        assertEquals(1, all.get("machines").size());
        JsonNode one =
                ask("GET", "/v1/machines/{name}", "/v1/machines/vm", "", 200).json();
        assertEquals("vm", one.get("name").asString());
        assertEquals("running", one.get("phase").asString());
        assertEquals("1", one.get("engine").asString());
        assertFalse(one.has("previous"));
        assertEquals(16 << 20, one.get("memoryBytes").asInt());
        assertEquals("red", one.get("parameters").get("colour").asString());
        assertEquals(ProcessHandle.current().pid(), one.get("pid").asLong());
    }

    @Test
    void aMachineIsUpgradedAndRolledBack() throws Exception {
        String body = "{\"to\": \"2\", \"parameters\": {\"colour\": \"\", \"size\": \"1\"}, " + QUICK + "}";
        JsonNode moved = upgrade(body, 200).json();
        assertEquals("moved", moved.get("outcome").asString(), moved.toString());
        assertEquals(3, moved.get("stateBytes").asInt());
        MachineView there = served.client.machine(served.socket.path(), "vm");
        assertEquals("2", there.engine());
        assertEquals(Optional.of("1"), there.previous());
        assertEquals(Map.of("size", "1"), there.parameters());
        assertEquals(
                List.of("1", "2"),
                there.usage().stream().map(MachineView.Usage::engine).toList());
        JsonNode back = rollBack("", 200).json();
        assertEquals("moved", back.get("outcome").asString());
        assertEquals("1", served.client.machine(served.socket.path(), "vm").engine());
        assertEquals(
                Map.of("colour", "red"),
                served.client.machine(served.socket.path(), "vm").parameters());
    }

    @Test
    void aDryRunTouchesNothing() throws Exception {
        assertEquals(
                "possible",
                upgrade("{\"to\": \"2\", \"dryRun\": true}", 200)
                        .json()
                        .get("outcome")
                        .asString());
        JsonNode refused =
                upgrade("{\"to\": \"newest\", \"dryRun\": true}", 200).json();
        assertEquals("refused", refused.get("outcome").asString());
        assertEquals("9", refused.get("to").asString());
        assertEquals(2, refused.get("reasons").size());
        assertEquals("1", served.machine.status().engine());
        assertEquals(0, served.machine.status().handovers());
    }

    @Test
    void aRefusedOrFailedMoveNamesEachReason() throws Exception {
        JsonNode refused = upgrade("{\"to\": \"9\"}", 200).json();
        assertEquals("refused", refused.get("outcome").asString());
        assertEquals("section serial: is unknown", refused.get("reasons").get(0).asString());
        JsonNode failed = upgrade("{\"to\": \"2\", \"parameters\": {\"fail\": \"1\"}, " + QUICK + "}", 200)
                .json();
        assertEquals("failed", failed.get("outcome").asString());
        assertTrue(failed.get("reasons").get(0).asString().contains("field rip: is absent"), failed.toString());
        assertEquals(
                "running", served.client.machine(served.socket.path(), "vm").phase());
    }

    @Test
    void aMachineIsPausedResumedAndStopped() throws Exception {
        for (String action : List.of("pause", "pause", "resume", "resume", "stop")) {
            JsonNode machine = ask("POST", "/v1/machines/{name}/" + action, "/v1/machines/vm/" + action, "", 200)
                    .json();
            String phase = Map.of("pause", "paused", "resume", "running", "stop", "ended")
                    .get(action);
            assertEquals(phase, machine.get("phase").asString());
        }
        for (String action : List.of("pause", "resume", "stop", "upgrade", "rollback")) {
            String body = action.equals("upgrade") ? "{\"to\": \"2\", " + QUICK + "}" : "";
            Answer answer = ask("POST", "/v1/machines/{name}/" + action, "/v1/machines/vm/" + action, body, 409);
            assertTrue(answer.error().startsWith("machine vm: "), answer.text);
        }
    }

    @Test
    void aSnapshotIsMade() throws Exception {
        String name = "s" + System.nanoTime();
        JsonNode first = snapshot("{\"name\": \"" + name + "\"}", 200).json();
        assertEquals(name, first.get("name").asString());
        assertEquals("vm", first.get("machine").asString());
        assertEquals("1", first.get("engine").asString());
        assertEquals(16 << 20, first.get("memoryBytes").asInt());
        assertFalse(first.get("live").asBoolean());
        assertFalse(first.has("parent"));
        assertTrue(Files.exists(Path.of(first.get("path").asString()).resolve("manifest.json")), first.toString());
        assertEquals(
                "running", served.client.machine(served.socket.path(), "vm").phase());
        JsonNode second = snapshot("{\"parent\": \"" + name + "\"}", 200).json();
        assertEquals(name, second.get("parent").asString());
        assertTrue(second.get("name").asString().startsWith("vm-"), second.toString());
        assertError(409, "there is one of this name already", snapshot("{\"name\": \"" + name + "\"}", 409));
        assertError(400, "snapshot \"a b\": is not 1 to 64", snapshot("{\"name\": \"a b\"}", 400));
        assertError(400, "snapshot absent: there is none", snapshot("{\"parent\": \"absent\"}", 400));
        assertError(400, "live: has a value of another type", snapshot("{\"live\": \"yes\"}", 400));
        assertError(400, "alive: there is no such field", snapshot("{\"alive\": true}", 400));
        assertError(409, "machine vm: engine 1 tracks no pages", snapshot("{\"live\": true}", 409));
        served.machine.stop("done");
        assertError(409, "machine vm: ", snapshot("", 409));
    }

    private Answer snapshot(String body, int status) throws Exception {
        return ask("POST", "/v1/machines/{name}/snapshot", "/v1/machines/vm/snapshot", body, status);
    }

    @Test
    void aMachineThatCannotBeWatchedSaysWhy() throws Exception {
        assertError(409, "machine vm: engine 1 cannot track pages", watch("", 409));
        assertError(400, "all: \"maybe\" is not true or false", watch("?all=maybe", 400));
        ControlException refused = assertThrows(
                ControlException.class, () -> served.client.watch(served.socket.path(), "vm", true, line -> {}));
        assertEquals("machine vm: engine 1 cannot track pages", refused.getMessage());
        served.machine.stop("done");
        assertError(409, "machine vm: has ended", watch("", 409));
    }

    private Answer watch(String query, int status) throws Exception {
        return ask("GET", "/v1/machines/{name}/watch", "/v1/machines/vm/watch" + query, "", status);
    }

    @Test
    void compiledCodeIsExplained() throws Exception {
        String route = "/v1/machines/{name}/code";
        String code = "/v1/machines/vm/code";
        assertError(409, "engine 1: compiled code: this engine has none", ask("GET", route, code, "", 409));
        upgrade("{\"to\": \"2\", " + QUICK + "}", 200);
        JsonNode busiest = ask("GET", route, code, "", 200).json();
        assertEquals("a region\n", busiest.get("text").asString());
        assertFalse(busiest.has("address"));
        assertEquals("2", busiest.get("engine").asString());
        for (String address : List.of("0xffffffff81000010", "FFFFFFFF81000010")) {
            JsonNode there =
                    ask("GET", route, code + "?address=" + address, "", 200).json();
            assertEquals("0xffffffff81000010", there.get("address").asString());
        }
        CodeView view = served.client.code(served.socket.path(), "vm", OptionalLong.of(0xffffffff81000010L));
        assertEquals(9 * 400_000, view.text().length(), "longer than a client usually takes");
        assertError(
                404, "machine vm: no compiled code holds 0x1000", ask("GET", route, code + "?address=1000", "", 404));
        for (String address : List.of("", "0x", "main", "-1", "10000000000000000")) {
            assertError(
                    400,
                    "address: \"" + address + "\" is no address",
                    ask("GET", route, code + "?address=" + address, "", 400));
        }
        assertError(404, "machine web: there is none", ask("GET", route, "/v1/machines/web/code", "", 404));
        served.machine.stop("done");
        assertError(409, "machine vm: has ended", ask("GET", route, code, "", 409));
    }

    /** As a run does, which ends with its machine. */
    @Test
    void whoStopsTheLastMachineIsToldSo() throws Exception {
        Thread run = Thread.ofPlatform().start(() -> {
            try {
                served.machine.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            served.server.close();
        });
        assertEquals("ended", served.client.stop(served.socket.path(), "vm").phase());
        run.join(30_000);
        assertFalse(run.isAlive());
    }

    @Test
    void enginesAreShown() throws Exception {
        JsonNode engines = ask("GET", "/v1/engines", "/v1/engines", "", 200).json();
        assertEquals(3, engines.get("engines").size());
        assertEquals("vm", engines.get("engines").get(0).get("machines").get(0).asString());
        assertEquals(
                "engine old.jar: is damaged", engines.get("problems").get(0).asString());
        assertEquals(3, served.client.engines(served.socket.path()).size());
    }

    @Test
    void eventsAreLinesOfJson() throws Exception {
        upgrade("{\"to\": \"2\", " + QUICK + "}", 200);
        Answer answer = http("GET", "/v1/events", "");
        List<String> kinds = new ArrayList<>();
        for (String line : answer.text.lines().toList()) {
            JsonNode event = Json.LENIENT.readTree(line);
            api.check("/v1/events", "GET", answer.status, answer.type, event);
            kinds.add(event.get("kind").asString());
        }
        assertEquals(List.of("created", "running", "moved"), kinds);
    }

    @Test
    void eventsAreFollowedToTheEnd() throws Exception {
        BlockingQueue<EventView> seen = new LinkedBlockingQueue<>();
        Thread follower = Thread.ofPlatform().start(() -> served.client.events(served.socket.path(), true, seen::add));
        assertEquals("created", next(seen).kind());
        assertEquals("running", next(seen).kind());
        served.machine.pause();
        assertEquals("paused", next(seen).kind());
        served.machine.stop("done");
        assertEquals("ended", next(seen).kind());
        served.server.close();
        follower.join(30_000);
        assertFalse(follower.isAlive());
    }

    private static EventView next(BlockingQueue<EventView> events) throws InterruptedException {
        EventView event = events.poll(30, TimeUnit.SECONDS);
        assertTrue(event != null, "no event came");
        return event;
    }

    @Test
    void metricsAreWhatPrometheusReads() throws Exception {
        upgrade("{\"to\": \"2\", " + QUICK + "}", 200);
        upgrade("{\"to\": \"9\"}", 200);
        Answer answer = http("GET", "/metrics", "");
        assertEquals(200, answer.status);
        assertTrue(answer.type.startsWith("text/plain"), answer.type);
        for (String line : List.of(
                "multivisor_machine_engine_info{machine=\"vm\",version=\"2\"} 1",
                "multivisor_machine_running{machine=\"vm\"} 1.0",
                "multivisor_handovers_total{from=\"1\",machine=\"vm\",outcome=\"moved\",to=\"2\"} 1.0",
                "multivisor_handovers_total{from=\"2\",machine=\"vm\",outcome=\"refused\",to=\"9\"} 1.0",
                "multivisor_handover_stopped_seconds_bucket{machine=\"vm\",le=\"+Inf\"} 1",
                "multivisor_engine_failures_total{engine=\"1\",machine=\"vm\"} 0.0")) {
            assertTrue(answer.text.lines().anyMatch(line::equals), line + " is not in\n" + answer.text);
        }
        for (String start : List.of(
                "multivisor_instructions_total{engine=\"1\",machine=\"vm\"} ",
                "multivisor_cpu_seconds_total{engine=\"2\",machine=\"vm\"} ",
                "multivisor_guest_seconds_total{engine=\"2\",machine=\"vm\"} ",
                "multivisor_engine_events_total{engine=\"1\",machine=\"vm\",name=\"rounds\"} ")) {
            assertTrue(answer.text.lines().anyMatch(line -> line.startsWith(start)), start + "\n" + answer.text);
        }
    }

    @Test
    void theDescriptionIsServed() throws Exception {
        Answer answer = http("GET", "/openapi.yaml", "");
        assertEquals("application/yaml", answer.type);
        assertTrue(answer.text.startsWith("openapi: 3.1"));
    }

    @Test
    void badInputIsOneLineThatNamesTheField() throws Exception {
        assertError(400, "to: is missing", upgrade("", 400));
        assertError(400, "to: is missing", upgrade("{\"deadlineMillis\": 5}", 400));
        assertError(400, "to: has a value of another type", upgrade("{\"to\": 2}", 400));
        assertError(400, "engine: there is no version 3 here; there is 1, 2, 9", upgrade("{\"to\": \"3\"}", 400));
        assertError(400, "tp: there is no such field", upgrade("{\"tp\": \"2\"}", 400));
        assertError(400, "deadlineMillis: 0 is not between 1", upgrade("{\"to\": \"2\", \"deadlineMillis\": 0}", 400));
        assertError(400, "deadlineMillis: has a value", upgrade("{\"to\": \"2\", \"deadlineMillis\": \"1\"}", 400));
        assertError(400, "deadlineMillis: has a value", upgrade("{\"to\": \"2\", \"deadlineMillis\": 1.5}", 400));
        assertError(400, "rehearsalMillis: -1 is not", upgrade("{\"to\": \"2\", \"rehearsalMillis\": -1}", 400));
        assertError(400, "dryRun: has a value", upgrade("{\"to\": \"2\", \"dryRun\": \"yes\"}", 400));
        assertError(400, "parameters.a: has a value", upgrade("{\"to\": \"2\", \"parameters\": {\"a\": []}}", 400));
        assertError(400, "the body is no JSON: ", upgrade("{\"to\": ", 400));
        assertError(400, "the body is no JSON: ", upgrade("to=2", 400));
        assertError(400, "the body is not an object", upgrade("[]", 400));
        assertError(400, "the body is null", upgrade("null", 400));
        assertError(400, "the body is longer than", upgrade("{\"to\": \"" + "2".repeat(70_000) + "\"}", 400));
        assertError(400, "deadlineMillis: has a value", rollBack("{\"deadlineMillis\": {}}", 400));
        assertError(409, "machine vm: has been on no other engine", rollBack("", 409));
        assertError(
                400,
                "follow: \"maybe\" is not true or false",
                ask("GET", "/v1/events", "/v1/events?follow=maybe", "", 400));
        assertEquals(0, served.machine.status().handovers());
    }

    @Test
    void whatIsNotThereIsNamed() throws Exception {
        for (String action : List.of("", "/console", "/watch")) {
            assertError(
                    404,
                    "machine web: there is none of this name",
                    ask("GET", "/v1/machines/{name}" + action, "/v1/machines/web" + action, "", 404));
        }
        for (String action : List.of("upgrade", "rollback", "pause", "resume", "stop", "snapshot")) {
            assertError(
                    404,
                    "machine web: there is none of this name",
                    ask("POST", "/v1/machines/{name}/" + action, "/v1/machines/web/" + action, "{}", 404));
        }
        assertError(404, "/v2: there is nothing here", http("GET", "/v2", ""));
        assertError(404, "/: there is nothing here", http("GET", "/", ""));
        assertError(405, "/v1/machines: takes GET only", http("POST", "/v1/machines", ""));
        assertError(405, "takes POST only", http("GET", "/v1/machines/vm/stop", ""));
        assertError(404, "there is nothing here", http("GET", "/v1/machines/vm/", ""));
    }

    @Test
    void whatIsNoRequestIsAnError() throws Exception {
        assertEquals(400, raw("GET\r\n\r\n").status);
        assertEquals(400, raw("GET /v1/machines HTTP/1.1\r\n\r\n").status);
        assertTrue(raw("nonsense nonsense nonsense\r\n\r\n").status >= 400);
        assertEquals(200, http("GET", "/v1/machines", "").status);
    }

    @Test
    void onlyTheOwnerMayUseTheSocket() throws Exception {
        assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(served.socket.path())));
        assertEquals(
                "rwx------",
                PosixFilePermissions.toString(
                        Files.getPosixFilePermissions(served.socket.path().getParent())));
        assertEquals(List.of(served.socket), served.folder.sockets());
        served.server.close();
        assertEquals(List.of(), served.folder.sockets());
        ControlException gone =
                assertThrows(ControlException.class, () -> served.client.machines(served.socket.path()));
        assertTrue(gone.unreachable());
        assertTrue(gone.getMessage().startsWith("socket " + served.socket.path() + ": does not answer ("));
        assertTrue(gone.getMessage().length() < served.socket.path().toString().length() + 80, gone.getMessage());
    }

    private Answer upgrade(String body, int status) throws Exception {
        return ask("POST", "/v1/machines/{name}/upgrade", "/v1/machines/vm/upgrade", body, status);
    }

    private Answer rollBack(String body, int status) throws Exception {
        return ask("POST", "/v1/machines/{name}/rollback", "/v1/machines/vm/rollback", body, status);
    }

    private static void assertError(int status, String message, Answer answer) {
        assertEquals(status, answer.status, answer.text);
        assertTrue(answer.error().contains(message), answer.text);
        assertEquals(1, answer.error().lines().count(), answer.text);
    }

    /** Asks, and checks that the answer is as the description says. */
    private Answer ask(String method, String route, String path, String body, int status) throws Exception {
        Answer answer = http(method, path, body);
        assertEquals(status, answer.status, answer.text);
        api.check(route, method, status, answer.type, answer.json());
        return answer;
    }

    private Answer http(String method, String path, String body) throws Exception {
        byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
        String length = bytes.length == 0 && method.equals("GET") ? "" : "Content-Length: " + bytes.length + "\r\n";
        return raw(
                method + " " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + length + "\r\n" + body);
    }

    /** HTTP by hand, so that nothing is made right on the way. */
    private Answer raw(String request) throws Exception {
        try (SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX)) {
            channel.connect(UnixDomainSocketAddress.of(served.socket.path()));
            ByteBuffer bytes = ByteBuffer.wrap(request.getBytes(StandardCharsets.UTF_8));
            while (bytes.hasRemaining()) {
                channel.write(bytes);
            }
            String answer = new String(Channels.newInputStream(channel).readAllBytes(), StandardCharsets.UTF_8);
            int end = answer.indexOf("\r\n\r\n");
            assertTrue(answer.startsWith("HTTP/1.1 ") && end > 0, answer);
            String head = answer.substring(0, end);
            String type = head.lines()
                    .filter(line -> line.toLowerCase(java.util.Locale.ROOT).startsWith("content-type: "))
                    .map(line -> line.substring("content-type: ".length()))
                    .findFirst()
                    .orElse("");
            String text = answer.substring(end + 4);
            boolean chunked = head.contains("chunked");
            return new Answer(Integer.parseInt(head.substring(9, 12)), type, chunked ? unchunked(text) : text);
        }
    }

    private static String unchunked(String text) {
        StringBuilder whole = new StringBuilder();
        int at = 0;
        while (true) {
            int end = text.indexOf("\r\n", at);
            int size = Integer.parseInt(text.substring(at, end), 16);
            if (size == 0) {
                return whole.toString();
            }
            whole.append(text, end + 2, end + 2 + size);
            at = end + 2 + size + 2;
        }
    }
}
