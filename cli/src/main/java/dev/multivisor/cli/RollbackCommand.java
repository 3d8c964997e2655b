package dev.multivisor.cli;

import dev.multivisor.server.RollbackRequest;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code multivisor rollback}. */
@Command(
        name = "rollback",
        description = "Moves a running machine back to the engine, and the settings, that it had before.",
        mixinStandardHelpOptions = true,
        footerHeading = "%nExample:%n",
        footer = "  multivisor rollback vm",
        exitCodeListHeading = "%nExit status:%n",
        exitCodeList = {
            "0:It is back.",
            "1:It was refused or failed, or there is nothing to go back to.",
            "2:Bad input: there is no such machine."
        })
final class RollbackCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Mixin
    private VmOption vm;

    @Option(
            names = "--deadline",
            paramLabel = "D",
            description = "Give up when the guest would stand still for longer. Default: 100ms.")
    private Duration deadline;

    @Mixin
    private OutputFormat format;

    @Override
    public Integer call() throws InterruptedException {
        RollbackRequest request =
                new RollbackRequest(Optional.ofNullable(deadline).map(Duration::toMillis));
        try (Remote remote = new Remote()) {
            Remote.Target target = remote.find(vm.name());
            return UpgradeCommand.print(
                    spec, format, target.name(), remote.client().rollBack(target.socket(), target.name(), request));
        }
    }
}
