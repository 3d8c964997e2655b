package dev.multivisor.cli;

import dev.multivisor.api.Exit;
import dev.multivisor.api.MachineSpec;
import dev.multivisor.host.EngineJar;
import dev.multivisor.host.EnginePool;
import dev.multivisor.host.MachineEnd;
import dev.multivisor.host.MachineHost;
import dev.multivisor.host.StreamConsole;
import dev.multivisor.host.VirtualMachine;
import dev.multivisor.server.ControlServer;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/** One guest from power-on to its end, over any number of resets, with the user's console. */
final class GuestRun implements EscapeKeys.Actions {
    private static final Duration POLL = Duration.ofMillis(50);
    private static final long CTRL_D = 4;

    /**
     * What is asked for.
     *
     * @param control where others reach the machine, and its name
     * @param start what makes the machine
     * @param reboot whether a guest that resets the machine starts anew
     * @param interactive whether keys come from a terminal in raw mode
     * @param script whether the guest runs a script, whose status it reports by debug-exit
     * @param ours whether it is the default guest, with a shell whose prompt is known
     * @param log where a copy of the output goes; null for nowhere
     */
    record Plan(
            Control control,
            long memory,
            MachineSpec spec,
            Start start,
            boolean interactive,
            boolean script,
            boolean ours,
            boolean reboot,
            Duration timeout,
            OutputStream log,
            boolean statistics) {}

    /** Makes a machine on an engine. */
    @FunctionalInterface
    interface Start {
        VirtualMachine on(MachineHost host, EngineJar engine, VirtualMachine.Settings settings);
    }

    private final Plan plan;
    private final MachineHost host;
    private final PrintWriter err;
    private final PanicWatch panic = new PanicWatch();
    private final PromptWatch prompt = new PromptWatch();
    private final List<OutputStream> sinks = new ArrayList<>();
    private final StreamConsole console;
    private volatile VirtualMachine current;

    /** What the machine is on, or will be after a reset: an upgrade outlives that. */
    private EnginePool.Lease engine;

    private MachineSpec spec;
    private volatile boolean quit;

    GuestRun(Plan plan, EngineJar engine, MachineHost host, PrintWriter err) {
        this.plan = plan;
        this.host = host;
        this.engine = host.lease(engine);
        StartUp.reached("engine");
        this.spec = plan.spec;
        this.err = err;
        sinks.add(new FileOutputStream(FileDescriptor.out));
        if (plan.log != null) {
            sinks.add(plan.log);
        }
        sinks.add(panic);
        if (plan.ours) {
            sinks.add(prompt);
        }
        console = new StreamConsole(sinks);
    }

    /** Runs it and returns the exit status. */
    int run() throws InterruptedException {
        long deadline = plan.timeout == null ? Long.MAX_VALUE : System.nanoTime() + plan.timeout.toNanos();
        try (RawTerminal terminal = plan.interactive ? RawTerminal.open() : null;
                console) {
            if (terminal != null) {
                tell(EscapeKeys.HELP + ".");
            }
            if (!plan.script) {
                StreamConsole.Keyboard keyboard = console.keyboard(
                        "the terminal of \"run\"", false, () -> tell("another console takes the input over."));
                Thread.ofPlatform().name("keys").daemon(true).start(() -> feed(keyboard));
            }
            while (true) {
                Optional<MachineEnd> end = runOnce(deadline);
                console.flush(1000);
                Optional<Integer> status = status(end);
                if (status.isEmpty() && System.nanoTime() >= deadline) {
                    // A guest that resets itself again and again ends here.
                    status = status(Optional.empty());
                }
                if (status.isPresent()) {
                    return status.get();
                }
            }
        } finally {
            engine.close();
        }
    }

    private Optional<MachineEnd> runOnce(long deadline) throws InterruptedException {
        VirtualMachine.Settings settings =
                new VirtualMachine.Settings(plan.control.name(), plan.memory, spec, console, new OutputOnly(console));
        VirtualMachine machine = plan.start.on(host, engine.engine().jar(), settings);
        try {
            current = machine;
            machine.start();
            StartUp.reached("guest");
            plan.control.open(host, console, this::tell);
            while (true) {
                Optional<MachineEnd> end = machine.await(POLL);
                if (!panic.message().isEmpty() && machine.status().panic().isEmpty()) {
                    machine.panicked(panic.message());
                }
                if (end.isPresent() || System.nanoTime() >= deadline) {
                    if (plan.statistics) {
                        statistics();
                    }
                    return end;
                }
                if (quit) {
                    machine.stop("quit");
                } else if (panic.over() && !plan.interactive) {
                    machine.stop("panic");
                } else if (console.failure().isPresent()) {
                    machine.stop("output: " + console.failure().get().getMessage());
                }
            }
        } finally {
            current = null;
            EnginePool.Lease last = engine;
            engine = host.lease(machine.engine().jar());
            last.close();
            spec = new MachineSpec(
                    spec.cpus(), spec.cpuModel(), machine.status().parameters());
            host.remove(machine);
        }
    }

    /** The exit status; empty if the guest is to start anew. */
    private Optional<Integer> status(Optional<MachineEnd> ended) {
        if (quit) {
            tell("quit.");
            return Optional.of(ExitStatus.QUIT);
        }
        boolean panicked = !panic.message().isEmpty();
        if (ended.isEmpty()) {
            tell((panicked ? "the guest's kernel panicked (" + panic.message() + "), then " : "") + "the time-out of "
                    + seconds(plan.timeout) + " was reached.");
            return Optional.of(panicked ? ExitStatus.PANIC : ExitStatus.TIMEOUT);
        }
        MachineEnd end = ended.get();
        Exit exit = end.exit();
        if (panicked && exit.reason() != Exit.Reason.FAILED) {
            tell("the guest's kernel panicked: " + panic.message());
            return Optional.of(ExitStatus.PANIC);
        }
        String detail = exit.detail().isEmpty() ? "" : ": " + exit.detail();
        return switch (exit.reason()) {
            case POWER_OFF -> {
                if (plan.interactive) {
                    tell("the guest switched itself off after " + seconds(end.time()) + ".");
                }
                yield Optional.of(scriptless(ExitStatus.OK, "the guest switched itself off before the script ended"));
            }
            case RESET -> {
                if (plan.reboot) {
                    if (plan.interactive) {
                        tell("the guest resets the machine.");
                    }
                    yield Optional.empty();
                }
                yield Optional.of(scriptless(ExitStatus.OK, "the guest reset the machine before the script ended"));
            }
            case DEBUG_EXIT -> Optional.of((plan.script ? exit.status() >> 1 : exit.status()) & 0xff);
            case TRIPLE_FAULT -> {
                tell("triple fault: the guest could not handle a fault" + detail);
                yield Optional.of(ExitStatus.TRIPLE_FAULT);
            }
            case HALTED -> {
                tell("the guest halted for good, with interrupts off" + detail);
                yield Optional.of(ExitStatus.HALTED);
            }
            case FAILED -> {
                tell(exit.detail());
                if (Main.DEBUG) {
                    err.print(end.trace());
                }
                yield Optional.of(ExitStatus.FAILED);
            }
            case KICKED -> {
                if (exit.detail().equals(ControlServer.STOPPED)) {
                    tell("stopped " + exit.detail() + ".");
                    yield Optional.of(ExitStatus.QUIT);
                }
                tell("stopped" + detail);
                yield Optional.of(ExitStatus.FAILED);
            }
        };
    }

    private int scriptless(int status, String problem) {
        if (!plan.script) {
            return status;
        }
        tell(problem);
        return ExitStatus.FAILED;
    }

    private void feed(StreamConsole.Keyboard keyboard) {
        EscapeKeys keys = new EscapeKeys(this);
        byte[] buffer = new byte[4096];
        try (keyboard;
                InputStream in = new FileInputStream(FileDescriptor.in)) {
            if (plan.ours && !plan.interactive) {
                prompt.await();
            }
            int size;
            while ((size = in.read(buffer)) > 0) {
                byte[] typed = plan.interactive ? keys.filter(buffer, size) : java.util.Arrays.copyOf(buffer, size);
                keyboard.feed(typed, 0, typed.length);
            }
            if (plan.ours && !plan.interactive) {
                keyboard.feed(new byte[] {(byte) CTRL_D}, 0, 1);
            }
        } catch (IOException e) {
            tell("standard input: " + e.getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public void quit() {
        quit = true;
    }

    @Override
    public void statistics() {
        VirtualMachine machine = current;
        if (machine == null) {
            return;
        }
        Map<String, Long> counters = new TreeMap<>(machine.statistics());
        double seconds = machine.clock().nanoTime() / 1e9;
        StringBuilder text = new StringBuilder(String.format("%.3f s of guest time", seconds));
        counters.forEach((name, value) -> {
            if (value != 0) {
                text.append(String.format("%n%,20d %s (%,.0f/s)", value, name, value / seconds));
            }
        });
        text.append(String.format("%n%s", StartUp.report()));
        tell(text.toString());
    }

    @Override
    public void help() {
        tell(EscapeKeys.HELP + ".");
    }

    // The guest may have left the cursor anywhere.
    private void tell(String text) {
        err.print((plan.interactive ? "\r\n" : "") + "multivisor: " + text + "\n");
        err.flush();
    }

    private static String seconds(Duration time) {
        return time.toMillis() % 1000 == 0 ? time.toSeconds() + " s" : String.format("%.1f s", time.toMillis() / 1e3);
    }
}
