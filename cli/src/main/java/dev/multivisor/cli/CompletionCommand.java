package dev.multivisor.cli;

import java.util.concurrent.Callable;
import picocli.AutoComplete;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code multivisor completion}. */
@Command(
        name = "completion",
        description = "Prints a script that teaches a shell to complete this program's options.",
        mixinStandardHelpOptions = true,
        footerHeading = "%nExamples:%n",
        footer = {
            "  source <(multivisor completion bash)    in ~/.bashrc",
            "  source <(multivisor completion zsh)     in ~/.zshrc"
        })
final class CompletionCommand implements Callable<Integer> {
    /** What it takes. */
    enum Shell {
        bash,
        zsh
    }

    @Spec
    private CommandSpec spec;

    @Parameters(paramLabel = "SHELL", description = "${COMPLETION-CANDIDATES}")
    private Shell shell;

    @Override
    public Integer call() {
        // The script is bash's; its own first lines make zsh understand it, once zsh's completion is on.
        String script = AutoComplete.bash("multivisor", Main.commandLine());
        if (shell == Shell.zsh) {
            script = "autoload -U +X compinit && compinit\n" + script;
        }
        spec.commandLine().getOut().print(script);
        spec.commandLine().getOut().flush();
        return ExitStatus.OK;
    }
}
