package dev.multivisor.cli;

import dev.multivisor.server.ConsoleLink;
import dev.multivisor.server.MachineView;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.Arrays;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code multivisor console}. */
@Command(
        name = "console",
        description = {
            "Attaches to a running machine's serial console. Ctrl-] then q detaches.",
            "Everybody attached sees what the guest prints; one at a time types. In a pipe, standard input is typed, "
                    + "and a second of silence after its end detaches."
        },
        mixinStandardHelpOptions = true,
        footerHeading = "%nExamples:%n",
        footer = {
            "  multivisor console vm",
            "  multivisor console vm --force              take over from the terminal of \"run\"",
            "  echo uptime | multivisor console --force vm"
        },
        exitCodeListHeading = "%nExit status:%n",
        exitCodeList = {
            "0:It was detached, or the machine has ended.",
            "1:Somebody else is attached, or has taken over.",
            "2:Bad input: there is no such machine."
        })
final class ConsoleCommand implements Callable<Integer>, EscapeKeys.Actions {
    private static final String HELP = "Ctrl-] then q detaches, s shows the machine, Ctrl-] sends Ctrl-]";
    private static final long LOOK_MILLIS = 100;
    private static final long SILENCE_NANOS = 1_000_000_000L;

    @Spec
    private CommandSpec spec;

    @Mixin
    private VmOption vm;

    @Option(names = "--force", description = "Take over from whoever types there now.")
    private boolean force;

    private Remote remote;
    private Remote.Target target;
    private boolean interactive;
    private volatile boolean quit;
    private volatile boolean inputEnded;
    private volatile long lastByte = System.nanoTime();

    @Override
    public Integer call() throws InterruptedException {
        interactive = RawTerminal.usable();
        try (Remote opened = new Remote()) {
            remote = opened;
            target = opened.find(vm.name());
            OutputStream out = new FileOutputStream(FileDescriptor.out);
            try (ConsoleLink link =
                            opened.client().console(target.socket(), target.name(), force, bytes -> show(out, bytes));
                    RawTerminal terminal = interactive ? RawTerminal.open() : null) {
                if (terminal != null) {
                    tell("attached to " + target.name() + ". " + HELP + ".");
                }
                Thread.ofPlatform().name("keys").daemon(true).start(() -> feed(link));
                boolean closed = false;
                while (!quit && !closed && !silent()) {
                    closed = link.awaitClosed(LOOK_MILLIS);
                }
                return farewell(closed, link.reason());
            }
        }
    }

    private int farewell(boolean closed, String reason) {
        if (interactive || closed && !reason.startsWith("the machine")) {
            tell(closed ? "detached: " + (reason.isEmpty() ? "the machine has ended" : reason) + "." : "detached.");
        }
        return closed && reason.startsWith("another") ? ExitStatus.PROBLEM : ExitStatus.OK;
    }

    /** Whether everything was typed, and the guest has nothing to say to it. */
    private boolean silent() {
        return inputEnded && System.nanoTime() - lastByte > SILENCE_NANOS;
    }

    private void show(OutputStream out, byte[] bytes) {
        lastByte = System.nanoTime();
        try {
            out.write(bytes);
        } catch (IOException e) {
            quit = true;
        }
    }

    private void feed(ConsoleLink link) {
        EscapeKeys keys = new EscapeKeys(this);
        byte[] buffer = new byte[4096];
        try (InputStream in = new FileInputStream(FileDescriptor.in)) {
            int size;
            while ((size = in.read(buffer)) > 0) {
                byte[] typed = interactive ? keys.filter(buffer, size) : Arrays.copyOf(buffer, size);
                if (typed.length > 0) {
                    link.type(typed, typed.length);
                }
            }
        } catch (IOException e) {
            tell("standard input: " + e.getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        lastByte = System.nanoTime();
        inputEnded = true;
    }

    @Override
    public void quit() {
        quit = true;
    }

    @Override
    public void statistics() {
        MachineView machine = remote.client().machine(target.socket(), target.name());
        tell(machine.name() + ": " + machine.phase() + " on engine " + machine.engine() + ", "
                + Figures.seconds(machine.guestNanos()) + " of guest time, " + machine.handovers() + " handovers.");
    }

    @Override
    public void help() {
        tell(HELP + ".");
    }

    // The guest may have left the cursor anywhere.
    private void tell(String text) {
        spec.commandLine().getErr().print((interactive ? "\r\n" : "") + "multivisor: " + text + "\n");
        spec.commandLine().getErr().flush();
    }
}
