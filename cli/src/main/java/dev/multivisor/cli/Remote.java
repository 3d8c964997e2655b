package dev.multivisor.cli;

import dev.multivisor.server.ControlClient;
import dev.multivisor.server.ControlException;
import dev.multivisor.server.MachineView;
import dev.multivisor.server.RunFolder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The running machines of this user, and a client to reach them by. */
final class Remote implements AutoCloseable {
    /** How long a machine that has just been started may take to answer. */
    private static final long PATIENCE_NANOS = 5_000_000_000L;

    private static final long LOOK_MILLIS = 50;

    private final RunFolder folder = RunFolder.open();
    private ControlClient client;

    /** A machine and where it is reached. */
    record Target(Path socket, MachineView machine) {
        String name() {
            return machine.name();
        }
    }

    /** Takes time to make: without a machine, nobody needs it. */
    synchronized ControlClient client() {
        if (client == null) {
            client = new ControlClient();
        }
        return client;
    }

    List<RunFolder.Socket> sockets() {
        return folder.sockets();
    }

    /** All machines that answer. */
    List<Target> machines() {
        List<Target> targets = new ArrayList<>();
        for (RunFolder.Socket socket : folder.sockets()) {
            targets.addAll(behind(socket));
        }
        return targets;
    }

    /** One that does not answer yet, or has just ended, has no machines. */
    private List<Target> behind(RunFolder.Socket socket) {
        try {
            return client().machines(socket.path()).stream()
                    .map(machine -> new Target(socket.path(), machine))
                    .toList();
        } catch (ControlException e) {
            if (e.unreachable()) {
                return List.of();
            }
            throw e;
        }
    }

    /**
     * The machine that a user names, as {@code NAME} or {@code NAME@PROCESS}.
     *
     * @throws CliException if there is none, or more than one
     */
    Target find(String named) throws InterruptedException {
        long end = System.nanoTime() + PATIENCE_NANOS;
        while (true) {
            List<Target> all = machines();
            List<Target> found = all.stream()
                    .filter(target -> named.equals(target.name())
                            || named.equals(
                                    target.name() + "@" + target.machine().pid()))
                    .toList();
            if (found.size() == 1) {
                return found.getFirst();
            }
            if (found.size() > 1) {
                throw new CliException("machine " + named + ": there are " + found.size() + " of this name; say "
                        + String.join(
                                " or ",
                                found.stream()
                                        .map(target ->
                                                named + "@" + target.machine().pid())
                                        .toList()));
            }
            if (!starts(named) || System.nanoTime() > end) {
                throw new CliException("machine " + named + ": there is none of this name; "
                        + (all.isEmpty()
                                ? "none runs"
                                : "there is "
                                        + String.join(
                                                ", ",
                                                all.stream().map(Target::name).toList())));
            }
            Thread.sleep(LOOK_MILLIS);
        }
    }

    /** Whether a process has taken the name but does not listen yet. */
    private boolean starts(String named) {
        return folder.sockets().stream()
                .anyMatch(socket -> (named.equals(socket.name()) || named.equals(socket.name() + "@" + socket.pid()))
                        && !socket.listens());
    }

    @Override
    public synchronized void close() {
        if (client != null) {
            client.close();
        }
    }
}
