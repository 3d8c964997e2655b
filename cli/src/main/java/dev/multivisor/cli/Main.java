package dev.multivisor.cli;

import dev.multivisor.api.EngineException;
import dev.multivisor.host.HostException;
import dev.multivisor.host.MachineHost;
import dev.multivisor.images.ImageException;
import dev.multivisor.server.ControlException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The program's entry. */
@Command(
        name = "multivisor",
        description = "Runs x86-64 Linux guests on an engine that can be replaced while they run.",
        mixinStandardHelpOptions = true,
        versionProvider = Main.Version.class,
        footerHeading = "%nExamples:%n",
        footer = {
            "  multivisor demo                   replaces the engine under a running guest",
            "  multivisor run                    Debian's kernel and a shell, right here",
            "  multivisor run --script test.sh   a script in there, with its status",
            "  multivisor run --kernel bzImage --append console=ttyS0",
            "  multivisor ps                     what runs, on which engine",
            "  multivisor top                    what they do, live",
            "  multivisor upgrade vm             the newest engine under a running guest",
            "  multivisor doctor                 is this host ready?",
            "",
            "\"multivisor COMMAND --help\" tells more about a command."
        })
public final class Main implements Runnable {
    /** Set to anything but nothing, it shows where an error arose. */
    static final boolean DEBUG = !"".equals(System.getenv().getOrDefault("MULTIVISOR_DEBUG", ""));

    /** Commands that start machines. */
    private static final Set<String> STARTERS = Set.of("run", "clone", "demo");

    private static final Map<String, Supplier<Object>> COMMANDS = commands();

    @Spec
    private CommandSpec spec;

    Main() {}

    /** Runs a command and ends the JVM with its status. */
    public static void main(String[] arguments) {
        StartUp.reached("main");
        if (arguments.length > 0 && STARTERS.contains(arguments[0])) {
            MachineHost.prepare();
        }
        PrintWriter out = new PrintWriter(System.out, true, StandardCharsets.UTF_8);
        PrintWriter err = new PrintWriter(System.err, true, StandardCharsets.UTF_8);
        int status = execute(out, err, arguments);
        out.flush();
        err.flush();
        System.exit(status);
    }

    private static Map<String, Supplier<Object>> commands() {
        Map<String, Supplier<Object>> commands = new LinkedHashMap<>();
        commands.put("demo", DemoCommand::new);
        commands.put("run", RunCommand::new);
        commands.put("ps", PsCommand::new);
        commands.put("top", TopCommand::new);
        commands.put("info", InfoCommand::new);
        commands.put("upgrade", UpgradeCommand::new);
        commands.put("rollback", RollbackCommand::new);
        commands.put("pause", () -> new ChangeCommand.Pause());
        commands.put("resume", () -> new ChangeCommand.Resume());
        commands.put("stop", () -> new ChangeCommand.Stop());
        commands.put("console", ConsoleCommand::new);
        commands.put("snapshot", SnapshotCommand::new);
        commands.put("clone", CloneCommand::new);
        commands.put("watch", WatchCommand::new);
        commands.put("events", EventsCommand::new);
        commands.put("metrics", MetricsCommand::new);
        commands.put("compare", CompareCommand::new);
        commands.put("engine", EngineCommand::new);
        commands.put("image", ImageCommand::new);
        commands.put("doctor", DoctorCommand::new);
        commands.put("completion", CompletionCommand::new);
        commands.put("warm-up", WarmUpCommand::new);
        return commands;
    }

    /** Runs a command and returns its status. */
    static int execute(PrintWriter out, PrintWriter err, String... arguments) {
        String first = arguments.length == 0 ? "" : arguments[0];
        return commandLine(first).setOut(out).setErr(err).execute(arguments);
    }

    /** All commands. */
    static CommandLine commandLine() {
        return commandLine("");
    }

    /** Reading what a command takes costs time at every start, so that only the one that is called is read. */
    private static CommandLine commandLine(String called) {
        CommandLine line = new CommandLine(new Main());
        if (COMMANDS.containsKey(called)) {
            line.addSubcommand(COMMANDS.get(called).get());
        } else {
            COMMANDS.values().forEach(command -> line.addSubcommand(command.get()));
        }
        line.setCaseInsensitiveEnumValuesAllowed(true);
        line.registerConverter(java.time.Duration.class, Durations::parse);
        line.setExecutionExceptionHandler((e, command, parsed) -> report(e, command));
        line.setParameterExceptionHandler((e, unused) -> reportUsage(e));
        return line;
    }

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "a command is missing");
    }

    private static int report(Exception e, CommandLine command) {
        PrintWriter err = command.getErr();
        int status;
        if (e instanceof CliException known) {
            err.println("multivisor: " + known.getMessage());
            status = known.status();
        } else if (e instanceof ControlException refused) {
            err.println("multivisor: " + refused.getMessage());
            status = refused.badInput() ? ExitStatus.BAD_INPUT : ExitStatus.PROBLEM;
        } else if (e instanceof HostException || e instanceof EngineException || e instanceof ImageException) {
            err.println("multivisor: " + e.getMessage());
            status = ExitStatus.BAD_INPUT;
        } else {
            err.println("multivisor: internal error: " + e + (DEBUG ? "" : " (MULTIVISOR_DEBUG=1 shows where)"));
            status = ExitStatus.FAILED;
        }
        if (DEBUG) {
            e.printStackTrace(err);
        }
        return status;
    }

    private static int reportUsage(ParameterException e) {
        CommandLine command = e.getCommandLine();
        PrintWriter err = command.getErr();
        String message = e.getMessage().lines().findFirst().orElse("");
        err.println(
                "multivisor: " + message + " (see \"" + command.getCommandSpec().qualifiedName() + " --help\")");
        if (DEBUG) {
            e.printStackTrace(err);
        }
        return ExitStatus.BAD_INPUT;
    }

    /** Tells this program's version. */
    static final class Version implements IVersionProvider {
        @Override
        public String[] getVersion() {
            return new String[] {"multivisor " + version() + " (Java " + Runtime.version() + ")"};
        }
    }

    static String version() {
        return Main.class.getModule().getDescriptor() == null
                ? "unknown"
                : Main.class.getModule().getDescriptor().rawVersion().orElse("unknown");
    }
}
