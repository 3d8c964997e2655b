package dev.multivisor.cli;

import dev.multivisor.host.HostException;
import dev.multivisor.host.LoadedEngine;
import java.io.PrintWriter;
import java.io.Writer;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;

/** What the launcher runs once, so that the JVM's cache holds what a start needs. */
@Command(name = "warm-up", hidden = true, description = "Goes through what every start goes through.")
final class WarmUpCommand implements Callable<Integer> {
    @Override
    public Integer call() {
        PrintWriter nowhere = new PrintWriter(Writer.nullWriter());
        Main.execute(nowhere, nowhere, "--help");
        Main.execute(nowhere, nowhere, "run", "--help");
        Main.execute(nowhere, nowhere, "doctor");
        Main.execute(nowhere, nowhere, "engine", "list", "--format", "json");
        try {
            LoadedEngine.load(Installation.engine("")).close();
        } catch (HostException e) {
            // A missing or broken engine is told to whoever asks for it.
        }
        return ExitStatus.OK;
    }
}
