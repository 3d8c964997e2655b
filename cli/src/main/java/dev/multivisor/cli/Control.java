package dev.multivisor.cli;

import dev.multivisor.host.HostException;
import dev.multivisor.host.MachineHost;
import dev.multivisor.host.StreamConsole;
import dev.multivisor.server.ControlException;
import dev.multivisor.server.ControlServer;
import dev.multivisor.server.RunFolder;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Function;

/** A run's socket, by which other processes control its machine. A run goes on without when there can be none. */
final class Control implements AutoCloseable {
    private static final String WITHOUT = "; this machine cannot be controlled from outside.";

    /** The guest comes first: it has the processors to itself for so long. */
    private static final long DELAY_MILLIS = 200;

    private final String name;
    private final Optional<RunFolder.Socket> socket;
    private final CountDownLatch closing = new CountDownLatch(1);
    private final Thread hook = Thread.ofPlatform().name("remove-socket").unstarted(this::removeSocket);

    // Guarded by this:
    private ControlServer server;
    private boolean opened;

    private Control(String name, Optional<RunFolder.Socket> socket) {
        this.name = name;
        this.socket = socket;
        Runtime.getRuntime().addShutdownHook(hook);
    }

    /** Takes a name, the one that is wanted or a free one. */
    static Control reserve(String wanted, PrintWriter err) {
        try {
            RunFolder.Socket socket = RunFolder.open().reserve(wanted);
            return new Control(socket.name(), Optional.of(socket));
        } catch (ControlException e) {
            throw new CliException("--name: " + e.getMessage());
        } catch (HostException e) {
            err.println("multivisor: " + e.getMessage() + WITHOUT);
            return new Control(wanted.isEmpty() ? "vm" : wanted, Optional.empty());
        }
    }

    /** Checks what is wanted as a name; empty is any. */
    static void checkName(String wanted) {
        try {
            if (!wanted.isEmpty()) {
                RunFolder.checkName(wanted);
            }
        } catch (HostException e) {
            throw new CliException("--name: " + e.getMessage());
        }
    }

    /** The machine's name. */
    String name() {
        return name;
    }

    /** Begins to listen soon, unless it has already. */
    void open(MachineHost host, StreamConsole console, Consumer<String> tell) {
        if (take()) {
            Thread.ofPlatform()
                    .name("control-start")
                    .daemon(true)
                    .start(() -> listen(DELAY_MILLIS, host, machine -> Optional.of(console), tell));
        }
    }

    /** For several machines, each with a console by its name: listens, or has told why not, when this returns. */
    void openAll(MachineHost host, Function<String, Optional<StreamConsole>> consoles, Consumer<String> tell) {
        if (take()) {
            listen(0, host, consoles, tell);
        }
    }

    /** Whether it is now to be opened. */
    private synchronized boolean take() {
        boolean first = !opened && socket.isPresent();
        opened = true;
        return first;
    }

    private void listen(
            long delayMillis,
            MachineHost host,
            Function<String, Optional<StreamConsole>> consoles,
            Consumer<String> tell) {
        try {
            if (closing.await(delayMillis, TimeUnit.MILLISECONDS)) {
                return;
            }
            ControlServer next = new ControlServer(host, consoles, socket.get());
            synchronized (this) {
                if (closing.getCount() == 0) {
                    return;
                }
                server = next;
            }
            next.start();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (HostException e) {
            tell.accept(e.getMessage() + WITHOUT);
        }
    }

    private void removeSocket() {
        socket.ifPresent(here -> {
            try {
                Files.deleteIfExists(here.path());
            } catch (IOException e) {
                // Whoever finds it will remove it.
            }
        });
    }

    @Override
    public void close() {
        ControlServer last;
        synchronized (this) {
            closing.countDown();
            last = server;
        }
        if (last != null) {
            last.close();
        }
        removeSocket();
        try {
            Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException e) {
            // The JVM is on its way out already, and the hook does what was just done.
        }
    }
}
