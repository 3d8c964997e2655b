package dev.multivisor.server;

import dev.multivisor.host.HostException;
import dev.multivisor.host.StreamConsole;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.websocket.core.server.WebSocketMappings;
import org.eclipse.jetty.websocket.core.server.WebSocketServerComponents;

/** A machine's serial console as a WebSocket: binary frames with bytes, either way. */
final class ConsoleRoutes implements AutoCloseable {
    private final MachineRoutes machines;
    private final Function<String, Optional<StreamConsole>> consoles;
    private final Set<ConsoleSession> sessions = ConcurrentHashMap.newKeySet();
    private WebSocketMappings mappings;

    ConsoleRoutes(MachineRoutes machines, Function<String, Optional<StreamConsole>> consoles) {
        this.machines = machines;
        this.consoles = consoles;
    }

    List<Route> routes() {
        return List.of(new Route("GET", "/v1/machines/{name}/console", this::attach));
    }

    /** To be called before the server starts. */
    void prepare(Server server) {
        mappings = new WebSocketMappings(WebSocketServerComponents.ensureWebSocketComponents(server));
    }

    private void attach(Call call) {
        String name = machines.machine(call).name();
        boolean force = call.flag("force");
        StreamConsole console = consoles.apply(name)
                .orElseThrow(() -> new ControlException(
                        ControlException.CONFLICT, "machine " + name + ": has no console to attach to"));
        ConsoleSession session = new ConsoleSession(console, sessions);
        try {
            session.claim(force);
        } catch (HostException e) {
            throw new ControlException(ControlException.CONFLICT, "machine " + name + ": " + e.getMessage());
        }
        boolean upgraded = false;
        try {
            upgraded = mappings.upgrade(
                    (request, response, callback) -> session,
                    call.request(),
                    call.response(),
                    call.callback(),
                    settings -> settings.setIdleTimeout(Duration.ZERO));
        } finally {
            if (!upgraded) {
                session.release();
            }
        }
        if (!upgraded) {
            throw new ControlException(
                    ControlException.BAD_REQUEST, call.request().getHttpURI().getPath() + ": is a WebSocket");
        }
    }

    @Override
    public void close() {
        sessions.forEach(session -> session.end("the machine has ended"));
    }
}
