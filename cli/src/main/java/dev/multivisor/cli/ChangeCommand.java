package dev.multivisor.cli;

import dev.multivisor.server.MachineView;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code multivisor pause}, {@code resume} and {@code stop}. */
abstract class ChangeCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Mixin
    private VmOption vm;

    @Mixin
    private OutputFormat format;

    abstract MachineView change(Remote remote, Remote.Target target);

    @Override
    public Integer call() throws InterruptedException {
        try (Remote remote = new Remote()) {
            MachineView machine = change(remote, remote.find(vm.name()));
            if (format.json()) {
                format.printJson(spec.commandLine().getOut(), machine);
            } else {
                spec.commandLine().getOut().println(machine.name() + ": " + machine.phase());
            }
        }
        return ExitStatus.OK;
    }

    /** {@code multivisor pause}. */
    @Command(
            name = "pause",
            description = "Makes a running machine stand still, with its clock.",
            mixinStandardHelpOptions = true,
            footerHeading = "%nExample:%n",
            footer = "  multivisor pause vm")
    static final class Pause extends ChangeCommand {
        @Override
        MachineView change(Remote remote, Remote.Target target) {
            return remote.client().pause(target.socket(), target.name());
        }
    }

    /** {@code multivisor resume}. */
    @Command(
            name = "resume",
            description = "Lets a paused machine go on.",
            mixinStandardHelpOptions = true,
            footerHeading = "%nExample:%n",
            footer = "  multivisor resume vm")
    static final class Resume extends ChangeCommand {
        @Override
        MachineView change(Remote remote, Remote.Target target) {
            return remote.client().resume(target.socket(), target.name());
        }
    }

    /** {@code multivisor stop}. */
    @Command(
            name = "stop",
            description = "Ends a running machine as pulling the plug does; its \"run\" returns 130.",
            mixinStandardHelpOptions = true,
            footerHeading = "%nExample:%n",
            footer = "  multivisor stop vm")
    static final class Stop extends ChangeCommand {
        @Override
        MachineView change(Remote remote, Remote.Target target) {
            return remote.client().stop(target.socket(), target.name());
        }
    }
}
