package dev.multivisor.server;

import java.io.EOFException;
import java.net.SocketException;
import java.net.URI;
import java.net.URLEncoder;
import java.nio.channels.AsynchronousCloseException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import java.util.function.Function;
import org.eclipse.jetty.client.BytesRequestContent;
import org.eclipse.jetty.client.CompletableResponseListener;
import org.eclipse.jetty.client.ContentResponse;
import org.eclipse.jetty.client.HttpClient;
import org.eclipse.jetty.client.Request;
import org.eclipse.jetty.client.transport.HttpClientTransportOverHTTP;
import org.eclipse.jetty.io.Transport;
import org.eclipse.jetty.util.thread.QueuedThreadPool;
import org.eclipse.jetty.websocket.core.Configuration;
import org.eclipse.jetty.websocket.core.client.CoreClientUpgradeRequest;
import org.eclipse.jetty.websocket.core.client.WebSocketCoreClient;
import tools.jackson.core.JacksonException;

/**
 * The other end of {@link ControlServer}s. Each call names the socket to ask. Safe for use by several threads.
 *
 * <p>Calls throw {@link ControlException} with what the server says is wrong, or that it does not answer.
 */
public final class ControlClient implements AutoCloseable {
    /** For what takes milliseconds, on a host whose processors are shared by many vCPUs. */
    private static final Duration PATIENCE = Duration.ofSeconds(30);

    /** The first lines that are read take longer, and the first change is to be told at once. */
    private static final int PRACTICE = 1000;

    /** Longer than a kernel may take to start before it is watched. */
    private static final Duration WATCH_PATIENCE = Duration.ofMinutes(2);

    /** Longer than any rehearsal, deadline or engine's failure to answer, or a large guest's memory on a slow disk, takes. */
    private static final Duration LENGTHY_PATIENCE = Duration.ofHours(3);

    private static final int THREADS = 6;

    /** The most bytes of an answer. */
    private static final int LONGEST = 64 << 20;

    private final HttpClient client;

    private record Machines(List<MachineView> machines) {}

    private record Engines(List<EngineView> engines) {}

    private record Problem(String error) {}

    /** A client that has not connected yet. */
    public ControlClient() {
        client = httpClient(Optional.empty());
        try {
            client.start();
        } catch (Exception e) {
            throw new ControlException(0, "control: cannot be used (" + e.getMessage() + ")");
        }
    }

    /** A client for one socket, or for any that a request names. */
    @SuppressWarnings("try") // Jetty's own close() may be interrupted; it is not called
    private static HttpClient httpClient(Optional<Path> socket) {
        QueuedThreadPool threads = new QueuedThreadPool(THREADS, 1, 0);
        threads.setName("client");
        threads.setDaemon(true);
        HttpClient client = new HttpClient(new HttpClientTransportOverHTTP(1)) {
            @Override
            public Request newRequest(URI uri) {
                Request request = super.newRequest(uri);
                return socket.isEmpty() ? request : request.transport(new Transport.TCPUnix(socket.get()));
            }
        };
        client.setExecutor(threads);
        client.setUserAgentField(null);
        client.setIdleTimeout(0);
        return client;
    }

    /** The machines behind a socket. */
    public List<MachineView> machines(Path socket) {
        return get(socket, "/v1/machines", Machines.class).machines;
    }

    /** A machine. */
    public MachineView machine(Path socket, String name) {
        return get(socket, path(name, ""), MachineView.class);
    }

    /** The engines that machines behind a socket can move to. */
    public List<EngineView> engines(Path socket) {
        return get(socket, "/v1/engines", Engines.class).engines;
    }

    /** The metrics of the machines behind a socket, as Prometheus reads them. */
    public String metrics(Path socket) {
        return send(socket, request(socket, "GET", "/metrics"), PATIENCE).getContentAsString();
    }

    /** Moves a machine to another engine, or asks whether it could be. */
    public MoveView upgrade(Path socket, String name, MoveRequest move) {
        return post(socket, path(name, "/upgrade"), move, MoveView.class);
    }

    /** Moves a machine back. */
    public MoveView rollBack(Path socket, String name, RollbackRequest move) {
        return post(socket, path(name, "/rollback"), move, MoveView.class);
    }

    /** Makes a snapshot of a machine. */
    public SnapshotView snapshot(Path socket, String name, SnapshotAsked asked) {
        return post(socket, path(name, "/snapshot"), asked, SnapshotView.class);
    }

    /**
     * What a machine's engine has made of guest code.
     *
     * @param address a guest-virtual address that it holds; empty for a list of the busiest
     */
    public CodeView code(Path socket, String name, OptionalLong address) {
        String query = address.isEmpty() ? "" : "?address=" + Long.toHexString(address.getAsLong());
        return get(socket, path(name, "/code" + query), CodeView.class);
    }

    /**
     * Reads an address in hexadecimal, with or without {@code 0x}.
     *
     * @throws IllegalArgumentException saying what is wrong
     */
    public static long address(String text) {
        String digits = text.startsWith("0x") || text.startsWith("0X") ? text.substring(2) : text;
        if (!digits.matches("[0-9a-fA-F]{1,16}")) {
            throw new IllegalArgumentException("\"" + text + "\" is no address of up to 16 hexadecimal digits");
        }
        return Long.parseUnsignedLong(digits, 16);
    }

    /** Pauses a machine. */
    public MachineView pause(Path socket, String name) {
        return post(socket, path(name, "/pause"), null, MachineView.class);
    }

    /** Lets a paused machine go on. */
    public MachineView resume(Path socket, String name) {
        return post(socket, path(name, "/resume"), null, MachineView.class);
    }

    /** Ends a machine as pulling the plug does. */
    public MachineView stop(Path socket, String name) {
        return post(socket, path(name, "/stop"), null, MachineView.class);
    }

    /**
     * Reads events, oldest first.
     *
     * @param follow whether to wait for those that come, until the other end is gone
     */
    public void events(Path socket, boolean follow, Consumer<EventView> consumer) {
        lines(
                socket,
                "/v1/events?follow=" + follow,
                PATIENCE,
                line -> Json.LENIENT.readValue(line, EventView.class),
                consumer);
    }

    /**
     * Watches a machine's kernel, until the machine has ended or the other end is gone.
     *
     * @param all whether to tell each change that the kernel makes itself
     * @param consumer is called for each line as it comes
     */
    public void watch(Path socket, String name, boolean all, Consumer<WatchView> consumer) {
        byte[] example = Json.STRICT.writeValueAsBytes(WatchView.example());
        for (int n = 0; n < PRACTICE; n++) {
            Json.LENIENT.readValue(example, WatchView.class);
        }
        watch(socket, name, all, line -> Json.LENIENT.readValue(line, WatchView.class), consumer);
    }

    /** As {@link #watch}, with the lines of JSON as they are, which takes less time. */
    public void watchLines(Path socket, String name, boolean all, Consumer<String> consumer) {
        watch(socket, name, all, line -> new String(line, StandardCharsets.UTF_8), consumer);
    }

    private <T> void watch(Path socket, String name, boolean all, Function<byte[], T> parser, Consumer<T> consumer) {
        lines(socket, path(name, "/watch?all=" + all), WATCH_PATIENCE, parser, consumer);
    }

    /** @param patience how long the answer may take to begin */
    private <T> void lines(
            Path socket, String path, Duration patience, Function<byte[], T> parser, Consumer<T> consumer) {
        try {
            new LineReader<>(parser, consumer).read(request(socket, "GET", path), patience);
        } catch (InterruptedException e) {
            throw interrupted();
        } catch (ExecutionException | TimeoutException e) {
            throw unreachable(socket, e);
        }
    }

    /**
     * Attaches to a machine's serial console.
     *
     * @param force whether to take over from somebody else
     * @param output takes what the guest prints; must not block for long
     */
    public ConsoleLink console(Path socket, String name, boolean force, Consumer<byte[]> output) {
        String path = path(name, "/console?force=" + force);
        WebSocketCoreClient sockets = new WebSocketCoreClient(httpClient(Optional.of(socket)), null);
        ConsoleLink link = new ConsoleLink(output, sockets);
        CoreClientUpgradeRequest request =
                CoreClientUpgradeRequest.from(sockets, URI.create("ws://localhost" + path), link.handler());
        Configuration.ConfigurationCustomizer settings = new Configuration.ConfigurationCustomizer();
        settings.setIdleTimeout(Duration.ZERO);
        request.setConfiguration(settings);
        try {
            sockets.start();
            sockets.connect(request).get(PATIENCE.toMillis(), TimeUnit.MILLISECONDS);
            return link;
        } catch (InterruptedException e) {
            link.close();
            throw interrupted();
        } catch (Exception e) {
            link.close();
            // Without WebSocket, the answer tells why.
            send(socket, request(socket, "GET", path), PATIENCE);
            throw unreachable(socket, e);
        }
    }

    private static String path(String name, String rest) {
        return "/v1/machines/" + URLEncoder.encode(name, StandardCharsets.UTF_8).replace("+", "%20") + rest;
    }

    private <T> T get(Path socket, String path, Class<T> type) {
        return read(send(socket, request(socket, "GET", path), PATIENCE), type);
    }

    private <T> T post(Path socket, String path, Object body, Class<T> type) {
        Request request = request(socket, "POST", path);
        if (body != null) {
            request.body(new BytesRequestContent("application/json", Json.STRICT.writeValueAsBytes(body)));
        }
        boolean lengthy = body instanceof MoveRequest || body instanceof SnapshotAsked;
        return read(send(socket, request, lengthy ? LENGTHY_PATIENCE : Duration.ofMinutes(2)), type);
    }

    private Request request(Path socket, String method, String path) {
        return client.newRequest("http://localhost" + path).method(method).transport(new Transport.TCPUnix(socket));
    }

    private static ContentResponse send(Path socket, Request request, Duration patience) {
        try {
            ContentResponse response = new CompletableResponseListener(
                            request.timeout(patience.toMillis(), TimeUnit.MILLISECONDS), LONGEST)
                    .send()
                    .get();
            if (response.getStatus() != 200) {
                throw problem(response.getStatus(), response.getContent());
            }
            return response;
        } catch (InterruptedException e) {
            request.abort(e);
            throw interrupted();
        } catch (ExecutionException e) {
            throw unreachable(socket, e);
        }
    }

    private static <T> T read(ContentResponse response, Class<T> type) {
        try {
            return Json.LENIENT.readValue(response.getContent(), type);
        } catch (JacksonException e) {
            throw new ControlException(
                    response.getStatus(), "control: the answer is not understood (" + e.getOriginalMessage() + ")");
        }
    }

    static ControlException problem(int status, byte[] content) {
        try {
            return new ControlException(status, Json.LENIENT.readValue(content, Problem.class).error);
        } catch (JacksonException e) {
            return new ControlException(status, "control: the answer has status " + status);
        }
    }

    private static ControlException unreachable(Path socket, Exception e) {
        Throwable cause = e instanceof ExecutionException && e.getCause() != null ? e.getCause() : e;
        String why = switch (cause) {
            case EOFException closed -> "it has closed the connection";
            case AsynchronousCloseException closed -> "it has closed the connection";
            case TimeoutException late -> "no answer in time";
            case SocketException refused -> "nobody listens";
            default -> cause.getClass().getSimpleName();
        };
        boolean late = cause instanceof TimeoutException;
        return new ControlException(0, "socket " + socket + ": does not answer (" + why + ")", late);
    }

    private static ControlException interrupted() {
        Thread.currentThread().interrupt();
        return new ControlException(0, "control: was interrupted");
    }

    @Override
    public void close() {
        try {
            client.stop();
        } catch (Exception e) {
            // Its threads are daemons.
        }
    }
}
