package dev.multivisor.cli;

import java.util.concurrent.Callable;
import picocli.CommandLine.Command;

/** {@code multivisor run}. */
@Command(name = "run", description = "Runs a guest.", mixinStandardHelpOptions = true)
final class RunCommand implements Callable<Integer> {
    @Override
    public Integer call() {
        return 0;
    }
}
