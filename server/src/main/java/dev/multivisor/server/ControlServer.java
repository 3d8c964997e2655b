package dev.multivisor.server;

import dev.multivisor.host.HostException;
import dev.multivisor.host.MachineHost;
import dev.multivisor.host.StreamConsole;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Executors;
import java.util.function.Function;
import org.eclipse.jetty.server.HttpConfiguration;
import org.eclipse.jetty.server.HttpConnectionFactory;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.unixdomain.server.UnixDomainServerConnector;
import org.eclipse.jetty.util.thread.QueuedThreadPool;

/**
 * Lets other processes of this user see and control the machines of this one: HTTP with JSON on a Unix socket, as
 * {@code openapi.yaml} describes it.
 */
public final class ControlServer implements AutoCloseable {
    /** Why a machine has ended that a client stopped. */
    public static final String STOPPED = "by \"multivisor stop\"";

    private static final int THREADS = 8;

    private final Path socket;
    private final Server server;
    private final List<Route> routes = new ArrayList<>();
    private final EventRoutes events;
    private final ConsoleRoutes consoles;
    private final WatchRoutes watches;
    private final Metrics metrics;
    private final Router router;

    // Guarded by this:
    private boolean closed;

    /**
     * A server that does not listen yet.
     *
     * @param host the machines
     * @param consoles a machine's console by the machine's name; empty if it cannot be attached to
     * @param socket where to listen
     */
    public ControlServer(
            MachineHost host, Function<String, Optional<StreamConsole>> consoles, RunFolder.Socket socket) {
        this.socket = socket.path();
        QueuedThreadPool threads = new QueuedThreadPool(THREADS, 1, 0);
        threads.setName("control");
        threads.setDaemon(true);
        threads.setVirtualThreadsExecutor(Executors.newVirtualThreadPerTaskExecutor());
        server = new Server(threads);
        MachineRoutes machines = new MachineRoutes(host);
        events = new EventRoutes(host);
        metrics = new Metrics(host);
        this.consoles = new ConsoleRoutes(machines, consoles);
        watches = new WatchRoutes(host, machines);
        routes.addAll(machines.routes());
        routes.addAll(events.routes());
        routes.addAll(this.consoles.routes());
        routes.addAll(watches.routes());
        routes.addAll(metrics.routes());
        routes.add(new Route("GET", "/openapi.yaml", ControlServer::description));
        router = new Router(routes);
        server.setHandler(router);
        server.setErrorHandler((request, response, callback) -> {
            Router.fail(
                    new Call(request, response, callback, Map.of()),
                    Math.max(response.getStatus(), ControlException.BAD_REQUEST),
                    "the request cannot be understood");
            return true;
        });
    }

    /** What it serves. */
    List<Route> routes() {
        return List.copyOf(routes);
    }

    /**
     * Listens. Does nothing once this is closed.
     *
     * @throws HostException if it cannot
     */
    public synchronized void start() {
        if (closed) {
            return;
        }
        HttpConfiguration configuration = new HttpConfiguration();
        configuration.setSendServerVersion(false);
        UnixDomainServerConnector connector =
                new UnixDomainServerConnector(server, 0, 1, new HttpConnectionFactory(configuration));
        Path hidden = RunFolder.hidden(socket);
        connector.setUnixDomainPath(hidden);
        connector.setIdleTimeout(0);
        server.addConnector(connector);
        consoles.prepare(server);
        try {
            Files.deleteIfExists(hidden);
            server.start();
            Files.setPosixFilePermissions(hidden, PosixFilePermissions.fromString("rw-------"));
            // Only now can it be found: nobody sees a socket that others may use.
            Files.move(hidden, socket, StandardCopyOption.ATOMIC_MOVE);
        } catch (Exception e) {
            close();
            throw new HostException("socket " + socket + ": cannot listen (" + e.getMessage() + ")", e);
        }
    }

    private static void description(Call call) throws IOException {
        try (InputStream in = ControlServer.class.getResourceAsStream("openapi.yaml")) {
            if (in == null) {
                throw new IOException("openapi.yaml: is not in this program");
            }
            call.answer(200, "application/yaml", in.readAllBytes());
        }
    }

    /** Tells whoever is attached that it is over, and listens no more. */
    @Override
    public synchronized void close() {
        if (closed) {
            return;
        }
        closed = true;
        try {
            Files.deleteIfExists(socket);
            Files.deleteIfExists(RunFolder.hidden(socket));
        } catch (IOException e) {
            // Whoever finds it will remove it.
        }
        events.close();
        consoles.close();
        watches.close();
        router.close();
        metrics.close();
        try {
            server.stop();
        } catch (Exception e) {
            // It is over either way.
        }
    }
}
