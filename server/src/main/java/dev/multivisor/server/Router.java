package dev.multivisor.server;

import dev.multivisor.host.HostException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Phaser;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.eclipse.jetty.http.HttpException;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;

/** Finds the route that a request is for. Errors become JSON of one line. */
final class Router extends Handler.Abstract implements AutoCloseable {
    private static final long FAREWELL_MILLIS = 2000;

    private static final int NOT_ALLOWED = 405;
    private static final int INTERNAL = 500;

    private final List<Route> routes;
    private final Phaser calls = new Phaser(1);

    Router(List<Route> routes) {
        this.routes = routes;
    }

    @Override
    public boolean handle(Request request, Response response, Callback asked) {
        calls.register();
        Callback callback = Callback.from(asked, calls::arriveAndDeregister);
        String path = Request.getPathInContext(request);
        Call call = new Call(request, response, callback, Map.of());
        try {
            List<String> methods = new ArrayList<>();
            for (Route route : routes) {
                Optional<Map<String, String>> names = route.match(path);
                if (names.isPresent() && route.method().equals(request.getMethod())) {
                    call = new Call(request, response, callback, names.get());
                    route.action().answer(call);
                    return true;
                }
                names.ifPresent(match -> methods.add(route.method()));
            }
            if (methods.isEmpty()) {
                fail(call, ControlException.NOT_FOUND, path + ": there is nothing here");
            } else {
                response.getHeaders().put(HttpHeader.ALLOW, String.join(", ", methods));
                fail(call, NOT_ALLOWED, path + ": takes " + String.join(", ", methods) + " only");
            }
        } catch (ControlException e) {
            fail(call, e.status(), e.getMessage());
        } catch (HostException e) {
            fail(call, ControlException.CONFLICT, e.getMessage());
        } catch (IOException e) {
            // The client has gone.
            callback.failed(e);
        } catch (Exception e) {
            if (e instanceof HttpException known) {
                fail(call, known.getCode(), String.valueOf(known.getReason()));
            } else {
                fail(call, INTERNAL, "internal error: " + e);
            }
        }
        return true;
    }

    /**
     * Waits until every call has its answer, but not for long. What a call does may end the process, and whoever asked
     * for that is to be told.
     */
    @Override
    public void close() {
        try {
            calls.awaitAdvanceInterruptibly(calls.arrive(), FAREWELL_MILLIS, TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (TimeoutException e) {
            // A client that does not read misses its answer.
        }
    }

    static void fail(Call call, int status, String message) {
        if (call.response().isCommitted()) {
            call.callback().failed(new IOException(message));
        } else {
            call.answer(status, Map.of("error", message));
        }
    }
}
