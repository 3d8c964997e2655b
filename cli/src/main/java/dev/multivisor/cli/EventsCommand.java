package dev.multivisor.cli;

import dev.multivisor.server.ControlException;
import dev.multivisor.server.EventView;
import dev.multivisor.server.RunFolder;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.function.Consumer;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;
import tools.jackson.databind.json.JsonMapper;

/** {@code multivisor events}. */
@Command(
        name = "events",
        description = "Prints what has happened to the running machines, oldest first.",
        mixinStandardHelpOptions = true,
        footerHeading = "%nExamples:%n",
        footer = {
            "  multivisor events",
            "  multivisor events -f                  and what comes, until Ctrl-C",
            "  multivisor events -f --format json    a line of JSON for each"
        })
final class EventsCommand implements Callable<Integer> {
    private static final long LOOK_MILLIS = 200;

    @Spec
    private CommandSpec spec;

    @Option(
            names = {"-f", "--follow"},
            description = "Go on with what comes, also from machines that start later.")
    private boolean follow;

    @Mixin
    private OutputFormat format;

    private final JsonMapper json = OutputFormat.mapper();

    @Override
    public Integer call() throws InterruptedException {
        try (Remote remote = new Remote()) {
            if (follow) {
                follow(remote);
            }
            List<EventView> events = new ArrayList<>();
            for (RunFolder.Socket socket : remote.sockets()) {
                read(remote, socket.path(), false, events::add);
            }
            events.sort(Comparator.comparing(event -> Instant.parse(event.time())));
            events.forEach(this::print);
        }
        return ExitStatus.OK;
    }

    /** Until this program is ended. */
    private void follow(Remote remote) throws InterruptedException {
        Set<Path> known = new HashSet<>();
        while (true) {
            for (RunFolder.Socket socket : remote.sockets()) {
                if (socket.listens() && known.add(socket.path())) {
                    Thread.ofVirtual().start(() -> read(remote, socket.path(), true, this::print));
                }
            }
            Thread.sleep(LOOK_MILLIS);
        }
    }

    private static void read(Remote remote, Path socket, boolean endless, Consumer<EventView> consumer) {
        try {
            remote.client().events(socket, endless, consumer);
        } catch (ControlException e) {
            // It has just ended, or does not answer yet.
        }
    }

    private synchronized void print(EventView event) {
        PrintWriter out = spec.commandLine().getOut();
        if (format.json()) {
            out.println(json.writeValueAsString(event));
        } else {
            out.println((event.time() + " " + event.machine() + " " + event.kind() + " " + event.detail()).strip());
        }
        out.flush();
    }
}
